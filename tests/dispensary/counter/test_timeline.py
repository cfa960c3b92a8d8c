"""The patient's page: everything that happened on one line of time, with the doses as a picture."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import patients, prescriptions
from dispensary.models import Patient, StaffMember
from tests.dispensary import make
from tests.dispensary.counter.test_check import counter, pharmacist

__all__ = ["counter", "pharmacist"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def patient(pharmacist: StaffMember) -> Patient:
    """A patient with a recorded supply, an order handed over, one cancelled, and a fact of today."""
    now, by = timezone.now(), pharmacist.actor()
    started = now - timedelta(days=10)
    patient = make.patient(pharmacist.pharmacy, now=started)
    earlier = {
        "dispensed_on": str((now - timedelta(days=40)).date()),
        "doses": [5, 5, 5],
        "strength_mg": 10,
        "days_supply": 28,
        "relation": "same-course",
    }
    patients.record_history(patient=patient, supplies=[earlier], by=by, now=started)
    make.hand_over(make.prescription(patient, now=started), by, now=started)
    wrong = make.prescription(patient, now=now, quantity=42)
    prescriptions.cancel(prescription=wrong, reason="written twice", by=by, now=now)
    patients.update_facts(patient=patient, changes={"egfr": 60}, by=by, now=now)
    return patient


def lines(counter: Client, patient: Patient) -> list[Any]:
    happenings: list[Any] = counter.get(reverse("counter:patient", args=[patient.pk])).context["timeline"]
    return happenings


def test_orders_supplies_and_facts_stand_on_one_line_newest_first(counter: Client, patient: Patient) -> None:
    happenings = lines(counter, patient)
    assert [line.on for line in happenings] == sorted((line.on for line in happenings), reverse=True)
    words = [line.words for line in happenings]
    for expected in (
        "came in: 42 tablets",
        "Handed over: 42 tablets of 10\u00a0mg, first day not covered ",
        "From elsewhere: 15\u00a0mg a day",
        "written twice",
        "eGFR",
    ):
        assert any(expected in line for line in words), expected
    assert {line.kind for line in happenings} >= {"Prescription", "Supply", "Facts"}


def test_the_doses_of_the_weeks_around_today_are_a_picture(counter: Client, patient: Patient) -> None:
    page = counter.get(reverse("counter:patient", args=[patient.pk]))
    assert page.context["line"].course[0].mg_per_day == 15
    assert "<svg" in page.content.decode()


def test_a_patient_who_takes_nothing_has_no_picture(counter: Client, pharmacist: StaffMember) -> None:
    patient = make.patient(pharmacist.pharmacy, now=timezone.now())
    assert counter.get(reverse("counter:patient", args=[patient.pk])).context["line"] is None
    assert [line.kind for line in lines(counter, patient)] == ["Facts"]


def test_more_orders_ask_no_more_questions(counter: Client, patient: Patient, pharmacist: StaffMember) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            lines(counter, patient)
        return len(captured)

    before = count()
    assert before <= 29, before
    for _ in range(5):
        make.prescription(patient, now=timezone.now())
    assert count() <= before


def test_another_pharmacys_patient_has_no_line(counter: Client) -> None:
    foreign = make.patient(make.pharmacy("Elsewhere"), now=timezone.now())
    assert counter.get(reverse("counter:patient", args=[foreign.pk])).status_code == 404
