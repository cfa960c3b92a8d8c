"""Tables and FHIR as they are imported: read as the API reads them, refused entry by entry, never joined by guess."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from dispensary.management.imports.files import MOST_LINE, read_resources
from dispensary.models import Patient, Prescription, PriorSupply, StaffMember
from tests.dispensary.api.conftest import case
from tests.dispensary.fhir.orders import PATIENT, PRACTITIONER, days, mg, request
from tests.dispensary.management.commands.conftest import import_file

pytestmark = pytest.mark.usefixtures("machine_clock")

HEADER = (
    "patient_number,family_name,given_name,birth_date,prescriber_number,prescriber_name,order_number,written_on,medicine,"
    "strength_mg,form,route,directions,doses_mg,days,quantity,repeats,as_needed"
)
Import = Callable[..., tuple[str, list[dict[str, str]]]]


@pytest.fixture
def run(manager: StaffMember, tmp_path: Path) -> Import:
    """Import a text from a file of a name; what the command says, and the rows of its report."""

    def run(command: str, name: str, text: str | bytes, **options: Any) -> tuple[str, list[dict[str, str]]]:
        file, report = tmp_path / name, tmp_path / "refused.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        output = import_file(command, file, manager, report=report, **options)
        return output, list(csv.DictReader(report.open(newline=""))) if report.exists() else []

    return run


def day(ago: int) -> str:
    return str(timezone.now().date() - timedelta(days=ago))


def row(number: str = "1", order: str = "R1", directions: str = "10 mg three times a day", **changes: str) -> str:
    cells = {
        "patient_number": number, "family_name": f"Family{number}", "given_name": "Ann", "birth_date": "1980-02-29",
        "prescriber_number": "D-1", "prescriber_name": "Dr Ada Grey", "order_number": order, "written_on": day(1),
        "medicine": "Baclofen 10 mg tablets", "strength_mg": "10", "form": "tablet", "route": "oral",
        "directions": directions, "doses_mg": "10 10 10", "days": "28", "quantity": "84", "repeats": "0", "as_needed": "",
    } | changes  # fmt: skip
    text = StringIO()
    csv.writer(text, lineterminator="").writerow([cells[name] for name in HEADER.split(",")])
    return text.getvalue()


def table(*rows: str) -> str:
    return "\n".join([HEADER, *rows]) + "\n"


def sent_order(number: int, **changes: Any) -> dict[str, Any]:
    """A MedicationRequest of a bulk export: it refers to resources that stand elsewhere in the file."""
    own = {
        "id": f"m{number}", "identifier": [{"system": "urn:old", "value": f"M{number}"}], "contained": None,
        "authoredOn": day(1), "subject": {"reference": f"Patient/p{number}"}, "requester": {"reference": "Practitioner/d"},
    }  # fmt: skip
    return request(**own | changes)


def sent_patient(number: int, **changes: Any) -> dict[str, Any]:
    return PATIENT | {"id": f"p{number}", "identifier": [{"value": f"P-{number}"}]} | changes


def ndjson(*resources: Any) -> str:
    return "\n".join(item if isinstance(item, str) else json.dumps(item) for item in resources)


def test_a_table_is_imported_once_and_its_order_has_what_its_cells_say(run: Import) -> None:
    text = table(row(), "", row("2", "R2", directions='"one" tablet, three times a day'))
    assert "2 taken in, 0 here already, 0 refused" in run("import_prescriptions", "orders.csv", text)[0]
    assert "0 taken in, 2 here already" in run("import_prescriptions", "orders.csv", text)[0]
    order = Prescription.objects.get(patient__identifier="1")
    assert (order.quantity, order.repeats, order.strength_mg, order.directions) == (
        84,
        0,
        10,
        "10 mg three times a day",
    )
    phase = order.phases.get()
    assert (list(phase.doses), phase.unit, phase.days) == ([10, 10, 10], "mg", 28)
    assert str(order.patient.birth_date) == "1980-02-29"


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_table_of_another_delimiter_with_a_byte_order_mark_is_read(run: Import, delimiter: str) -> None:
    lines = [delimiter.join(next(csv.reader([line]))) for line in (HEADER, row())]
    output, _ = run("import_prescriptions", "orders.csv", b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert "1 taken in" in output


def test_the_number_of_an_order_that_says_something_else_is_refused(run: Import) -> None:
    run("import_prescriptions", "orders.csv", table(row()))
    for other in (row("2"), row(quantity="42")):
        output, refused = run("import_prescriptions", "orders.csv", table(other))
        assert "0 taken in, 0 here already, 1 refused" in output
        assert [(line["line"], line["field"]) for line in refused] == [("2", "order")]
    assert Patient.objects.count() == Prescription.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"quantity": ""}, "quantity"),
        ({"quantity": "84,5"}, "quantity"),
        ({"quantity": "-1"}, "quantity"),
        ({"quantity": "\u0668\u0664"}, "quantity"),
        ({"repeats": "1.5"}, "repeats"),
        ({"as_needed": "maybe"}, "as_needed"),
        ({"birth_date": "29.02.1980"}, "patient.birth_date"),
        ({"birth_date": "1981-02-29"}, "patient.birth_date"),
        ({"directions": "10 mg \u202e three times"}, "directions"),
        ({"family_name": "x" * 121}, "patient.family_name"),
        ({"doses_mg": "", "days": "28"}, "prescription.phases[0].times_per_day"),
    ],
)
def test_a_cell_that_is_wrong_refuses_its_row_alone(run: Import, changes: dict[str, str], field: str) -> None:
    output, refused = run("import_prescriptions", "orders.csv", table(row(**changes), row("2", "R2")))
    assert "1 taken in, 0 here already, 1 refused" in output
    assert [(line["line"], line["field"]) for line in refused] == [("2", field)]
    assert "Family1" not in str(refused)


def test_a_row_that_is_no_utf_8_or_has_other_cells_is_refused_alone(run: Import) -> None:
    text = (
        table(row(given_name="Jos\u00e9"), row("2", "R2"), row("3", "R3") + ",more")
        .encode()
        .replace(b"\xc3\xa9", b"\xe9")
    )
    output, refused = run("import_prescriptions", "orders.csv", text)
    assert "1 taken in, 0 here already, 2 refused" in output
    assert [(line["line"], line["field"]) for line in refused] == [("2", "given_name"), ("4", "")]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (HEADER + ",colour", "unknown or doubled: colour"),
        (HEADER + ",quantity", "unknown or doubled: quantity, quantity"),
        (HEADER.replace("quantity,", ""), "lacking: quantity"),
        ("", "lacking: patient_number"),
    ],
)
def test_a_table_of_other_columns_is_not_begun(run: Import, header: str, reason: str) -> None:
    output, _ = run("import_prescriptions", "orders.csv", f"{header}\n{row()}\n")
    assert reason in output
    assert not Patient.objects.exists()


def test_a_quote_that_is_not_closed_ends_the_import_with_the_line_to_go_on_from(run: Import) -> None:
    output, _ = run("import_prescriptions", "orders.csv", table(row(), '"2' + row("2", "R2"), row("3", "R3")))
    assert "from line 3 on" in output
    assert "--from-line 3" in output
    assert Prescription.objects.count() == 1


def test_the_columns_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        call_command("import_supplies", "--columns")
    assert end.value.code == 0
    listed = capsys.readouterr().out.splitlines()
    assert "dispensed_on (needed): day of the supply, YYYY-MM-DD" in listed


def test_an_import_that_goes_on_adds_to_its_report(run: Import) -> None:
    text = table(row(quantity=""), row("2", "R2"), row("3", "R3", quantity=""))
    run("import_prescriptions", "orders.csv", text)
    _, refused = run("import_prescriptions", "orders.csv", text, from_line=3)
    assert [line["line"] for line in refused] == ["2", "4", "4"]


def test_supplies_of_a_table_are_recorded(run: Import) -> None:
    text = "patient_number,family_name,dispensed_on,days_supply,doses_mg,strength_mg,relation\n"
    text += f"1,Able,{day(30)},28,10 10 10,10,same-course\n1,Able,{day(2)},28,10 5,10,same-course\n"
    assert "2 taken in" in run("import_supplies", "supplies.csv", text)[0]
    assert "2 here already" in run("import_supplies", "supplies.csv", text)[0]
    assert [list(supply.doses) for supply in PriorSupply.objects.order_by("dispensed_on")] == [[10, 10, 10], [10, 5]]


@pytest.mark.parametrize("as_bundle", [False, True])
def test_fhir_is_imported_with_what_its_orders_refer_to_wherever_it_stands(run: Import, as_bundle: bool) -> None:
    weight = {
        "resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": "Patient/p1"}, "effectiveDateTime": day(3),
        "valueQuantity": {"value": 61, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    }  # fmt: skip
    resources = [
        sent_order(1), sent_order(2), weight, sent_patient(1), PRACTITIONER, sent_patient(2),
        {"resourceType": "Encounter", "id": "e"},
    ]  # fmt: skip
    whole = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": thing} for thing in resources]}
    text = json.dumps(whole, indent=2) if as_bundle else ndjson(*resources)
    output, refused = run("import_prescriptions", "orders.json", text)
    assert "2 taken in, 0 here already, 0 refused" in output
    assert "1 Encounter not read" in output
    assert not refused
    assert "2 here already" in run("import_prescriptions", "orders.json", text)[0]
    weights = Patient.objects.order_by("identifier").values_list("identifier", "weight_kg")
    assert list(weights) == [("P-1", 61), ("P-2", None)]


def test_the_place_in_a_file_of_bundles_only_moves_on() -> None:
    lines = [
        {"resourceType": "Bundle", "entry": [{"resource": sent_order(first + n)} for n in range(3)]} for first in (1, 4)
    ]
    text = ndjson(*lines).encode()
    ends = [entry.end for entry in read_resources(BytesIO(text), "MedicationRequest", Counter())]
    assert (len(ends), ends[2], ends[-1]) == (6, text.index(b"\n") + 1, len(text))
    assert ends == sorted(set(ends))


def test_an_order_without_a_number_is_the_same_order_when_it_comes_again(run: Import) -> None:
    text = ndjson(sent_order(1, identifier=None), sent_patient(1), PRACTITIONER)
    assert "1 taken in" in run("import_prescriptions", "orders.ndjson", text)[0]
    assert "1 here already" in run("import_prescriptions", "orders.ndjson", text)[0]
    assert Prescription.objects.count() == 1
    another = ndjson(sent_order(1, identifier=None), sent_patient(1, identifier=[{"value": "P-9"}]), PRACTITIONER)
    assert "1 refused" in run("import_prescriptions", "orders.ndjson", another)[0]


@pytest.mark.parametrize(
    ("lines", "line", "field"),
    [
        ([sent_order(1), PRACTITIONER], "1", "MedicationRequest.subject.reference"),
        ([sent_patient(1), sent_patient(1, gender="male"), PRACTITIONER, sent_order(1)], "4", "reference"),
        ([sent_patient(1), PRACTITIONER, sent_order(1, status="completed")], "3", "MedicationRequest.status"),
        ([sent_patient(1, name=[]), PRACTITIONER, sent_order(1)], "3", "Patient.name"),
        ([sent_patient(1), PRACTITIONER, '{"resourceType": "MedicationRequest"'], "3", ""),
        ([sent_patient(1), PRACTITIONER, "[]"], "3", ""),
        ([sent_patient(1), PRACTITIONER, json.dumps({"resourceType": "x" * MOST_LINE})], "3", ""),
    ],
    ids=["nobody", "two patients", "ended", "no name", "half a line", "a list", "a long line"],
)
def test_fhir_in_doubt_is_refused_by_its_line(run: Import, lines: list[Any], line: str, field: str) -> None:
    output, refused = run("import_prescriptions", "orders.ndjson", ndjson(*lines))
    assert "0 taken in, 0 here already, 1 refused" in output
    assert {(row["line"], row["field"]) for row in refused} == {(line, field)}
    assert not Patient.objects.exists()


def test_an_address_before_a_reference_and_names_of_a_bundle_are_followed(run: Import) -> None:
    person = {"fullUrl": "urn:uuid:0a1b", "resource": sent_patient(1, id=None)}
    order = sent_order(1) | {
        "subject": {"reference": "urn:uuid:0a1b"}, "requester": {"reference": "https://old.example/fhir/Practitioner/d"},
    }  # fmt: skip
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [person, {"resource": PRACTITIONER}, {"resource": order}],
    }
    output, refused = run("import_prescriptions", "orders.json", json.dumps(bundle))
    assert ("1 taken in" in output, refused) == (True, [])


def test_a_fact_about_somebody_in_itself_is_of_nobody_else(run: Import) -> None:
    weight = {
        "resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": "#p"}, "contained": [sent_patient(2, id="p")], "effectiveDateTime": day(3),
        "valueQuantity": {"value": 61, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    }  # fmt: skip
    order = sent_order(1, subject={"reference": "#p"}, contained=[sent_patient(1, id="p")])
    output, _ = run("import_prescriptions", "orders.ndjson", ndjson(order, weight, PRACTITIONER))
    assert "1 taken in" in output
    assert Patient.objects.get().weight_kg is None


def test_supplies_in_fhir_are_recorded(run: Import) -> None:
    medicine = {"resourceType": "Medication", "id": "b", "code": {"text": "Baclofen 10 mg tablets"}}
    supply = {
        "resourceType": "MedicationDispense", "status": "completed", "subject": {"reference": "Patient/p1"},
        "medicationReference": {"reference": "Medication/b"}, "whenHandedOver": f"{day(30)}T10:00:00Z",
        "dosageInstruction": [{"timing": {"repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}},
                               "doseAndRate": [{"doseQuantity": mg(10)}]}],
    }  # fmt: skip
    counted_in_days = supply | {"daysSupply": days(28)}
    counted_in_tablets = supply | {"quantity": {"value": 87}, "whenHandedOver": f"{day(60)}T10:00:00Z"}
    without = supply | {"whenHandedOver": f"{day(90)}T10:00:00Z"}
    stopped = counted_in_days | {"status": "cancelled"}
    text = ndjson(counted_in_days, counted_in_tablets, without, stopped, sent_patient(1), medicine)
    output, refused = run("import_supplies", "supplies.ndjson", text)
    assert "2 taken in, 0 here already, 2 refused" in output
    assert [(line["line"], line["field"]) for line in refused] == [
        ("3", "MedicationDispense"),
        ("4", "MedicationDispense.status"),
    ]
    supplies = PriorSupply.objects.order_by("dispensed_on")
    assert [(str(row.dispensed_on), row.days_supply, list(row.doses)) for row in supplies] == [
        (day(60), 29, [10, 10, 10]), (day(30), 28, [10, 10, 10]),
    ]  # fmt: skip


def test_a_supply_of_doses_in_micrograms_is_recorded_in_milligrams(run: Import) -> None:
    supply = {
        "resourceType": "MedicationDispense", "status": "completed", "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {"text": "Baclofen 10 mg tablets"}, "whenHandedOver": day(30), "quantity": {"value": 85},
        "dosageInstruction": [{"timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
                               "doseAndRate": [{"doseQuantity": {"value": 15000, "unit": "ug"}}]}],
    }  # fmt: skip
    assert "1 taken in" in run("import_supplies", "supplies.ndjson", ndjson(supply, sent_patient(1)))[0]
    recorded = PriorSupply.objects.get()
    assert (recorded.days_supply, list(recorded.doses)) == (28, [15, 15])


@pytest.mark.parametrize("contained", [5, [5], [{}], [{"id": "p"}]], ids=str)
def test_a_supply_that_holds_what_is_no_resource_refuses_its_line_alone(run: Import, contained: Any) -> None:
    supply = {
        "resourceType": "MedicationDispense", "status": "completed", "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": {"text": "Baclofen 10 mg tablets"}, "whenHandedOver": day(30), "daysSupply": days(28),
        "dosageInstruction": [{"timing": {"repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}},
                               "doseAndRate": [{"doseQuantity": mg(10)}]}],
    }  # fmt: skip
    other = supply | {"whenHandedOver": day(60)}
    output, refused = run(
        "import_supplies", "supplies.ndjson", ndjson(supply | {"contained": contained}, other, sent_patient(1))
    )
    is_fhir = isinstance(contained, list) and isinstance(contained[0], dict)
    assert ("2 taken in" if is_fhir else "1 taken in, 0 here already, 1 refused") in output
    assert [row["field"].startswith("MedicationDispense.contained") for row in refused] == [True] * (not is_fhir)


def test_a_report_holds_no_formula(run: Import) -> None:
    _, refused = run("import_supplies", "supplies.jsonl", json.dumps({"patient": {}, "supplies": [], "=1+1": ""}))
    assert "'=1+1" in [row["field"] for row in refused]


def test_a_report_never_takes_the_place_of_the_file(manager: StaffMember, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(table(row()))
    with pytest.raises(CommandError, match="Name another file"):
        call_command(
            "import_prescriptions", str(file), by=manager.user.get_username(), report=tmp_path / "." / "orders.csv"
        )
    assert file.read_text() == table(row())


def test_an_order_with_an_empty_number_is_refused(run: Import) -> None:
    line = {
        "patient": {"identifier": "1", "family_name": "Able"}, "prescriber": {"identifier": "D-1", "name": "Dr Grey"},
        "order": {"identifier": " "}, "case": case(),
    }  # fmt: skip
    _, refused = run("import_prescriptions", "orders.jsonl", json.dumps(line))
    assert [row["field"] for row in refused] == ["order.identifier"]
