"""Emergency supplies at the counter: without an order, for few days, answered, signed, and the order owed afterwards."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import dispenses
from dispensary.actions.emergencies import most_days
from dispensary.documents import label_text
from dispensary.handover import printed_handover
from dispensary.models import (
    Dispense,
    Override,
    OverrideState,
    Patient,
    Prescription,
    Source,
    StaffMember,
    StaffRole,
    WorkKind,
    WorklistItem,
    WorkState,
)
from tests.dispensary import make
from tests.dispensary.counter.test_choices import counter, order, page_of, pharmacist, press

__all__ = ["counter", "pharmacist"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def patient(pharmacist: StaffMember) -> Patient:
    """Somebody who took 30 mg a day until yesterday, and whose order is used up."""
    now = timezone.now() - timedelta(days=28)
    patient = make.patient(pharmacist.pharmacy, now=now)
    make.hand_over(order(patient, 10, 10, 10, now=now), pharmacist.actor(), now=now)
    return patient


def emergency(patient: Patient) -> str:
    return reverse("counter:emergency", args=[patient.pk])


def text_of(response: Any) -> str:
    return str(response.content.decode()).replace("\u00a0", " ")


def arrange(counter: Client, patient: Patient, **typed: str) -> Prescription:
    page = counter.get(emergency(patient))
    initial = {name: page.context["form"][name].value() for name in ("days", "strength_mg", "prescriber")}
    done = counter.post(emergency(patient), initial | typed)
    assert done.status_code == 302, text_of(done)
    return Prescription.objects.get(patient=patient, source=Source.EMERGENCY)


def sign(counter: Client, prescription: Prescription, **typed: str) -> Any:
    """Answer what the override page asks, with a signature."""
    address = reverse("counter:override", args=[prescription.pk])
    page = counter.get(address)
    data: dict[str, str] = {"password": make.PASSWORD, "nonce": str(page.context["signature"].begun.pk)}
    for _, form in page.context["asking"]:
        fields = {
            "mitigation": "4",
            "words": "Surgery is closed until Monday.",
            "asked": "Out of hours service",
        } | typed
        data |= {f"{form.prefix}-{name}": value for name, value in fields.items()}
    return counter.post(address, data)


def owed(patient: Patient) -> list[WorklistItem]:
    return list(
        WorklistItem.objects.filter(patient=patient, kind=WorkKind.ORDER_OWED).exclude(state=WorkState.RESOLVED)
    )


def test_the_risk_list_leads_to_a_supply_of_what_was_taken_last(counter: Client, patient: Patient) -> None:
    assert emergency(patient) in text_of(counter.get(reverse("counter:at-risk")))
    page = counter.get(emergency(patient))
    assert "Take 10 mg three times a day" in text_of(page)
    made = arrange(counter, patient)
    assert (made.quantity, made.strength_mg) == (Decimal(21), Decimal(10))
    assert [phase.doses for phase in made.phases.all()] == [[Decimal(10)] * 3]
    assert "Arranged at the counter" in text_of(counter.get(reverse("counter:check", args=[made.pk])))


def test_a_pharmacist_signs_and_hands_it_over_and_the_order_is_owed(counter: Client, patient: Patient) -> None:
    made = arrange(counter, patient, days="3")
    assert page_of(counter, made)["main"].leads_to_override
    assert not owed(patient)
    assert sign(counter, made).status_code == 302
    assert press(counter, made).status_code == 302
    supply = Dispense.objects.get(prescription=made)
    assert (supply.quantity, supply.days_supply, supply.relation) == (Decimal(9), 3, "continues")
    assert Override.objects.get(prescription=made).state == OverrideState.USED
    assert label_text(printed_handover(supply, timezone.now().date()))[-1].startswith("Emergency supply. ")
    assert "Emergency supply, without an order." in text_of(counter.get(reverse("counter:dispensed", args=[supply.pk])))
    (work,) = owed(patient)
    assert "owes the order for the emergency supply" in work.reason
    page = counter.get(f"{reverse('counter:work', args=[patient.pk])}?kind=order-owed")
    assert "handed over" in text_of(page)


def test_nobody_was_asked_is_refused(counter: Client, patient: Patient) -> None:
    made = arrange(counter, patient)
    refused = sign(counter, made, asked="")
    assert refused.status_code == 422
    assert "Name whom you asked or tried to reach" in text_of(refused)


def test_more_days_than_the_profile_allows_are_refused(counter: Client, patient: Patient) -> None:
    most = most_days(patient.pharmacy, timezone.now().date())
    page = counter.get(emergency(patient))
    prescriber = page.context["form"]["prescriber"].value()
    refused = counter.post(emergency(patient), {"days": str(most + 1), "strength_mg": "10", "prescriber": prescriber})
    assert refused.status_code == 422
    assert f"1 to {most} days" in text_of(refused)
    assert not Prescription.objects.filter(source=Source.EMERGENCY).exists()


def test_the_order_of_the_same_prescriber_settles_what_is_owed(counter: Client, patient: Patient) -> None:
    made = arrange(counter, patient)
    sign(counter, made)
    press(counter, made)
    came = order(patient, 10, 10, 10)
    assert not owed(patient)
    assert "owed the order for the emergency supply" in came.notes[0]


def test_the_order_of_another_prescriber_settles_nothing(counter: Client, patient: Patient) -> None:
    made = arrange(counter, patient)
    sign(counter, made)
    press(counter, made)
    other = make.prescriber(patient.pharmacy, timezone.now(), identifier="C7654321", name="Dr Paula Weiss")
    came = order(patient, 10, 10, 10, ordered_by=other)
    assert len(owed(patient)) == 1
    assert came.notes == []


def test_a_hand_over_that_was_cancelled_owes_nothing(
    counter: Client, patient: Patient, pharmacist: StaffMember
) -> None:
    made = arrange(counter, patient)
    sign(counter, made)
    press(counter, made)
    supply = Dispense.objects.get(prescription=made)
    dispenses.cancel(dispense=supply, reason="left on the counter", by=pharmacist.actor(), now=timezone.now())
    assert not owed(patient)


def test_where_two_sign_the_worst_class_two_sign_this(counter: Client, patient: Patient) -> None:
    make.change_past_actions(type(patient.pharmacy).objects.filter(pk=patient.pharmacy_id), second_signer=True)
    made = arrange(counter, patient)
    assert sign(counter, made).url == reverse("counter:second", args=[made.pk])
    assert Override.objects.get(prescription=made).state == OverrideState.WAITING
    assert press(counter, made).status_code != 302


def test_a_dose_that_the_record_does_not_tell_is_not_guessed(counter: Client, pharmacist: StaffMember) -> None:
    nobody = make.patient(pharmacist.pharmacy, identifier="P-9", family_name="Newcomer")
    page = counter.get(emergency(nobody))
    assert page.status_code == 422
    assert "one course of baclofen whose dose is known" in text_of(page)


def test_a_technician_sees_no_such_page_and_no_link(client: Client, patient: Patient) -> None:
    technician = make.staff(patient.pharmacy, StaffRole.TECHNICIAN)
    client.force_login(technician.user)
    assert client.get(emergency(patient)).status_code == 403
    assert emergency(patient) not in text_of(client.get(reverse("counter:at-risk")))
