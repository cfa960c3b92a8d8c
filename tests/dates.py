"""The suite on other days and at other hours: `make test-dates`, or `python -m tests.dates NAME ... -- PYTEST ARGUMENT ...`.

The clock is moved between the programs and their kernel by libfaketime (a wheel of the test set): for pytest, for the servers that it starts, and
for every other child. It runs on from the moment that is named, so a night in which the clocks change goes past the change.
"""

import calendar
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as wall_time
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.clock import copy_library, moved_clock

LONDON = ZoneInfo("Europe/London")
ARGUMENTS = ["-q", "-m", "not faults and not browser", "-n", "2", "--dist", "loadgroup"]
MISSING = (
    "The clock cannot be moved here: libfaketime {}. It is one of the test packages: `make install-test` installs it, "
    "or `.venv/bin/python -m pip install libfaketime` (Linux; no root, and no package of the system, is needed)."
)


def change_of_clocks(today: date, month: int) -> datetime:
    """Return the next last Sunday of March or October, 01:00 UTC, when clocks in London change."""
    for year in (today.year, today.year + 1):
        last = date(year, month, calendar.monthrange(year, month)[1])
        sunday = last - timedelta(days=(last.weekday() + 1) % 7)
        if sunday > today:
            break
    return datetime.combine(sunday, wall_time(1), UTC)


def moments(today: date) -> dict[str, datetime]:
    """Return the moments at which the suite runs, by name: dates and hours in London, every hour on several of the dates."""
    leap_year = next(
        year for year in range(today.year, today.year + 9) if calendar.isleap(year) and date(year, 2, 29) > today
    )
    early, noon, late = wall_time(0, 30), wall_time(12), wall_time(23, 30)
    days = {
        "tomorrow": (today + timedelta(days=1), early),
        "in-40-days": (today + timedelta(days=40), noon),
        "in-400-days": (today + timedelta(days=400), late),
        "29-february-early": (date(leap_year, 2, 29), early),
        "29-february-noon": (date(leap_year, 2, 29), noon),
        "29-february-late": (date(leap_year, 2, 29), late),
        "31-december-early": (date(today.year, 12, 31), early),
        "31-december-noon": (date(today.year, 12, 31), noon),
        "31-december-late": (date(today.year, 12, 31), late),
    }
    before = timedelta(minutes=1)
    return {name: datetime.combine(day, hour, LONDON).astimezone(UTC) for name, (day, hour) in days.items()} | {
        "clocks-go-forward": change_of_clocks(today, 3) - before,
        "clocks-go-back": change_of_clocks(today, 10) - before,
    }


def find_library(folder: Path) -> Path:
    """Return a copy of libfaketime in `folder`, where the servers' user can read it, or leave with a sentence."""
    folder.chmod(0o755)
    try:
        copy = copy_library(folder)
    except ImportError:
        sys.exit(MISSING.format("is not installed"))
    except FileNotFoundError:
        sys.exit(MISSING.format("has no library for this system"))
    asked = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        env=os.environ | moved_clock(copy, timedelta(days=1)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if asked.returncode or float(asked.stdout) < time.time() + 80_000:
        sys.exit(MISSING.format("does not reach this Python's clock"))
    return copy


def main(arguments: list[str]) -> int:
    """Run the suite at each moment, or at those that are named; return 1 if it failed at one."""
    split = arguments.index("--") if "--" in arguments else len(arguments)
    names, more = arguments[:split], arguments[split + 1 :]
    every = moments(datetime.now(LONDON).date())
    chosen = names or list(every)
    unknown = set(chosen) - set(every)
    if unknown:
        sys.exit(f"No such moment: {', '.join(sorted(unknown))}. There are: {', '.join(every)}.")
    failed = []
    with tempfile.TemporaryDirectory(prefix="dispensary-clock-") as folder:
        library = find_library(Path(folder))
        for name in chosen:
            offset = every[name] - datetime.now(UTC)
            print(f"==== {name}: {every[name].astimezone(LONDON):%d %B %Y, %H:%M %Z}", flush=True)
            command = [sys.executable, "-m", "pytest", *ARGUMENTS, *more]
            if subprocess.run(command, env=os.environ | moved_clock(library, offset), check=False).returncode:
                failed.append(name)
    print("Failed: " + ", ".join(failed) if failed else f"Passed at {len(chosen)} moments.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
