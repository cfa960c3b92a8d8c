"""The walk through the API in its documentation, run as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from dispensary import api
from dispensary.actions import tokens
from dispensary.models import StaffRole
from tests.dispensary import make

PAGE = Path(api.__file__).with_name("WALKTHROUGH.md").read_text()


@pytest.fixture
def environment(transactional_db: None, live_server: Any) -> dict[str, str]:
    """The address of a site with a pharmacy, a technician's token, a manager's, and the manager's password."""
    make.products()
    shop = make.pharmacy(now=timezone.now(), time_zone="UTC")
    technician, manager = (
        make.staff(shop, role, now=timezone.now()) for role in (StaffRole.TECHNICIAN, StaffRole.MANAGER)
    )
    return os.environ | {
        "SITE": live_server.url,
        "TOKEN": tokens.issue(user=technician.user, now=timezone.now()),
        "MANAGER": tokens.issue(user=manager.user, now=timezone.now()),
        "PASSWORD": make.PASSWORD,
    }


def is_part_of(expected: Any, actual: Any) -> bool:
    """Return whether an answer says what an excerpt of it says; of a list, whether each item has its like."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            name in actual and is_part_of(part, actual[name]) for name, part in expected.items()
        )
    if isinstance(expected, list):
        return all(any(is_part_of(part, item) for item in actual) for part in expected)
    return expected in ("…", actual)


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    process = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_each_request_gets_the_answer_that_the_page_shows(environment: dict[str, str], tmp_path: Path) -> None:
    blocks = re.findall(r"```bash\n(.*?)```\n(?:\n```json\n(.*?)```)?", PAGE, re.S)
    assert len(blocks) == PAGE.count("```bash") >= 6
    run(["bash", "-euc", "\n".join(script for script, _ in blocks)], tmp_path, environment)
    for script, excerpt in blocks:
        answer = json.loads((tmp_path / re.findall(r"-o ([\w-]+\.json)", script)[-1]).read_text())
        assert is_part_of(json.loads(excerpt), answer), (script, answer)
    assert (tmp_path / "label.pdf").read_bytes().startswith(b"%PDF")
    [program] = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    (tmp_path / "client.py").write_text(program)
    printed = run([sys.executable, "client.py"], tmp_path, environment)
    assert "tablets remain" in printed
