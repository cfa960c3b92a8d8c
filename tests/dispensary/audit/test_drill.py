"""The drill of OPERATING.md, followed word for word: its own commands, on the tests' database and then on a bare machine."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

import dispensary.audit
from deploy.environment import ROOT
from dispensary.audit.evidence import verify
from dispensary.models import Pharmacy
from tests.site import Site

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "sealer", "owner"])

PAGE = Path(dispensary.audit.__file__).with_name("OPERATING.md")


def steps() -> dict[int, list[str]]:
    """The commands of the drill by the number of their step."""
    drill = PAGE.read_text().partition("## The drill")[2]
    parts = re.split(r"^(\d)\. ", drill, flags=re.MULTILINE)
    return {
        int(number): [line.strip() for line in text.splitlines() if line.startswith("       ")]
        for number, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def run(command: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    python = shlex.quote(sys.executable)
    line = re.sub(r"^python3? ", f"{python} ", command).replace("manage.py", str(ROOT / "manage.py"))
    return subprocess.run(line, shell=True, cwd=folder, env=more or None, capture_output=True, text=True, check=False)


def test_the_drill_is_followed_literally(
    sealed: Pharmacy, write: Callable[..., UUID], site: Site, own_key: Path, tmp_path: Path
) -> None:
    drill, here = steps(), tmp_path / "here"
    here.mkdir()
    write(Pharmacy.objects.create(name="Low Street", opened_at=sealed.opened_at))
    environment = site.environment(AUDIT_KEY_FILE=str(own_key))
    show, export = drill[1]
    assert run(show, here, **environment).returncode == 0
    unnamed = run(re.sub(r'--log "[^"]*" ', "", export), here, **environment)
    assert unnamed.returncode == 2
    assert f"{sealed.name} (" in unnamed.stderr
    done = run(export, here, **environment)
    assert done.returncode == 0, done.stderr
    (here / "verify.py").write_bytes(Path(verify.__file__).read_bytes())
    digest, check = drill[2]
    command, _, printed = digest.partition("#")
    assert run(command, here).stdout.split()[0] == printed.strip()
    good = run(check, here)
    assert (good.returncode, "VERIFIED" in good.stdout) == (0, True), good.stdout
    *unpack, check = drill[3]
    for command in unpack:
        assert run(command, here).returncode == 0
    bad = run(check, here)
    assert (bad.returncode, "TAMPERED" in bad.stdout) == (1, True)
    assert "ENTRY_MODIFIED at 1;" in bad.stdout
    own = [line for line in (here / "FOLDER" / "vkeys.txt").read_text().splitlines() if not line.startswith("#")]
    assert set(own) <= set((here / "KEYFILE").read_text().split())
    assert own
