"""A supply from elsewhere, recorded from the patient's page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.models import Patient, PriorSupply, StaffMember
from tests.dispensary import make
from tests.dispensary.counter.test_check import counter, pharmacist

__all__ = ["counter", "pharmacist"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def patient(pharmacist: StaffMember) -> Patient:
    return make.patient(pharmacist.pharmacy, now=timezone.now())


def day(days_ago: int) -> str:
    return str((timezone.now() - timedelta(days=days_ago)).date())


def record(counter: Client, patient: Patient, **changes: str) -> Any:
    fields = {
        "dispensed_on": day(10),
        "directions": "10 mg three times a day",
        "strength_mg": "10",
        "days_supply": "28",
        "relation": "same-course",
    }
    return counter.post(reverse("counter:earlier-supply", args=[patient.pk]), fields | changes, follow=True)


def text_of(page: Any) -> str:
    return str(page.content.decode()).replace("\u00a0", " ")


def test_it_is_typed_as_on_a_label_and_counts_for_what_the_patient_takes(counter: Client, patient: Patient) -> None:
    link = reverse("counter:earlier-supply", args=[patient.pk])
    assert link in text_of(counter.get(reverse("counter:patient", args=[patient.pk])))
    page = record(counter, patient)
    supply = PriorSupply.objects.get(patient=patient)
    assert ([str(dose) for dose in supply.doses], supply.days_supply) == (["10.000000"] * 3, 28)
    text = text_of(page)
    assert "Recorded: 30 mg a day for 28 days from" in text
    assert page.context["day"].mg == 30
    assert "From elsewhere: 30 mg a day" in text


def test_the_same_supply_is_recorded_once(counter: Client, patient: Patient) -> None:
    record(counter, patient)
    assert "This supply was recorded already" in text_of(record(counter, patient))
    assert PriorSupply.objects.count() == 1


def test_tablets_are_read_by_their_strength(counter: Client, patient: Patient) -> None:
    record(counter, patient, directions="half a tablet twice a day for 28 days")
    assert [str(dose) for dose in PriorSupply.objects.get().doses] == ["5.000000"] * 2


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("directions", "10 mg tid for 3 days, then 5 mg tid", "Record each dose of a plan as a supply of its own"),
        ("directions", "as needed up to 30 mg a day", "This cannot be read as one day"),
        ("directions", "as directed", "This cannot be read as one day"),
        ("directions", "10 mg tid for 27 days", "This cannot be read as one day"),
        ("directions", "10 mg tid for 28 days, then stop", "This cannot be read as one day"),
        ("directions", "10 mg tid, maximum 40 mg a day", "This cannot be read as one day"),
        ("dispensed_on", "2999-01-01", "dispensed_on"),
        ("days_supply", "", "Type for how many days it lasts"),
        ("relation", "", "Choose how it stands"),
    ],
)
def test_what_cannot_be_recorded_says_which_field(
    counter: Client, patient: Patient, field: str, typed: str, words: str
) -> None:
    page = record(counter, patient, **{field: typed})
    assert page.status_code == 422
    assert words in text_of(page) if words != field else f'href="#id_{field}"' in text_of(page)
    assert not PriorSupply.objects.exists()
