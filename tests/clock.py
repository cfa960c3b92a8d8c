"""A clock that a test may set, between a program and its kernel: libfaketime, told by a file."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import libfaketime


class Clock:
    """What a program believes about the time: the true time and an offset. Durations it measures as they are."""

    def __init__(self, folder: Path) -> None:
        library = Path(libfaketime.__file__).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
        self._preload = Path(shutil.copy(library, folder / library.name))  # where the server's user can read it
        self._preload.chmod(0o755)
        self.file = folder / "clock"
        self.set(dt.timedelta())

    @property
    def environment(self) -> dict[str, str]:
        """What the program's environment needs."""
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
