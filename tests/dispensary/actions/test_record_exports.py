"""Exports of orders, hand-overs and findings: complete, in pages, as CSV and as lines, and no line of another pharmacy."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from dispensary.actions import long_exports, record_tables
from dispensary.actions.record_tables import RecordKind
from dispensary.errors import Conflict, NotAllowed
from dispensary.models import Dispense, Finding, LogExport, Patient, Pharmacy, Prescription, StaffRole
from tests.dispensary import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Pharmacy:
    """A pharmacy that handed over three orders, of which one needed an answer."""
    make.products()
    shop = make.pharmacy()
    by = make.staff(shop).actor()
    for number in range(2):
        make.hand_over(make.prescription(make.patient(shop, family_name=f"Person {number}")), by)
    above = make.prescription(
        make.patient(shop, family_name="=1+1"), quantity=294,
        phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="35 mg three times a day for 28 days",
    )  # fmt: skip
    make.hand_over(above, by)
    return shop


def export(shop: Pharmacy, kind: RecordKind, **period: Any) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Ask for an export, prepare it page by page, and open it; the rows of its CSV and of its lines."""
    by = make.staff(shop, StaffRole.MANAGER).actor()
    asked = long_exports.request_records(
        kind=kind, pharmacy=shop, purpose="another system", by=by, now=make.NOW, **period
    )
    assert long_exports.prepare_next(lambda: make.NOW)
    with long_exports.open_export(export_id=asked.pk, by=by, now=make.NOW) as file:
        archive = zipfile.ZipFile(io.BytesIO(file.read()))
    table = list(csv.DictReader(io.StringIO(archive.read(f"{kind}.csv").decode())))
    lines = [json.loads(line) for line in archive.read(f"{kind}.ndjson").decode().splitlines()]
    described = json.loads(archive.read("datapackage.json"))["resources"][0]["schema"]["fields"]
    assert [field["name"] for field in described] == list(table[0]) if table else True
    return table, lines


@pytest.mark.parametrize(
    ("kind", "model", "key"),
    [
        (RecordKind.ORDERS, Prescription, "order_id"),
        (RecordKind.DISPENSES, Dispense, "dispense_id"),
        (RecordKind.FINDINGS, Finding, "review_id"),
    ],
)
@pytest.mark.parametrize("page", [1, 2, 500])
def test_every_row_is_exported_once_in_pages_of_any_size(
    shop: Pharmacy, monkeypatch: pytest.MonkeyPatch, kind: RecordKind, model: Any, key: str, page: int
) -> None:
    monkeypatch.setattr(record_tables, "PAGE", page)
    make.hand_over(make.prescription(make.patient(other := make.pharmacy("Elsewhere"))), make.staff(other).actor())
    table, lines = export(shop, kind)
    own = "review__pharmacy" if model is Finding else "pharmacy"
    ids = model.objects.filter(**{own: shop}).values_list("review_id" if model is Finding else "pk", flat=True)
    assert sorted(row[key] for row in table) == sorted(map(str, ids)) == sorted(line[key] for line in lines)


def test_an_order_and_its_hand_over_say_what_was_recorded(shop: Pharmacy) -> None:
    patient = Patient.objects.get(family_name="Person 0")
    orders, _ = export(shop, RecordKind.ORDERS)
    order = next(row for row in orders if row["patient_id"] == str(patient.pk))
    assert (order["patient_number"], order["family_name"], order["birth_date"]) == (
        patient.identifier,
        "Person 0",
        "1981-05-02",
    )
    (stored,) = patient.prescriptions.all()
    assert (order["directions"], order["quantity"]) == (stored.directions, f"{stored.quantity.normalize():f}")
    assert order["phases"].startswith("5 5 5 mg x ") or "mg x" in order["phases"]
    dispenses, lines = export(shop, RecordKind.DISPENSES)
    dispense = next(row for row in dispenses if row["order_id"] == str(stored.pk))
    assert dispense["run_out_on"] == str(stored.dispenses.get().run_out_on)
    assert json.loads(dispense["packs"])[0]["gtin"] == stored.dispenses.get().product_id
    assert next(line for line in lines if line["order_id"] == str(stored.pk))["ended_utc"] is None


def test_a_finding_stands_with_the_answer_that_was_used(shop: Pharmacy) -> None:
    rows, _ = export(shop, RecordKind.FINDINGS)
    answered = [row for row in rows if row["rule"] == "daily-maximum" and row["dispense_id"]]
    assert answered and all(row["answered_by"] and row["answer_code"] for row in answered)


def test_a_cell_that_a_spreadsheet_would_run_is_guarded_and_the_line_is_not(shop: Pharmacy) -> None:
    table, lines = export(shop, RecordKind.ORDERS)
    assert "'=1+1" in {row["family_name"] for row in table}
    assert "=1+1" in {line["family_name"] for line in lines}


@pytest.mark.parametrize(
    ("since", "until", "count"),
    [(timedelta(), None, 3), (timedelta(seconds=1), None, 0), (None, timedelta(), 3), (None, -timedelta(seconds=1), 0)],
)
def test_a_period_chooses_by_the_moment_of_the_record(
    shop: Pharmacy, since: timedelta | None, until: timedelta | None, count: int
) -> None:
    period = {name: make.NOW + offset for name, offset in (("since", since), ("until", until)) if offset is not None}
    assert len(export(shop, RecordKind.ORDERS, **period)[0]) == count


def test_nothing_is_exported_by_a_pharmacist_or_twice_at_once(shop: Pharmacy) -> None:
    asked = {"kind": RecordKind.ORDERS, "pharmacy": shop, "purpose": "", "now": make.NOW}
    with pytest.raises(NotAllowed):
        long_exports.request_records(**asked, by=make.staff(shop).actor())
    manager = make.staff(shop, StaffRole.MANAGER).actor()
    with pytest.raises(NotAllowed):
        long_exports.request_records(**asked | {"pharmacy": make.pharmacy("Elsewhere")}, by=manager)
    long_exports.request_records(**asked, by=manager)
    with pytest.raises(Conflict):
        long_exports.request_records(**asked, by=manager)


@pytest.mark.usefixtures("machine_clock")
def test_the_command_writes_the_file_and_refuses_one_that_exists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make.products()
    shop = make.pharmacy()
    make.prescription(make.patient(shop))
    boss = make.staff(shop, StaffRole.MANAGER).user.get_username()
    file = tmp_path / "orders.zip"
    call_command("export_records", "orders", str(file), by=boss, purpose="removal")
    assert capsys.readouterr().out.startswith(f"1 orders in {file}")
    assert "orders.csv" in zipfile.ZipFile(file).namelist()
    with pytest.raises(CommandError, match="File exists"):
        call_command("export_records", "orders", str(file), by=boss, purpose="removal")
    clerk = make.staff(shop, StaffRole.TECHNICIAN).user.get_username()
    with pytest.raises(CommandError, match="no active manager"):
        call_command("export_records", "orders", str(tmp_path / "b.zip"), by=clerk, purpose="removal")
    LogExport.objects.all().delete()
