"""The log's objects on each older PostgreSQL that is promised, on a server of that version.

With `REWRITE_CATALOGUE=1` they are written anew, after a migration that changes the objects of the log.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.older_postgres import MAJORS, running_older_postgres
from tests.dispensary.audit.checks import test_tampering_around
from tests.site import ROOT

TEST = f"{test_tampering_around.__file__}::test_the_catalogue_is_that_of_this_release"


@pytest.mark.parametrize("major", MAJORS)
def test_the_catalogue_of_an_older_postgresql_is_that_of_this_release(servers_folder: Path, major: int) -> None:
    with running_older_postgres(servers_folder, major) as url:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", TEST],
            cwd=ROOT, env=os.environ | {"DATABASE_URL": url}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout
