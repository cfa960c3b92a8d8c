"""Orders and supplies of the day a pharmacy starts with us: tried, imported, imported again, refused line by line."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from dispensary.models import Patient, Pharmacy, Prescription, PriorSupply, StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller, case
from tests.dispensary.management.commands.conftest import import_file
from tests.site import ROOT, Site
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("machine_clock")


def supply(number: str, days_ago: int, days: int = 28, **changes: Any) -> dict[str, Any]:
    on = timezone.now().date() - timedelta(days=days_ago)
    item = {
        "dispensed_on": str(on), "doses": [10, 10, 10], "strength_mg": 10, "days_supply": days, "relation": "same-course",
        "dose_since": str(on - timedelta(days=90)),
    }  # fmt: skip
    return {
        "patient": {"identifier": number, "family_name": f"Family{number}", "given_name": "Ann"},
        "supplies": [item | changes],
    }


def order(number: str) -> dict[str, Any]:
    person = {"identifier": number, "family_name": f"Family{number}", "given_name": "Ann"}
    return {"patient": person, "prescriber": {"identifier": "D-1", "name": "Dr Ada Grey"}, "case": case()}


def imported(command: str, lines: list[Any], manager: StaffMember, folder: Path, **options: Any) -> str:
    """Import lines from a file; what the command says."""
    file = folder / "lines.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return import_file(command, file, manager, **options)


@pytest.mark.parametrize(
    ("command", "lines", "model"),
    [
        ("import_supplies", [supply("1", 5), supply("2", 30)], PriorSupply),
        ("import_prescriptions", [order("1"), order("2")], Prescription),
    ],
)
def test_lines_are_tried_then_imported_once(
    manager: StaffMember, tmp_path: Path, command: str, lines: list[Any], model: Any
) -> None:
    assert "Nothing was written. 2 taken in, 0 here already, 0 refused" in imported(
        command, lines, manager, tmp_path, dry_run=True
    )
    assert (model.objects.count(), Patient.objects.count()) == (0, 0)
    assert "2 taken in" in imported(command, [lines[0], "", lines[1]], manager, tmp_path)
    assert "0 taken in, 2 here already, 0 refused" in imported(command, lines, manager, tmp_path)
    assert (model.objects.count(), Patient.objects.count()) == (2, 2)


def test_an_import_that_ended_early_goes_on_at_its_line(manager: StaffMember, tmp_path: Path) -> None:
    lines = [supply(str(number), 5) for number in range(4)]
    assert "1 taken in" in imported("import_supplies", lines[:1], manager, tmp_path)
    assert "3 taken in, 0 here already" in imported("import_supplies", lines, manager, tmp_path, from_line=2)


@pytest.mark.parametrize(
    ("command", "line", "field"),
    [
        ("import_supplies", "{", ""),
        ("import_supplies", "[]", ""),
        ("import_supplies", {"patient": {"identifier": "1"}}, "supplies"),
        ("import_supplies", supply("1", 5) | {"colour": "red"}, "colour"),
        ("import_supplies", supply("1", 5) | {"patient": {"identifier": 7}}, "patient.identifier"),
        ("import_supplies", supply("1", 5) | {"patient": {"identifier": "7"}}, "patient.identifier"),
        ("import_supplies", supply("1", 5) | {"patient": {"identifier": "1" * 65, "family_name": "X"}}, "patient.identifier"),
        ("import_supplies", supply("1", 5) | {"supplies": {}}, "supplies"),
        ("import_supplies", supply("1", 5, days_supply=0), "history[0].days_supply"),
        ("import_supplies", supply("1", -5), "history[0].dispensed_on"),
        ("import_prescriptions", order("1") | {"case": []}, "case"),
        ("import_prescriptions", order("1") | {"case": case() | {"on": "2026-01-01"}}, "case"),
        ("import_prescriptions", order("1") | {"case": case(quantity=-1)}, "prescription.quantity"),
    ],
)  # fmt: skip
def test_a_line_that_is_refused_is_named_in_the_report_and_the_others_go_on(
    manager: StaffMember, tmp_path: Path, command: str, line: Any, field: str
) -> None:
    good = supply("9", 5) if command == "import_supplies" else order("9")
    report = tmp_path / "refused.csv"
    output = imported(command, [line, good], manager, tmp_path, report=report)
    assert "1 taken in, 0 here already, 1 refused" in output
    assert "1 entry was refused; mend what is wrong" in output
    rows = list(csv.DictReader(report.open()))
    assert [(row["line"], row["field"]) for row in rows] == [("1", field)]
    assert rows[0]["expected"]


def test_nothing_is_imported_by_somebody_without_a_role(shop: Pharmacy, tmp_path: Path) -> None:
    auditor = make.staff(shop, StaffRole.AUDITOR, now=timezone.now())
    assert "is no active manager or pharmacist" in imported("import_supplies", [supply("1", 5)], auditor, tmp_path)
    assert not Patient.objects.exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_on_the_first_day_the_list_names_who_runs_out(site: Site, tmp_path: Path) -> None:
    """The drill of the day a pharmacy starts, from a shell: what the old system says is tried, imported, imported again."""
    now = timezone.now()
    make.products()
    boss = make.staff(make.pharmacy(now=now, time_zone="UTC"), StaffRole.MANAGER, now=now)
    supplies, orders = tmp_path / "supplies.csv", tmp_path / "orders.jsonl"
    columns = "patient_number,family_name,given_name,dispensed_on,days_supply,doses_mg,strength_mg,dose_since,relation"
    rows = [
        f"{number},Family{number},Ann,{now.date() - timedelta(days=ago)},28,10 10 10,10,{now.date() - timedelta(days=99)},same-course"
        for number, ago in enumerate((30, 28, 27, 2), start=1)
    ]
    supplies.write_text("\n".join([columns, *rows, "5,Family5,Ann,yesterday,28,10,10,,same-course"]))
    orders.write_text(json.dumps(order("1")))

    def manage(command: str, file: Path, *words: object) -> subprocess.CompletedProcess[str]:
        return site.manage(command, file, "--by", boss.user.get_username(), *words)

    report = tmp_path / "refused.csv"
    tried = manage("import_supplies", supplies, "--dry-run", "--report", report)
    assert (tried.returncode, tried.stdout.split(";")[0]) == (
        1, "Nothing was written. 4 taken in, 0 here already, 1 refused",
    )  # fmt: skip
    assert "Traceback" not in tried.stderr
    assert [(row["line"], row["field"]) for row in csv.DictReader(report.open())] == [("6", "history[0].dispensed_on")]
    assert not Patient.objects.exists()
    assert manage("import_supplies", supplies).stdout.startswith("4 taken in, 0 here already, 1 refused")
    assert manage("import_supplies", supplies, "--from-line", 4).stdout.startswith(
        "0 taken in, 2 here already, 1 refused"
    )
    taken = manage("import_prescriptions", orders)
    assert (taken.returncode, taken.stderr) == (0, "")
    assert taken.stdout.startswith("1 taken in")
    listed = Caller(boss).get("withdrawal-risk/").json()  # type: ignore[attr-defined]  # the test client sets it on each response
    days = {row["name"].split(",")[0]: row["days_without"] for row in listed}
    assert {name: days.get(name) for name in ("Family1", "Family2")} == {"Family1": 2, "Family2": 0}
    assert "Family4" not in days


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_import_that_is_stopped_says_where_to_go_on_and_nothing_is_lost(
    stop: signal.Signals, site: Site, tmp_path: Path
) -> None:
    now = timezone.now()
    shop = make.pharmacy(now=now, time_zone="UTC")
    boss = make.staff(shop, StaffRole.MANAGER, now=now)
    known = make.patient(shop, identifier="4", family_name="Family4", given_name="Ann", now=now)
    file, report = tmp_path / "supplies.jsonl", tmp_path / "refused.csv"
    lines = [json.dumps(supply(str(number), 5)) for number in range(1, 7)]
    file.write_text("\n".join([*lines[:2], "[]", *lines[2:]]))
    words = (
        "import_supplies",
        str(file),
        "--by",
        boss.user.get_username(),
        "--report",
        str(report),
        "--pharmacy",
        str(shop.pk),
    )
    recorded = PriorSupply.objects.filter(patient__pharmacy=shop)
    with transaction.atomic():
        Patient.objects.select_for_update().get(pk=known.pk)  # the import waits here, at the fifth line
        process = subprocess.Popen(
            [sys.executable, "manage.py", *words],
            cwd=ROOT, env=site.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        wait_until(lambda: recorded.count() == 3, 120)
        process.send_signal(stop)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "Stopped at line 5. Before it: 3 taken in, 0 here already, 1 refused. Go on with --from-line 5." in errors
    assert site.manage(*words, "--from-line", 5).stdout.startswith("3 taken in, 0 here already, 0 refused")
    assert recorded.count() == 6
    assert [row["line"] for row in csv.DictReader(report.open())] == ["3"]
