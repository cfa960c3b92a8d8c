"""The audit log beside what people use today, and its search at size: `make bench-audit ENTRIES=1000000`.

Everything is measured in one run on a server of its own, the variants interleaved round by round; what counts are medians
of ratios, since a busy machine slows all of them alike. CPU is that of the client and of the database's process together.
With `--state FILE` each part is kept when it is done, and a run that was stopped goes on with the next part.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.db import connection

from tests.benchmarks.audit_bars import Bar, server  # first of ours: it sets Django up
from tests.benchmarks.audit_checking import checking
from tests.benchmarks.audit_searching import search
from tests.benchmarks.audit_writing import compare, writers
from tests.site import Database

PARTS = ("compare", "writers", "verify", "search")
Answer = tuple[list[Bar], list[str]]


def parts(database: Database, folder: Path, options: argparse.Namespace) -> dict[str, Callable[[], Answer]]:
    """The function of each part; it gives its bars, and a table where it has one."""
    return {
        "compare": lambda: compare(database, options.rounds, options.count),
        "writers": lambda: (writers(database, folder, options.seconds), []),
        "verify": lambda: (checking(database, folder, options.verify, options.seconds), []),
        "search": lambda: search(database, options.entries),
    }


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Run the parts that are asked for and not in the state file yet; give them all, with the machine they ran on."""
    state: Path | None = options.state
    results: dict[str, Any] = json.loads(state.read_text()) if state and state.exists() else {}
    missing = [part for part in options.parts if part not in results]
    if not missing:
        return results
    with tempfile.TemporaryDirectory(prefix="dispensary-bench-") as name, server(Path(name)) as database:
        Path(name).chmod(0o755)
        for part in missing:
            about = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {machine()}, load {os.getloadavg()[0]:.1f} at the start"
            bars, table = parts(database, Path(name), options)[part]()
            if part == "search":
                size = f"Search, {options.entries:,} entries, 20 pharmacies, 24 months, cached, CPU of the database:"
                table = [size, "", *table]
            results[part] = {"about": about, "bars": [asdict(bar) for bar in bars], "table": table}
            if state:
                state.write_text(json.dumps(results, indent=1))
            print(f"{part}: done", flush=True)
    return results


def machine() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        version = str(cursor.fetchone()[0])
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, PostgreSQL {version}"


def main() -> None:
    """Print the tables and the bars, and which of them hold. The exit status says only whether the run succeeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000, help="size of the search fixture")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of the side-by-side comparison")
    parser.add_argument("--count", type=int, default=200, help="dispenses a variant and round")
    parser.add_argument("--seconds", type=float, default=4, help="length of each throughput run")
    parser.add_argument("--verify", type=int, default=100_000, help="entries of the log that is sealed and verified")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="which parts to run (default: all)")
    parser.add_argument("--state", type=Path, help="file that keeps the parts that are done")
    options = parser.parse_args()
    results = measured(options)
    bars: list[Bar] = []
    for part in options.parts:
        print("\n".join(["", f"{part}: {results[part]['about']}", "", *results[part]["table"]]))
        bars += [Bar(**bar) for bar in results[part]["bars"]]
    print("\n| bar | demand | measured | holds |\n|---|---|---|---|")
    print("\n".join(bar.line() for bar in bars))
    holding, undecided = (sum(bar.holds is answer for bar in bars) for answer in (True, None))
    print(f"\n{holding} of {len(bars)} bars hold, {undecided} undecided.")


if __name__ == "__main__":
    main()
