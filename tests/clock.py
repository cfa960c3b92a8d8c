"""A clock that a test may set, between a program and its kernel: libfaketime, told by a file."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path


def copy_library(folder: Path) -> Path:
    """Return a copy of the library in `folder`, where the servers' user can read it.

    Raises:
        ImportError: the package libfaketime is not installed.
        FileNotFoundError: it has no library for this system.
    """
    import libfaketime

    library = Path(libfaketime.__file__).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    copy = Path(shutil.copy(library, folder / library.name))
    copy.chmod(0o755)
    return copy


def moved_clock(library: Path, offset: dt.timedelta) -> dict[str, str]:
    """Return what a program's environment needs to believe that it is so much later; durations it measures as they are."""
    return {
        "LD_PRELOAD": str(library), "FAKETIME": f"{offset.total_seconds():+.0f}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip


def inherited_clock() -> dict[str, str]:
    """Return what makes a child with an environment of its own believe in the moved clock of this process; empty where it is not moved."""
    if "FAKETIME" not in os.environ:
        return {}
    return {name: os.environ[name] for name in moved_clock(Path(), dt.timedelta())}


class Clock:
    """A clock moved by an offset, for a program that is started with it. Durations are measured as they are."""

    def __init__(self, folder: Path) -> None:
        self._preload = copy_library(folder)
        self.file = folder / "clock"
        self.set(dt.timedelta())

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables for the program's environment."""
        return {
            "LD_PRELOAD": str(self._preload), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
        }  # fmt: skip

    def set(self, offset: dt.timedelta) -> None:
        """Let it be so much later, or earlier, than it is."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{offset.total_seconds():+.0f}\n")
        fresh.chmod(0o644)
        fresh.replace(self.file)

    def go_to(self, moment: dt.datetime) -> None:
        """Let it be this moment now."""
        self.set(moment - dt.datetime.now(dt.UTC))
