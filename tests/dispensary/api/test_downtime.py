"""The downtime form over REST, and what was handed over meanwhile."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.utils import timezone
from pypdf import PdfReader

from dispensary.models import AuditEntry, Dispense, Prescription, WorklistItem
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller, fields, hand_over, problem

pytestmark = pytest.mark.django_db


def test_a_technician_prints_the_form_of_the_pharmacy(technician: Caller, prescription: Prescription) -> None:
    answer = technician.get("downtime/form.pdf?days=3&paper=letter")
    assert answer["Content-Type"] == "application/pdf"
    page = PdfReader(BytesIO(answer.content)).pages[0]
    assert round(float(page.mediabox.width)) == 612
    assert prescription.patient.family_name in page.extract_text()
    opened = AuditEntry.objects.filter(action="patient.opened", patient_ref=str(prescription.patient_id))
    assert opened.count() == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [("days=0", "days"), ("days=32", "days"), ("days=x", "days"), ("paper=a5", "paper"), ("day=3", "day")],
)
def test_what_cannot_be_read_is_refused_by_name(technician: Caller, query: str, field: str) -> None:
    assert fields(technician.get(f"downtime/form.pdf?{query}")) == {field}
    assert not AuditEntry.objects.filter(action="downtime.printed").exists()


def line(**changes: Any) -> dict[str, Any]:
    at = (timezone.now() - timedelta(hours=20)).isoformat()
    return hand_over(handed_over_at=at, handed_over_by="Pat Locum") | changes


def send(caller: Caller, prescription: Prescription, body: dict[str, Any], key: str = "line-1") -> Any:
    return caller.post(f"prescriptions/{prescription.pk}/late-dispenses/", body, Idempotency_Key=key)


def test_a_line_is_recorded_once_with_its_true_time(technician: Caller, prescription: Prescription) -> None:
    body = line(words="The clinic agreed.")
    first = send(technician, prescription, body)
    assert first.status_code == 201, first.content
    assert send(technician, prescription, body).json() == first.json()
    done = first.json()
    assert done["handed_over_at"][:16] == body["handed_over_at"][:16]
    assert (done["dispenser_name"], done["late_words"]) == ("Pat Locum", "The clinic agreed.")
    assert done["recorded_at"] is not None
    assert Dispense.objects.count() == 1


def test_two_packs_are_recorded_together(technician: Caller, prescription: Prescription) -> None:
    packs = [{"gtin": make.TEN_MG, "lot": lot, "quantity": 21} for lot in ("A1", "B2")]
    body = {name: value for name, value in line(packs=packs).items() if name != "pack"}
    done = send(technician, prescription, body)
    assert [pack["lot"] for pack in done.json()["packs"]] == ["A1", "B2"]


def test_no_rule_stops_it_and_its_findings_are_shown(technician: Caller, too_high: Prescription) -> None:
    done = send(technician, too_high, line(quantity=294))
    assert done.status_code == 201, done.content
    review = technician.get(f"reviews/{done.json()['review']}/").json()
    assert "daily-maximum" in {finding["code"] for finding in review["findings"]}


def test_fhir_says_that_it_was_recorded_late(technician: Caller, prescription: Prescription) -> None:
    done = send(technician, prescription, line(words="The clinic agreed.")).json()
    resource = technician.get(f"fhir/MedicationDispense/{done['id']}").json()
    (extension,) = resource["extension"]
    assert extension["url"].endswith("MedicationDispense.recorded")
    assert extension["valueDateTime"][:19] == done["recorded_at"][:19]
    assert resource["note"][0]["text"].startswith("Recorded late, at ")
    assert resource["note"][0]["text"].endswith(": The clinic agreed.")
    assert resource["whenHandedOver"][:16] == done["handed_over_at"][:16]
    assert resource["performer"] == [{"actor": {"display": "Pat Locum"}}]
    provenance = technician.get(f"fhir/Provenance/{done['id']}").json()
    assert provenance["recorded"][:19] == done["recorded_at"][:19]
    assert {agent["who"]["display"] for agent in provenance["agent"]} >= {"Pat Locum", done["recorder_name"]}


def test_a_hand_over_of_the_counter_is_not_marked(pharmacist: Caller, prescription: Prescription) -> None:
    done = pharmacist.post(f"prescriptions/{prescription.pk}/dispenses/", hand_over(), Idempotency_Key="now").json()
    assert (done["recorded_at"], done["recorder_name"], done["late_words"]) == (None, "", "")
    resource = pharmacist.get(f"fhir/MedicationDispense/{done['id']}").json()
    assert not {"extension", "note"} & set(resource)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"handed_over_at": "2026-11-21T10:00:00"}, "handed_over_at"),
        ({"handed_over_at": "yesterday"}, "handed_over_at"),
        ({"handed_over_at": 5}, "handed_over_at"),
        ({"handed_over_at": ...}, "handed_over_at"),
        ({"handed_over_by": ""}, "handed_over_by"),
        ({"handed_over_by": ...}, "handed_over_by"),
        ({"quantity": 0}, "quantity"),
        ({"pack": {"gtin": "1"}}, "pack.gtin"),
        ({"words": "x" * 2001}, "words"),
        ({"proof": {}}, "proof"),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value)[:40],
)
def test_what_cannot_be_read_is_named(
    technician: Caller, prescription: Prescription, changes: dict[str, Any], field: str
) -> None:
    body = {name: value for name, value in line(**changes).items() if value is not ...}
    assert fields(send(technician, prescription, body)) == {field}
    assert not Dispense.objects.exists()


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), -timedelta(days=14, minutes=5)], ids=["to come", "long ago"])
def test_a_time_that_cannot_be_is_refused(technician: Caller, prescription: Prescription, ahead: timedelta) -> None:
    answer = send(technician, prescription, line(handed_over_at=(timezone.now() + ahead).isoformat()))
    assert "handed_over_at" in fields(answer)


def test_the_same_line_with_another_key_is_recorded_already(technician: Caller, prescription: Prescription) -> None:
    body = line()
    send(technician, prescription, body)
    assert (
        problem(send(technician, prescription, body, "line-2"), 409)["detail"] == "This hand-over is recorded already."
    )


def test_a_technician_may_not_review_it(technician: Caller, pharmacist: Caller, prescription: Prescription) -> None:
    send(technician, prescription, line())
    (work,) = [row for row in technician.get("work/").json()["results"] if row["kind"] == "late-entry"]
    where = f"work/{work['id']}/resolve/"
    problem(technician.post(where, {"resolution": "reviewed"}), 403)
    assert pharmacist.post(where, {"resolution": "reviewed", "note": "Right."}).json()["state"] == "resolved"


def test_other_work_is_not_reviewed(technician: Caller, pharmacist: Caller, prescription: Prescription) -> None:
    now = timezone.now()
    work = WorklistItem.objects.create(
        pharmacy=prescription.pharmacy,
        patient=prescription.patient,
        kind="reply",
        reason="wrote",
        opened_at=now,
        due_by=now,
    )
    assert fields(pharmacist.post(f"work/{work.pk}/resolve/", {"resolution": "reviewed"})) == {"resolution"}
