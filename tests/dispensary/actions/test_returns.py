"""Supplies taken back at odd times: right days, messages withdrawn, papers that became wrong are work, no risk is lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dispensary import handover
from dispensary.actions import dispenses
from dispensary.actors import Actor
from dispensary.assessment import therapy_of
from dispensary.models import Dispense, Patient, Pharmacy, Reminder, ReminderState, WorkKind, WorklistItem
from dispensary.reminders import withdrawal_risk
from tests.dispensary import make
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
TODAY = NOW.date()
THIRTY = {
    "phases": [{"dose": 10, "unit": "mg", "times_per_day": 3, "days": 28}],
    "directions": "10 mg three times a day for 28 days",
    "quantity": 84,
}
TAPER = {
    "phases": [
        {"dose": 5, "unit": "mg", "times_per_day": 3, "days": 5},
        {"dose": 5, "unit": "mg", "times_per_day": 2, "days": 5},
    ],
    "directions": "5 mg three times a day for 5 days, then 5 mg twice a day for 5 days, then stop",
    "then_stop": True,
    "quantity": 13,
}


@pytest.fixture
def shop(db: None) -> Pharmacy:
    make.products()
    return make.pharmacy()


@pytest.fixture
def pharmacist(shop: Pharmacy) -> Actor:
    return make.staff(shop).actor()


@pytest.fixture
def patient(shop: Pharmacy) -> Patient:
    return make.patient(shop, now=NOW - 60 * DAY)


def give(patient: Patient, by: Actor, at: datetime, **order: Any) -> Dispense:
    return make.hand_over(make.prescription(patient, now=at, **order), by, at)


def take_back(dispense: Dispense, by: Actor, at: datetime = NOW) -> None:
    dispenses.return_(dispense=dispense, reason="brought back", by=by, now=at)


def scheduled(patient: Patient) -> set[tuple[str, int]]:
    """Return the messages that are still to come, each with its day from today."""
    rows = Reminder.objects.filter(patient=patient, state=ReminderState.SCHEDULED, plan__ended_at=None)
    rows = rows.filter(local_date__gte=TODAY)
    return {(row.kind, (row.local_date - TODAY).days) for row in rows}


def mg(patient: Patient, days: int) -> Any:
    return therapy_of(Patient.objects.select_related("pharmacy").get(pk=patient.pk), TODAY).day(TODAY + days * DAY).mg


def papers(patient: Patient) -> list[str]:
    return list(
        WorklistItem.objects.filter(patient=patient, kind=WorkKind.PAPERS_OUTDATED).values_list("reason", flat=True)
    )


def test_a_taper_that_comes_back_whole_after_its_end_lets_the_old_dose_go_on_and_run_out(
    patient: Patient, shop: Pharmacy, pharmacist: Actor
) -> None:
    first = give(patient, pharmacist, NOW - 25 * DAY, **THIRTY)
    taper = make.prescription(patient, now=NOW - 20 * DAY, replaces=first.prescription, **TAPER)
    second = make.hand_over(taper, pharmacist, NOW - 20 * DAY)
    assert (mg(patient, -5), scheduled(patient)) == (0, set())
    assert not withdrawal_risk(pharmacy=shop, patient=patient, now=NOW + 24 * DAY)
    take_back(second, pharmacist)
    assert (mg(patient, -5), mg(patient, 0), mg(patient, 22), mg(patient, 23)) == (0, 30, 30, 0)
    assert ("run_out", 22) in scheduled(patient)
    assert withdrawal_risk(pharmacy=shop, patient=patient, now=NOW + 24 * DAY)


def test_the_first_of_two_parts_comes_back_and_the_days_of_the_second_are_no_longer_true(
    patient: Patient, pharmacist: Actor
) -> None:
    order = make.prescription(patient, now=NOW - 10 * DAY, **THIRTY)
    first = make.hand_over(order, pharmacist, NOW - 10 * DAY, quantity=Decimal(42))
    make.hand_over(order, pharmacist, NOW - 5 * DAY, quantity=Decimal(42))
    assert (mg(patient, 17), mg(patient, 18), papers(patient)) == (30, 0, [])
    before = scheduled(patient)
    take_back(first, pharmacist)
    assert (mg(patient, -1), mg(patient, 3), mg(patient, 4)) == (30, 30, 0)
    assert len(papers(patient)) == 1 and "A supply was taken back" in papers(patient)[0]
    assert scheduled(patient) != before


def test_a_supply_from_before_a_change_comes_back_and_then_the_change(
    patient: Patient, shop: Pharmacy, pharmacist: Actor
) -> None:
    first = give(patient, pharmacist, NOW - 10 * DAY, **THIRTY)
    change = {**THIRTY, "phases": [{"dose": 15, "unit": "mg", "times_per_day": 3, "days": 28}], "quantity": 126}
    change["directions"] = "15 mg three times a day for 28 days"
    order = make.prescription(patient, now=NOW - 3 * DAY, replaces=first.prescription, **change)
    second = make.hand_over(order, pharmacist, NOW - 3 * DAY)
    take_back(first, pharmacist, NOW - DAY)
    assert (mg(patient, 0), papers(patient)) == (45, [])
    take_back(second, pharmacist)
    assert (mg(patient, -1), mg(patient, 0), papers(patient)) == (45, 0, [])
    assert scheduled(patient) == set()


def test_papers_of_the_old_dose_are_true_again_after_the_change_came_back(patient: Patient, pharmacist: Actor) -> None:
    first = give(patient, pharmacist, NOW - 10 * DAY, **THIRTY)
    change = {**THIRTY, "phases": [{"dose": 15, "unit": "mg", "times_per_day": 3, "days": 28}], "quantity": 126}
    change["directions"] = "15 mg three times a day for 28 days"
    order = make.prescription(patient, now=NOW - 3 * DAY, replaces=first.prescription, **change)
    second = make.hand_over(order, pharmacist, NOW - 3 * DAY)
    take_back(second, pharmacist)
    assert (mg(patient, -1), mg(patient, 0), mg(patient, 20), papers(patient)) == (45, 30, 30, [])


def test_a_supply_that_came_back_on_its_day_and_was_handed_over_again_is_counted_once(
    patient: Patient, pharmacist: Actor
) -> None:
    order = make.prescription(patient, now=NOW - 2 * DAY, repeats=1, **THIRTY)
    first = make.hand_over(order, pharmacist, NOW - 2 * DAY)
    take_back(first, pharmacist, NOW - 2 * DAY + timedelta(hours=1))
    assert scheduled(patient) == set()
    second = make.hand_over(order, pharmacist, NOW - 2 * DAY + timedelta(hours=2))
    assert (mg(patient, -2), mg(patient, 25), mg(patient, 26)) == (30, 30, 0)
    made = handover.handed_over(Dispense.objects.get(pk=second.pk), TODAY)
    assert handover.label_of(made, second).stretches[0].first_on == TODAY - 2 * DAY
    assert (papers(patient), bool(scheduled(patient))) == ([], True)
