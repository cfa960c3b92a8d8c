"""Hand over with the released code on today's tables, and go on with today's code, and the reverse: `make test-upgrade`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["DJANGO_SETTINGS_MODULE"] = "deploy.settings_test"

from tests.benchmarks.audit_bars import server  # isort: skip  # first of ours: it sets Django up
from django.utils import timezone

from deploy.environment import ROOT
from dispensary.actions import tokens
from dispensary.models import StaffRole
from tests.dispensary import make

REVISION = "00496b42eec7f8bf36c57d54a9e4f4748f8705d6"
"""The release that sites run: its last migration is `RELEASED` of `tests/dispensary/models/test_migrations.py`."""
STEPS = Path(__file__).with_name("steps.py")


def main() -> int:
    """Try both turns; return 0 where each step was answered well."""
    with tempfile.TemporaryDirectory(prefix="dispensary-upgrade-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        released = folder / "released"
        released.mkdir()
        archive = folder / "released.tar"
        archiving = subprocess.run(
            ["git", "archive", "--output", archive, REVISION], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if archiving.returncode:
            print(f"NOT RUN, the released code is missing: {archiving.stderr.strip()}")
            return 0
        subprocess.run(["tar", "--extract", "--file", archive, "--directory", released], check=True)
        with server(folder) as database:
            make.products()
            now = timezone.now()
            member = make.staff(make.pharmacy(now=now), StaffRole.PHARMACIST, now=now)
            databases = json.dumps(database.settings_by_alias())
            token = tokens.issue(user=member.user, now=now)
            turns = {"released-first": (released, ROOT), "today-first": (ROOT, released)}
            outcomes = [_take_turns(patient, folders, databases, token) for patient, folders in turns.items()]
            return 0 if all(outcomes) else 1


def _take_turns(patient: str, folders: tuple[Path, Path], databases: str, token: str) -> bool:
    """Let the code of one folder begin and that of another go on with a patient; print how it went, and return whether it did."""
    for folder in folders:
        done = subprocess.run(
            [sys.executable, STEPS, databases, token, patient],
            cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            print(f"{patient}: FAILED by {'today' if folder == ROOT else 'the released'} code\n{done.stderr[-3000:]}")
            return False
    print(f"{patient}: both went through")
    return True


if __name__ == "__main__":
    sys.exit(main())
