"""Stopping the medicine at the counter: the rules are asked first, and a taper is at hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import sender_status
from dispensary.assessment import therapy_of
from dispensary.models import (
    Decision,
    Override,
    Patient,
    Prescription,
    PrescriptionStatus,
    Reminder,
    ReminderState,
    SenderStatus,
    StaffMember,
    StaffRole,
    WorkKind,
    WorklistItem,
)
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller, problem
from tests.dispensary.counter.test_choices import check, counter, order, patient, pharmacist
from tests.dispensary.counter.test_two_strengths import two_strengths

__all__ = ["counter", "patient", "pharmacist"]
pytestmark = pytest.mark.django_db


def stop(prescription: Prescription) -> str:
    return reverse("counter:stop", args=[prescription.pk])


def taken(patient: Patient) -> Prescription:
    return Prescription.objects.get(patient=patient)


def answered(counter: Client, prescription: Prescription, **typed: str) -> Any:
    """Give the reason, then the answers that the page asks for."""
    data = {"reason": "other", "words": "Dr Mwangi stops it"} | typed
    page = counter.post(stop(prescription), data)
    for _, form in page.context["answers"]:
        fields = {"mitigation": "5", "words": "Agreed with her.", "asked": "Dr Mwangi"}
        data |= {f"{form.prefix}-{name}": value for name, value in fields.items()}
    signature = page.context["signature"]
    signed = {"password": make.PASSWORD, "nonce": str(signature.begun.pk)} if signature else {}
    return counter.post(stop(prescription), {"stop-it": "1"} | signed | data, follow=True)


def test_the_rules_and_a_taper_stand_there_before_anything_is_typed(counter: Client, patient: Patient) -> None:
    page = counter.get(stop(taken(patient)))
    text = page.content.decode().replace("\u00a0", " ")
    assert "Stop 30 mg a day at once" in text
    assert "Stopping 30 mg a day at once risks withdrawal" in text
    assert "a taper that the rules accept" in text
    assert "then stop." in page.context["proposal"]


def test_a_stop_is_signed_and_its_result_is_said(counter: Client, patient: Patient) -> None:
    prescription = taken(patient)
    page = answered(counter, prescription)
    text = page.content.decode().replace("\u00a0", " ")
    assert "30 mg a day is stopped from today." in text
    assert "On the withdrawal-risk list" in text
    prescription.refresh_from_db()
    assert prescription.status == PrescriptionStatus.STOPPED
    assert Decision.objects.get(patient=patient).kind == "stopped"
    assert Override.objects.get(prescription=prescription, code="abrupt-stop").signature == "password"


def test_a_stop_is_possible_after_everything_was_handed_over(counter: Client, patient: Patient) -> None:
    prescription = taken(patient)
    make.change_past_actions(
        Prescription.objects.filter(pk=prescription.pk),
        status=PrescriptionStatus.COMPLETED,
        ended_at=timezone.now(),
        repeats=0,
    )
    for address in (check(prescription), reverse("counter:patient", args=[patient.pk])):
        assert stop(prescription) in counter.get(address).content.decode()
    assert "is stopped from today" in answered(counter, prescription).content.decode()
    assert Decision.objects.get(patient=patient).kind == "stopped"


def test_an_adverse_reaction_is_a_reason_to_stop_without_a_signature(counter: Client, patient: Patient) -> None:
    prescription = taken(patient)
    page = counter.post(stop(prescription), {"reason": "serious-adverse-reaction", "words": "Fits since Monday"})
    assert page.context["answers"] == []
    data = {"reason": "serious-adverse-reaction", "words": "Fits since Monday", "stop-it": "1"}
    assert counter.post(stop(prescription), data).status_code == 302
    assert Override.objects.get(prescription=prescription, code="abrupt-stop").severity == "acknowledge"


@pytest.mark.parametrize(
    ("typed", "target"),
    [({"words": ""}, "id_words"), ({"reason": ""}, "id_reason_0"), ({"password": "not it"}, "id_password")],
)
def test_an_incomplete_stop_stops_nothing(
    counter: Client, patient: Patient, typed: dict[str, str], target: str
) -> None:
    prescription = taken(patient)
    data = {"reason": "other", "words": "Dr Mwangi stops it"}
    asked = counter.post(stop(prescription), data)
    for _, form in asked.context["answers"]:
        data |= {f"{form.prefix}-mitigation": "5", f"{form.prefix}-words": "Agreed."}
    signed = {"stop-it": "1", "password": make.PASSWORD, "nonce": str(asked.context["signature"].begun.pk)}
    refused = counter.post(stop(prescription), signed | data | typed)
    assert target in [line.target for line in refused.context["errors"]]
    prescription.refresh_from_db()
    assert prescription.status == PrescriptionStatus.ACTIVE


def test_nothing_that_is_taken_cannot_be_stopped(counter: Client, pharmacist: StaffMember) -> None:
    waiting = order(make.patient(pharmacist.pharmacy, now=timezone.now()), 10)
    assert stop(waiting) not in counter.get(check(waiting)).content.decode()
    assert "Nothing of this prescription is taken any more." in counter.get(stop(waiting)).content.decode()


def test_both_strengths_of_an_order_are_stopped(counter: Client, pharmacist: StaffMember) -> None:
    first, second = two_strengths(pharmacist)
    before = Prescription.objects.filter(patient=first.patient).exclude(group="urn:test|1").get()
    answered(counter, before)
    assert Prescription.objects.get(pk=second.pk).status == PrescriptionStatus.ACTIVE, "another order"
    answered(counter, first)
    statuses = {row.status for row in Prescription.objects.filter(pk__in=(first.pk, second.pk))}
    assert statuses == {PrescriptionStatus.STOPPED}


def test_a_technician_stops_nothing(client: Client, patient: Patient) -> None:
    client.force_login(make.staff(patient.pharmacy, StaffRole.TECHNICIAN).user)
    assert client.get(stop(taken(patient))).status_code == 403
    assert stop(taken(patient)) not in client.get(reverse("counter:patient", args=[patient.pk])).content.decode()


def test_an_order_that_its_sender_stopped_is_work_that_leads_to_the_stop_and_ends_with_it(
    counter: Client, patient: Patient, pharmacist: StaffMember
) -> None:
    prescription = taken(patient)
    now = timezone.now()
    sender_status.withdraw(
        prescription=prescription, status=SenderStatus.STOPPED, by=pharmacist.actor(), now=now - timedelta(minutes=1)
    )
    work = WorklistItem.objects.get(kind=WorkKind.ORDER_WITHDRAWN)
    assert "Stopping" in work.reason and "Proposed taper" in work.reason, work.reason
    page = counter.get(reverse("counter:work", args=[patient.pk]), {"kind": WorkKind.ORDER_WITHDRAWN.value})
    assert stop(prescription) in page.content.decode()
    assert counter.get(stop(prescription)).context["proposal"]
    answered(counter, prescription)
    work.refresh_from_db()
    assert (work.state, work.resolution) == ("resolved", "by-event")
    today = patient.pharmacy.local_day(now)
    assert [course.why for course in therapy_of(patient, today).ended] == ["stopped"]


def test_papers_of_what_was_stopped_are_printed_no_more_and_are_work(
    counter: Client, patient: Patient, pharmacist: StaffMember
) -> None:
    prescription = taken(patient)
    answered(counter, prescription)
    work = WorklistItem.objects.get(kind=WorkKind.PAPERS_OUTDATED)
    assert "ask for the tablets back" in work.reason
    dispense = patient.dispenses.get()
    for name in ("label", "calendar", "label-picture"):
        page = counter.get(reverse(f"counter:{name}", args=[dispense.pk]))
        assert (page.status_code, "was stopped on" in page.content.decode()) == (409, True), name
    page_text = counter.get(reverse("counter:dispensed", args=[dispense.pk])).content.decode()
    assert "no label and no calendar of it are printed any more" in page_text
    assert reverse("counter:label", args=[dispense.pk]) not in page_text
    address = reverse("counter:work", args=[patient.pk])
    listed = counter.get(address, {"kind": WorkKind.PAPERS_OUTDATED.value}).content.decode()
    assert reverse("counter:label", args=[dispense.pk]) not in listed
    caller = Caller(pharmacist)
    for document in ("label", "calendar"):
        assert "was stopped on" in problem(caller.get(f"dispenses/{dispense.pk}/{document}.pdf"), 409)["detail"]


def test_an_order_that_goes_on_with_an_earlier_one_is_stopped_on_the_day_of_its_hand_over(
    counter: Client, patient: Patient, pharmacist: StaffMember
) -> None:
    renewal = order(patient, 10, 10, 10)
    dispense = make.hand_over(renewal, pharmacist.actor(), timezone.now())
    assert "is stopped from today" in answered(counter, renewal).content.decode()
    today = patient.pharmacy.local_day(timezone.now())
    counted = therapy_of(Patient.objects.get(pk=patient.pk), today)
    assert ([course.why for course in counted.ended], counted.day(today).high) == (["stopped"], 0)
    assert not Reminder.objects.filter(patient=patient, state=ReminderState.SCHEDULED, kind="run_out").exists()
    assert counter.get(reverse("counter:label", args=[dispense.pk])).status_code == 409


def test_a_repeat_of_the_day_is_stopped_with_its_order(
    counter: Client, patient: Patient, pharmacist: StaffMember
) -> None:
    prescription = taken(patient)
    make.hand_over(prescription, pharmacist.actor(), timezone.now())
    assert "is stopped from today" in answered(counter, prescription).content.decode()
    assert_nothing_is_taken(patient)


def test_what_was_first_handed_over_today_is_stopped_with_everything(
    counter: Client, patient: Patient, pharmacist: StaffMember
) -> None:
    first_today, never = order(patient, 15, 15, 15), order(patient, 20, 20, 20)
    make.hand_over(first_today, pharmacist.actor(), timezone.now())
    assert "is stopped from today" in answered(counter, never).content.decode()
    assert_nothing_is_taken(patient)


def assert_nothing_is_taken(patient: Patient) -> None:
    today = patient.pharmacy.local_day(timezone.now())
    counted = therapy_of(Patient.objects.get(pk=patient.pk), today)
    assert (counted.day(today).high, counted.threads) == (0, ())
    assert not Reminder.objects.filter(patient=patient, state=ReminderState.SCHEDULED, kind="run_out").exists()
