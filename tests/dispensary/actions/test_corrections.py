"""Corrections of who a patient is: recorded with the reason, and what was there before still finds the patient."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from dispensary import audit
from dispensary.actions.corrections import correct_identity
from dispensary.actions.intake import Intake, take_in
from dispensary.actors import Actor
from dispensary.errors import Conflict, DispensaryError, InvalidInput, NotAllowed, Stale
from dispensary.models import AuditEntry, CorrectionReason, FormerIdentity, Patient, Pharmacy, Source, StaffRole
from tests.dispensary import make
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def misspelt(shop: Pharmacy) -> Patient:
    return make.patient(shop, family_name="Misspelt", given_name="Jhon", identifier="777", birth_date="1968-02-17")


def correct(patient: Patient, by: Actor, reason: Any = CorrectionReason.RECORDED_WRONGLY, **changes: Any) -> Patient:
    return correct_identity(patient=patient, changes=changes, reason=reason, by=by, now=NOW)


def take(shop: Pharmacy, by: Actor, **person: Any) -> Any:
    who = {"identifier": "777", "family_name": "Misspelt", "given_name": "John", "birth_date": "1968-02-17"} | person
    writer = {"identifier": "C1", "name": "Grace Mwangi"}
    intake = Intake(patient=who, prescriber=writer, order=make.CLEAN_ORDER, source=Source.FHIR, document={})
    return take_in(intake, pharmacy=shop, by=by, now=NOW).prescription


def test_a_correction_stands_in_the_log_with_reason_and_both_values(
    shop: Pharmacy, technician: Actor, misspelt: Patient
) -> None:
    done = correct_identity(
        patient=misspelt,
        changes={"given_name": "John", "birth_date": date(1968, 2, 18), "family_name": "Misspelt"},
        reason=CorrectionReason.RECORDED_WRONGLY,
        words="read from the passport",
        version=1,
        by=technician,
        now=NOW,
    )
    misspelt.refresh_from_db()
    assert (misspelt.given_name, misspelt.birth_date, misspelt.version) == ("John", date(1968, 2, 18), 2)
    assert done == misspelt
    line = audit.history(misspelt, pharmacy=shop)[0]
    assert (line.entry.action, line.entry.reason_code) == ("patient.corrected", "recorded-wrongly")
    assert line.body is not None
    assert line.body.pop("row")["given_name"] == "John"  # the whole record as it stands now
    assert line.body == {
        "changed": {
            "given_name": {"from": "Jhon", "to": "John"},
            "birth_date": {"from": "1968-02-17", "to": "1968-02-18"},
        },
        "words": "read from the passport",
        "by": technician.display,
    }


def test_the_same_again_is_no_correction(technician: Actor, misspelt: Patient) -> None:
    entries = AuditEntry.objects.count()
    assert correct(misspelt, technician, given_name=" Jhon ", birth_date="1968-02-17").version == 1
    assert (AuditEntry.objects.count(), FormerIdentity.objects.count()) == (entries, 0)


@pytest.mark.parametrize(
    ("stated", "notes"),
    [
        ({"given_name": "John"}, []),
        ({"given_name": "Jhon"}, ["patient.given_name"]),
        ({"family_name": "Married"}, []),
        ({"identifier": "778"}, []),
        ({"family_name": "Misspelt", "given_name": "Jhon"}, ["patient.family_name", "patient.given_name"]),
    ],
    ids=str,
)
def test_an_order_under_a_former_name_or_number_is_the_patients(
    shop: Pharmacy, technician: Actor, misspelt: Patient, stated: dict[str, str], notes: list[str]
) -> None:
    correct(misspelt, technician, given_name="John")
    current = {"family_name": "Misspelt"}
    if {"family_name", "identifier"} & stated.keys():
        correct(misspelt, technician, CorrectionReason.CHANGED, family_name="Married", identifier="778")
        current = {"family_name": "Married", "identifier": "778"}
    order = take(shop, technician, **current | stated)
    assert order.patient_id == misspelt.pk
    assert [note.split(":")[0] for note in order.notes] == notes


def test_a_former_number_finds_only_who_is_surely_the_patient(
    shop: Pharmacy, technician: Actor, misspelt: Patient
) -> None:
    correct(misspelt, technician, identifier="778")
    assert take(shop, technician, given_name="Jhon").patient_id == misspelt.pk
    assert take(shop, technician, family_name="Other").patient_id != misspelt.pk


def test_a_record_that_once_had_no_given_name_takes_nobody_elses_order(shop: Pharmacy, technician: Actor) -> None:
    record = make.patient(shop, family_name="Misspelt", given_name="", identifier="777", birth_date="1968-02-17")
    correct(record, technician, given_name="John")
    with pytest.raises(Conflict):
        take(shop, technician, given_name="Mary")


def test_a_number_of_somebody_else_is_refused(shop: Pharmacy, technician: Actor, misspelt: Patient) -> None:
    make.patient(shop, identifier="900", family_name="Other")
    with pytest.raises(Conflict, match="already registered"):
        correct(misspelt, technician, identifier="900")
    misspelt.refresh_from_db()
    assert (misspelt.identifier, misspelt.version) == ("777", 1)
    assert not FormerIdentity.objects.exists()


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"family_name": ""}, "patient.family_name"),
        ({"family_name": "a" * 121}, "patient.family_name"),
        ({"given_name": "a\u202eb"}, "patient.given_name"),
        ({"identifier": " "}, "patient.identifier"),
        ({"birth_date": "2999-01-01"}, "patient.birth_date"),
        ({"birth_date": None}, "patient.birth_date"),
        ({"weight_kg": 3}, "patient.weight_kg"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(
    technician: Actor, misspelt: Patient, changes: dict[str, Any], path: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        correct(misspelt, technician, **changes)
    assert caught.value.problems[0].field == path
    assert not FormerIdentity.objects.exists()


@pytest.mark.parametrize("reason", ["joined", "", "because"])
def test_a_reason_is_one_of_two(technician: Actor, misspelt: Patient, reason: str) -> None:
    with pytest.raises(InvalidInput):
        correct(misspelt, technician, reason, given_name="John")


def test_an_older_version_changes_nothing(technician: Actor, misspelt: Patient) -> None:
    correct(misspelt, technician, given_name="John")
    with pytest.raises(Stale):
        correct_identity(patient=misspelt, changes={"given_name": "J"}, version=1, by=technician, now=NOW)


@pytest.mark.parametrize("role", [StaffRole.AUDITOR])
def test_who_may_not_corrects_nothing(shop: Pharmacy, misspelt: Patient, role: StaffRole) -> None:
    with pytest.raises(NotAllowed):
        correct(misspelt, make.staff(shop, role).actor(), given_name="John")
    with pytest.raises(DispensaryError):
        correct(misspelt, make.staff(make.pharmacy("Elsewhere")).actor(), given_name="John")
    misspelt.refresh_from_db()
    assert misspelt.given_name == "Jhon"


def test_a_name_for_labels_leaves_the_record_as_it_is(shop: Pharmacy, technician: Actor) -> None:
    patient = make.patient(shop, family_name="\u738b", given_name="\u5c0f\u660e")
    assert patient.name_on_papers == "\u5c0f\u660e \u738b"
    done = correct(patient, technician, printed_name="Xiaoming Wang")
    assert done.name_on_papers == "Xiaoming Wang"
    assert done.family_name == "\u738b"
    assert not FormerIdentity.objects.exists(), "who the patient is has not changed"
    line = audit.history(patient, pharmacy=shop)[0]
    assert line.body is not None
    assert line.body["changed"] == {"printed_name": {"from": "", "to": "Xiaoming Wang"}}
    assert correct(done, technician, printed_name="").name_on_papers == "\u5c0f\u660e \u738b"
