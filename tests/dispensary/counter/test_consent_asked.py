"""A patient who was never asked about messages is asked at the hand-over, and the answer is stored with its event."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from dispensary.actions import consent
from dispensary.actors import Actor
from dispensary.models import (
    AuditEntry,
    Consent,
    ConsentAnswer,
    ConsentEvent,
    ConsentSource,
    Dispense,
    Medium,
    Reminder,
    StaffMember,
    StaffRole,
    WorkKind,
    WorklistItem,
)
from dispensary.reminders.work import open_work
from tests.dispensary import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine_clock")]


@pytest.fixture
def pharmacist(db: None) -> StaffMember:
    make.products()
    return make.staff(make.pharmacy())


@pytest.fixture
def supply(pharmacist: StaffMember) -> Dispense:
    patient = make.patient(pharmacist.pharmacy)
    return make.hand_over(make.prescription(patient), pharmacist.actor())


@pytest.fixture
def counter(client: Client, pharmacist: StaffMember) -> Client:
    client.force_login(pharmacist.user)
    return client


def add_address(supply: Dispense, by: Actor, medium: Medium = Medium.SMS, address: str = "+447700900123") -> None:
    consent.add_contact(patient=supply.patient, medium=medium, address=address, by=by, now=make.moment())


def page_of(supply: Dispense, counter: Client, query: str = "") -> str:
    return counter.get(reverse("counter:dispensed", args=[supply.pk]) + query).content.decode()


def answer(supply: Dispense, counter: Client, word: str) -> str:
    answered = counter.post(reverse("counter:answer-messages", args=[supply.pk]), {"answer": word}, follow=True)
    assert answered.status_code == 200
    return answered.content.decode()


def test_a_yes_is_stored_with_its_event_for_each_address_and_lets_messages_leave(
    counter: Client, supply: Dispense, pharmacist: StaffMember
) -> None:
    by = pharmacist.actor()
    add_address(supply, by)
    add_address(supply, by, Medium.EMAIL, "e.miller@example.org")
    open_work(
        WorkKind.UNREACHABLE, pharmacy_id=by.pharmacy_id, patient_id=supply.patient_id, reason="?", by=by,
        now=make.moment(),
    )  # fmt: skip
    page = page_of(supply, counter)
    assert "may we send you messages" in page and "+447700900123" in page and "e.miller@example.org" in page
    assert "the patient said yes" in answer(supply, counter, "yes")
    assert {row.medium: row.answer for row in Consent.objects.all()} == {"sms": "yes", "email": "yes"}
    events = ConsentEvent.objects.all()
    assert {(event.source, event.recorded_by) for event in events} == {(ConsentSource.COUNTER.value, by.name)}
    assert all(event.evidence.startswith("supply 1 on ") for event in events)
    assert AuditEntry.objects.filter(action="consent.changed").count() == 2
    assert WorklistItem.objects.get(kind=WorkKind.UNREACHABLE).resolution == "by-event"
    assert "may we send you messages" not in page_of(supply, counter)


def test_a_no_is_stored_and_not_asked_again(counter: Client, supply: Dispense, pharmacist: StaffMember) -> None:
    add_address(supply, pharmacist.actor())
    page = answer(supply, counter, "no")
    assert Consent.objects.get().answer == ConsentAnswer.NO and "may we send you messages" not in page


def test_later_stores_nothing_and_asks_again_another_time(
    counter: Client, supply: Dispense, pharmacist: StaffMember
) -> None:
    add_address(supply, pharmacist.actor())
    assert "may we send you messages" not in answer(supply, counter, "later")
    assert not ConsentEvent.objects.exists() and "may we send you messages" in page_of(supply, counter)


def test_only_what_was_never_asked_is_asked(counter: Client, supply: Dispense, pharmacist: StaffMember) -> None:
    by = pharmacist.actor()
    add_address(supply, by)
    answer(supply, counter, "no")
    add_address(supply, by, Medium.EMAIL, "e.miller@example.org")
    page = page_of(supply, counter)
    assert "e.miller@example.org" in page and "+447700900123" not in page
    answer(supply, counter, "yes")
    assert {row.medium: row.answer for row in Consent.objects.all()} == {"sms": "no", "email": "yes"}


def test_a_patient_without_an_address_is_asked_for_one(counter: Client, supply: Dispense) -> None:
    page = page_of(supply, counter)
    assert "We have no address of this patient" in page
    assert reverse("counter:explain", args=[supply.patient_id]) + "#addresses" in page


def test_the_lists_say_that_what_is_owed_will_not_leave(counter: Client, supply: Dispense) -> None:
    assert Reminder.objects.exists()
    page = counter.get(reverse("counter:reminders")).content.decode()
    assert "Will not leave: the patient was not asked" in page


def test_neither_strangers_nor_auditors_nor_another_pharmacy_answer_for_a_patient(
    supply: Dispense, pharmacist: StaffMember
) -> None:
    add_address(supply, pharmacist.actor())
    address = reverse("counter:answer-messages", args=[supply.pk])
    assert Client().post(address, {"answer": "yes"}).status_code == 302
    auditor, elsewhere = Client(), Client()
    auditor.force_login(make.staff(pharmacist.pharmacy, StaffRole.AUDITOR).user)
    elsewhere.force_login(make.staff(make.pharmacy("Elsewhere")).user)
    assert auditor.post(address, {"answer": "yes"}).status_code == 403
    assert elsewhere.post(address, {"answer": "yes"}).status_code == 404
    assert not ConsentEvent.objects.exists()
