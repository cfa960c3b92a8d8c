"""Addresses and secrets of a process: from the environment, or from the file of a running demo.

`make demo` writes `.run/environment`, so that `manage.py` in another terminal finds the demo's servers. A variable that is set in
the real environment always wins over that file.
"""

import os
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN_DIR = Path(os.environ.get("DISPENSARY_RUN_DIR", ROOT / ".run"))
ENVIRONMENT_FILE = RUN_DIR / "environment"


def read_environment(file: Path = ENVIRONMENT_FILE) -> dict[str, str]:
    """Return the process environment laid over the `NAME=value` lines of `file`; a missing file counts as empty."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, PermissionError):
        lines = []
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return dict(pairs) | dict(os.environ)


def share_metrics() -> None:
    """Make the folder in which the processes of a machine count together, before prometheus_client is imported.

    That is `PROMETHEUS_MULTIPROC_DIR`, else one in `RUN_DIR`; without either each process counts for itself.
    """
    if "RUN_DIR" in os.environ:
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(Path(os.environ["RUN_DIR"]) / "metrics"))
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        Path(folder).mkdir(parents=True, exist_ok=True)


def write_environment(values: Mapping[str, str], file: Path = ENVIRONMENT_FILE) -> None:
    """Write `values` as `NAME=value` lines that only this user may read: they hold passwords."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.writelines(f"{name}={value}\n" for name, value in values.items())
