"""A patient's file: prepared for one manager, read and released by another, and nothing but what was released is sent."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import jsonschema_rs
import pytest
from django.db import connection
from django.utils import timezone

from dispensary import audit
from dispensary.actions import long_exports, patients, person_records, retention, subject_files
from dispensary.actions.long_exports import KEPT
from dispensary.actors import Actor, Scope
from dispensary.errors import Conflict, InvalidInput, NotAllowed, NotFound, Stale
from dispensary.models import (
    AuditEntry,
    LogExport,
    LogExportPart,
    Patient,
    Pharmacy,
    StaffRole,
    SubjectRequest,
    SubjectRequestState,
)
from tests.dispensary import make
from tests.dispensary.audit.linking import flush_links

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(db: None) -> Pharmacy:
    make.products()
    return make.pharmacy()


@pytest.fixture
def asker(shop: Pharmacy) -> Actor:
    return make.staff(shop, StaffRole.MANAGER).actor()


@pytest.fixture
def other(shop: Pharmacy) -> Actor:
    return make.staff(shop, StaffRole.MANAGER).actor()


@pytest.fixture
def patient(shop: Pharmacy) -> Patient:
    """A patient to whom an override was signed and handed over, and whose record a technician opened."""
    person = make.patient(shop, family_name="Reed", given_name="Ada")
    order = make.prescription(
        person, quantity=294, phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="35 mg three times a day for 28 days",
    )  # fmt: skip
    make.hand_over(order, make.staff(shop).actor())
    patients.record_opening(patient=person, by=make.staff(shop, StaffRole.TECHNICIAN).actor(), now=make.moment())
    flush_links()
    return person


def ask(patient: Patient, by: Actor, **changes: Any) -> SubjectRequest:
    values: dict[str, Any] = {
        "received_on": patient.pharmacy.local_day(timezone.now()),
        "identity": "passport seen",
    } | changes
    return subject_files.request_file(patient_id=patient.pk, **values, by=by, now=timezone.now())


def prepared(patient: Patient, by: Actor) -> SubjectRequest:
    asked = ask(patient, by)
    flush_links()
    assert long_exports.prepare_next(timezone.now)
    return asked


def read(asked: SubjectRequest, by: Actor) -> subject_files.Prepared:
    content = subject_files.read_prepared(request_id=asked.pk, by=by, now=timezone.now())
    assert content is not None
    return content


def release(asked: SubjectRequest, by: Actor, **changes: Any) -> SubjectRequest:
    values = {"sha256": read(asked, by).sha256} | changes
    return subject_files.release_file(request_id=asked.pk, **values, by=by, now=timezone.now())


def opened(asked: SubjectRequest, by: Actor, **changes: Any) -> zipfile.ZipFile:
    content = subject_files.open_file(request_id=asked.pk, by=by, **{"now": timezone.now()} | changes)
    return zipfile.ZipFile(io.BytesIO(content))


def document_of(archive: zipfile.ZipFile) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(archive.read("person.json"))
    jsonschema_rs.validate(json.loads(archive.read("person.schema.json")), document)
    return document


def test_what_another_manager_read_and_released_is_what_the_patient_gets(
    patient: Patient, asker: Actor, other: Actor
) -> None:
    asked = prepared(patient, asker)
    release(asked, other)
    archive = opened(asked, asker)
    assert set(archive.namelist()) == {"person.json", "person.schema.json", "person.pdf", "README.txt"}
    assert archive.read("person.pdf").startswith(b"%PDF")
    document = document_of(archive)
    assert document["person"]["family_name"] == "Reed"
    assert any("signed an answer" in event["what"] and event["details"]["words"] for event in document["events"])
    (entry,) = AuditEntry.objects.filter(action="file.released", patient_ref=str(patient.pk))
    assert (entry.actor, entry.second_actor) == (other.name, asker.name)


def test_of_who_only_looked_the_role_stands_there_and_the_name_only_by_decision(
    patient: Patient, asker: Actor, other: Actor
) -> None:
    asked = prepared(patient, asker)
    release(asked, other)
    (look,) = [look for look in document_of(opened(asked, asker))["looks"] if look["role"] == "technician"]
    assert look == {"at": look["at"], "role": "technician", "what": "Opened the record of a patient", "purpose": None}
    asked = prepared(patient, asker)
    with pytest.raises(InvalidInput, match="reason"):
        release(asked, other, names_staff=True)
    release(asked, other, names_staff=True, words="The patient complains of one person.")
    assert {look["name"] for look in document_of(opened(asked, asker))["looks"] if look["role"] == "technician"} == {
        line["by"] for line in read_lines(asked) if line["role"] == "technician"
    }


def read_lines(asked: SubjectRequest) -> list[dict[str, Any]]:
    content = b"".join(bytes(part.content) for part in LogExportPart.objects.filter(export=asked.export_id))
    return [json.loads(line) for line in content.splitlines()[1:]]


def test_a_look_names_the_work_of_the_same_person_near_to_it(patient: Patient, asker: Actor, other: Actor) -> None:
    signer = make.staff(patient.pharmacy).actor()
    patients.record_opening(patient=patient, by=signer, now=make.moment())
    patients.update_facts(patient=patient, changes={"egfr": 50}, by=signer, now=make.moment())
    asked = prepared(patient, asker)
    release(asked, other)
    looks = document_of(opened(asked, asker))["looks"]
    assert [look["purpose"] for look in looks if look["role"] == "pharmacist"] == ["Changed the facts about a patient"]


def test_details_about_another_person_are_left_out_of_the_file_and_stay_in_the_log(
    patient: Patient, asker: Actor, other: Actor
) -> None:
    asked = prepared(patient, asker)
    number = next(line["entry"] for line in read(asked, other).lines if line["action"] == "override.signed")
    for withheld in ([number + 10_000], [0]):
        with pytest.raises(InvalidInput, match="no events"):
            release(asked, other, withheld=withheld, words="Names the mother.")
    with pytest.raises(InvalidInput):
        release(asked, other, withheld=[number])
    release(asked, other, withheld=[number, number], words="Names the mother.")
    archive = opened(asked, asker)
    (event,) = [event for event in document_of(archive)["events"] if event["entry"] == number]
    assert event["details"] == person_records.WITHHELD
    entry = AuditEntry.objects.get(action="override.signed", seq=number, pharmacy=patient.pharmacy_id)
    assert audit.lines([entry], patient.pharmacy)[0].body


def test_who_asked_who_has_not_read_and_who_read_another_file_release_nothing(
    patient: Patient, asker: Actor, other: Actor
) -> None:
    asked = prepared(patient, asker)
    sha256 = read(asked, asker).sha256
    with pytest.raises(NotAllowed, match="Another manager"):
        release(asked, asker)
    with pytest.raises(Stale):
        subject_files.release_file(request_id=asked.pk, sha256=sha256, by=other, now=timezone.now())
    read(asked, other)
    with pytest.raises(Stale):
        subject_files.release_file(request_id=asked.pk, sha256="0" * 64, by=other, now=timezone.now())
    assert SubjectRequest.objects.get().state == SubjectRequestState.WAITING
    with pytest.raises(Conflict, match="not released"):
        opened(asked, asker)


@pytest.mark.parametrize("role", [StaffRole.TECHNICIAN, StaffRole.PHARMACIST, StaffRole.AUDITOR])
def test_nobody_but_a_manager_asks_reads_what_was_prepared_or_decides(
    patient: Patient, asker: Actor, role: StaffRole
) -> None:
    asked = prepared(patient, asker)
    by = make.staff(patient.pharmacy, role).actor()
    for do in (
        lambda: ask(patient, by),
        lambda: read(asked, by),
        lambda: subject_files.release_file(request_id=asked.pk, sha256="0", by=by, now=timezone.now()),
        lambda: subject_files.refuse_file(request_id=asked.pk, words="no", by=by, now=timezone.now()),
    ):
        with pytest.raises(NotAllowed):
            do()


def test_an_auditor_opens_what_was_released_and_a_token_alone_nothing(
    patient: Patient, asker: Actor, other: Actor
) -> None:
    asked = prepared(patient, asker)
    release(asked, other)
    auditor = make.staff(patient.pharmacy, StaffRole.AUDITOR).actor()
    assert document_of(opened(asked, auditor))
    assert [line.entry.actor for line in subject_files.list_readings(asked)] == [auditor.name, other.name]
    narrowed = Actor(asker.name, asker.display, asker.role, asker.pharmacy_id, scopes=frozenset(Scope))
    with pytest.raises(NotAllowed):
        opened(asked, narrowed)
    with pytest.raises(NotAllowed):
        ask(patient, narrowed)


def test_another_pharmacys_request_does_not_exist(patient: Patient, asker: Actor) -> None:
    asked = prepared(patient, asker)
    stranger = make.staff(make.pharmacy("Elsewhere"), StaffRole.MANAGER).actor()
    for do in (lambda: ask(patient, stranger), lambda: read(asked, stranger), lambda: opened(asked, stranger)):
        with pytest.raises(NotFound):
            do()
    with pytest.raises(NotFound):
        subject_files.find_request(request_id=uuid4(), by=asker)


def test_a_refusal_needs_its_reason_and_deletes_what_was_prepared(patient: Patient, asker: Actor, other: Actor) -> None:
    asked = prepared(patient, asker)
    with pytest.raises(InvalidInput):
        subject_files.refuse_file(request_id=asked.pk, words=" ", by=other, now=timezone.now())
    with pytest.raises(NotAllowed):
        subject_files.refuse_file(request_id=asked.pk, words="Not the patient.", by=asker, now=timezone.now())
    subject_files.refuse_file(request_id=asked.pk, words="Not the patient.", by=other, now=timezone.now())
    assert not LogExport.objects.exists()
    (line,) = audit.lines(AuditEntry.objects.filter(action="file.refused"), patient.pharmacy)
    assert line.body and line.body["words"] == "Not the patient."
    for do in (lambda: read(asked, other), lambda: release(asked, other)):
        with pytest.raises(Conflict, match="refused already"):
            do()
    assert ask(patient, asker).state == SubjectRequestState.WAITING


def test_one_request_of_a_patient_waits_at_a_time(patient: Patient, asker: Actor) -> None:
    prepared(patient, asker)
    with pytest.raises(Conflict, match="waits already"):
        ask(patient, asker)


@pytest.mark.parametrize(("days", "is_refused"), [(0, False), (-1, False), (1, True), (-20_000, True)])
def test_a_request_is_received_today_or_earlier(patient: Patient, asker: Actor, days: int, is_refused: bool) -> None:
    received_on = patient.pharmacy.local_day(timezone.now()) + timedelta(days=days)
    if is_refused:
        with pytest.raises(InvalidInput):
            ask(patient, asker, received_on=received_on)
    else:
        assert ask(patient, asker, received_on=received_on)


@pytest.mark.parametrize(
    ("received_on", "answer_by"),
    [
        ("2026-01-15", "2026-02-15"),
        ("2026-01-31", "2026-02-28"),
        ("2028-01-31", "2028-02-29"),
        ("2026-12-31", "2027-01-31"),
        ("2026-11-30", "2026-12-30"),
    ],
)
def test_a_request_is_due_one_month_later(received_on: str, answer_by: str) -> None:
    assert SubjectRequest(received_on=date.fromisoformat(received_on)).answer_by == date.fromisoformat(answer_by)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE dispensary_subjectrequest SET names_staff = true",
        "UPDATE dispensary_subjectrequest SET withheld = '[1]'",
        "UPDATE dispensary_subjectrequest SET words = 'other'",
        "UPDATE dispensary_logexportpart SET content = content || '{}'",
    ],
)
def test_rows_changed_after_the_release_open_no_file(
    patient: Patient, asker: Actor, other: Actor, statement: str
) -> None:
    asked = prepared(patient, asker)
    release(asked, other)
    with connection.cursor() as cursor:
        cursor.execute(statement)
    with pytest.raises(Conflict, match="not the one"):
        opened(asked, asker)


def test_a_row_that_says_released_without_its_entry_opens_no_file(patient: Patient, asker: Actor, other: Actor) -> None:
    asked = prepared(patient, asker)
    SubjectRequest.objects.update(state="released", decided_by=other.name, decided_at=timezone.now())
    with pytest.raises(Conflict, match="not the one that was released"):
        opened(asked, asker)


def test_the_links_of_other_exports_do_not_open_a_patients_file(patient: Patient, asker: Actor) -> None:
    asked = prepared(patient, asker)
    assert asked.export_id is not None
    with pytest.raises(NotFound):
        long_exports.open_export(export_id=asked.export_id, by=asker, now=timezone.now())
    assert long_exports.list_exports(patient.pharmacy, timezone.now()) == []


def test_a_file_is_open_for_seven_days_from_its_release_however_old_it_is(
    patient: Patient, asker: Actor, other: Actor
) -> None:
    asked = prepared(patient, asker)
    old = timezone.now() - timedelta(days=30)
    LogExport.objects.update(requested_at=old)
    list(retention.delete_expired(now=timezone.now()))
    released = release(asked, other)
    assert released.decided_at is not None
    end = released.decided_at + KEPT
    list(retention.delete_expired(now=end - timedelta(seconds=1)))
    assert opened(asked, asker, now=end - timedelta(seconds=1))
    with pytest.raises(Conflict, match="gone"):
        opened(asked, asker, now=end)
    list(retention.delete_expired(now=end + timedelta(days=2)))
    assert not LogExport.objects.exists()


def test_an_erasure_leaves_nothing_of_the_file_and_says_so(patient: Patient, asker: Actor, other: Actor) -> None:
    asked = prepared(patient, asker)
    with connection.cursor() as cursor:  # as audit.erase does
        cursor.execute("DELETE FROM dispensary_logexportpart")
        cursor.execute("DELETE FROM dispensary_logexport")
    with pytest.raises(Conflict, match="erased"):
        read(asked, other)
    subject_files.refuse_file(request_id=asked.pk, words="Erased meanwhile.", by=other, now=timezone.now())
