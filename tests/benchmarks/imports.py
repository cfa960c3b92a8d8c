"""Imports of orders and supplies by a process of their own: lines a second, and the memory as the file goes on: `make bench-imports`."""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings_dispense"

from tests.benchmarks.audit_bars import server  # isort: skip  # first of ours: it sets Django up
import psutil
from django.utils import timezone

from dispensary.models import StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.fhir.orders import PATIENT, PRACTITIONER, request
from tests.site import Database, Site

ORDERS = (
    "patient_number", "family_name", "given_name", "birth_date", "prescriber_number", "prescriber_name", "written_on", "medicine",
    "strength_mg", "form", "route", "directions", "quantity",
)  # fmt: skip
SUPPLIES = (
    "patient_number", "family_name", "dispensed_on", "days_supply", "doses_mg", "strength_mg", "relation",
)  # fmt: skip


def order_rows(count: int, day: str) -> Iterator[tuple[Any, ...]]:
    """Yield an order for each of `count` patients, as ORDERS names its cells."""
    for number in range(count):
        person = (f"B-{number}", f"Family{number}", "Ann", f"19{number % 90 + 10}-0{number % 9 + 1}-1{number % 10}")
        prescriber = (f"D-{number % 200}", f"Dr Grey {number % 200}")
        order = (day, "Baclofen 10 mg tablets", 10, "tablet", "oral", "10 mg three times a day", 84)
        yield (*person, *prescriber, *order)


def supply_rows(count: int, day: str) -> Iterator[tuple[Any, ...]]:
    """Yield a supply for each of `count` patients, as SUPPLIES names its cells."""
    for number in range(count):
        yield (f"B-{number}", f"Family{number}", day, 28, "10 10 10", 10, "same-course")


def resources(count: int, day: str) -> Iterator[dict[str, Any]]:
    """Yield a Patient and a MedicationRequest for each of `count` patients, and their Practitioner."""
    yield PRACTITIONER
    for number in range(count):
        yield PATIENT | {
            "id": f"p{number}",
            "identifier": [{"value": f"F-{number}"}],
            "name": [{"family": f"Fhir{number}"}],
        }
        order = request(
            subject={"reference": f"Patient/p{number}"}, requester={"reference": "Practitioner/d"}, contained=None, authoredOn=day
        )  # fmt: skip
        yield order | {"identifier": [{"system": "urn:bench", "value": str(number)}]}


def run_import(database: Database, command: str, file: Path, username: str) -> tuple[float, float, list[float], str]:
    """Run an import; return its seconds, those of its CPU, its memory in MB ten times a second, and what it says."""
    environment = Site(database, "redis://127.0.0.1:1").environment(HTTPS="no", DISPENSARY_RUN_DIR="/nonexistent")
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "manage.py", command, str(file), "--by", username],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    megabytes, cpu = [], 0.0
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            megabytes.append(watched.memory_info().rss / 1e6)
            cpu = sum(watched.cpu_times()[:2])
        time.sleep(0.1)
    assert process.stdout is not None
    output = process.stdout.read().strip()
    return time.monotonic() - started, cpu, megabytes, output


def main() -> None:
    """Print a row for each import. The exit status says only whether the run succeeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=20_000)
    count = parser.parse_args().lines
    with tempfile.TemporaryDirectory(prefix="dispensary-bench-") as name, server(Path(name)) as database:
        folder = Path(name)
        folder.chmod(0o755)
        make.products()
        member: StaffMember = make.staff(make.pharmacy(now=timezone.now()), StaffRole.MANAGER, now=timezone.now())
        day = str(timezone.now().date() - timedelta(days=2))
        for file_name, header, rows in (
            ("orders.csv", ORDERS, order_rows(count, day)), ("supplies.csv", SUPPLIES, supply_rows(count, day)),
        ):  # fmt: skip
            with (folder / file_name).open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(header)
                writer.writerows(rows)
        with (folder / "orders.ndjson").open("w") as file:
            file.writelines(f"{json.dumps(resource)}\n" for resource in resources(count, day))
        username = member.user.get_username()
        print(
            f"{count} lines, load before {os.getloadavg()[0]:.1f}\n\n"
            "| import | lines a second | CPU of Python a line, ms | memory in the second quarter, MB | most in the last, MB |\n"
            "|---|---|---|---|---|"
        )
        (folder / "none.jsonl").write_text("\n{}\n")
        start_up = run_import(database, "import_supplies", folder / "none.jsonl", username)[1]
        for label, command, file_name in (
            ("orders, CSV", "import_prescriptions", "orders.csv"),
            ("the same again", "import_prescriptions", "orders.csv"),
            ("supplies, CSV", "import_supplies", "supplies.csv"),
            ("orders, FHIR as NDJSON", "import_prescriptions", "orders.ndjson"),
        ):  # fmt: skip
            seconds, cpu, megabytes, output = run_import(database, command, folder / file_name, username)
            assert "0 refused" in output, output
            quarter = max(len(megabytes) // 4, 1)
            second, last = statistics.median(megabytes[quarter : 2 * quarter] or megabytes), max(megabytes[-quarter:])
            a_line = (cpu - start_up) / count * 1000
            print(f"| {label} | {count / seconds:.0f} | {a_line:.1f} | {second:.0f} | {last:.0f} |", flush=True)


if __name__ == "__main__":
    main()
