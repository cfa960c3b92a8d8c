"""Earlier supplies become lines of a case, whatever the database holds."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispensary.actions import patients
from dispensary.actors import Actor
from dispensary.assessment import assess, case_document, read_case
from dispensary.models import Dispense, Patient, Pharmacy, Prescription, PrescriptionStatus, PriorSupply, Relation
from tests.dispensary import make
from tests.dispensary.actions.reminders import making
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db
TODAY = NOW.date()
DAY = timedelta(days=1)


def daily(mg: int, days: int = 28, **more: Any) -> dict[str, Any]:
    """An order of `mg` a day in three doses, in 10 mg tablets."""
    dose = Decimal(mg) / 3
    return {
        "phases": [{"dose": dose, "unit": "mg", "times_per_day": 3, "days": days}],
        "directions": f"{dose} mg three times a day for {days} days",
        "quantity": dose * 3 * days / 10,
    } | more


@pytest.fixture
def shop() -> Pharmacy:
    make.products()
    return make.pharmacy()


@pytest.fixture
def pharmacist(shop: Pharmacy) -> Actor:
    return make.staff(shop).actor()


@pytest.fixture
def patient(shop: Pharmacy) -> Patient:
    return make.patient(shop)


# --- every stored state is a case that can be read --------------------------------------------------------------------


def test_a_repeat_collected_early_leaves_the_patients_other_orders_readable(
    shop: Pharmacy, patient: Patient, pharmacist: Actor
) -> None:
    before = {
        "dispensed_on": str(TODAY - 23 * DAY), "dose": 10, "times_per_day": 3, "days_supply": 28,
        "relation": "same-course",
    }  # fmt: skip
    patients.record_history(patient=patient, supplies=[before], by=Actor.system("setup", shop.pk), now=NOW)
    dispense = make.hand_over(make.prescription(patient, **daily(30, repeats=2)), pharmacist)
    assert dispense.starts_on == TODAY + 5 * DAY
    order = make.prescription(patient, **daily(45))
    for day in range(7):
        lines = read_case(case_document(order, on=TODAY + day * DAY)).history
        assert all(line.dose_since <= TODAY + day * DAY for line in lines or ())


def test_a_supply_for_more_years_than_a_case_can_say_is_read_as_the_most(patient: Patient) -> None:
    order = making.prescription(patient, (((1,), None),))
    making.dispense(order, days=9000)
    other = making.prescription(patient)
    assert len(read_case(case_document(other, on=making.NOON.date())).history or ()) == 1


doses = st.lists(st.sampled_from([5, 10, 12, 20]), min_size=1, max_size=4)
phases = st.lists(st.tuples(doses, st.integers(1, 40)), min_size=1, max_size=3)
supply = st.fixed_dictionaries(
    {
        "after": st.integers(0, 120),
        "starts_later": st.integers(-3, 60),
        "days": st.integers(1, 90),
        "status": st.sampled_from(["completed", "completed", "completed", "returned", "cancelled"]),
    }
)
order = st.fixed_dictionaries(
    {
        "phases": phases,
        "is_open": st.booleans(),
        "then_stop": st.sampled_from([None, False, True]),
        "status": st.sampled_from(PrescriptionStatus.values),
        "replaces": st.booleans(),
        "prescriber": st.integers(0, 1),
        "supplies": st.lists(supply, max_size=4),
    }
)
recorded = st.fixed_dictionaries(
    {
        "after": st.integers(0, 120),
        "days": st.integers(1, 90),
        "held_for": st.one_of(st.none(), st.integers(0, 200)),
        "relation": st.sampled_from(Relation.values),
    }
)


def store(orders: list[dict[str, Any]], outside: list[dict[str, Any]]) -> list[Prescription]:
    """One patient's orders and supplies as the database can hold them."""
    patient = making.patient()
    stored: list[Prescription] = []
    for values in orders:
        ordered = [(list(map(str, doses)), days) for doses, days in values["phases"]]
        if values["is_open"]:
            ordered[-1] = (ordered[-1][0], None)
        ends = None if values["status"] == PrescriptionStatus.ACTIVE else NOW
        before = stored[-1] if values["replaces"] and stored else None
        row = making.prescription(
            patient, ordered, then_stop=values["then_stop"], status=values["status"], ended_at=ends, replaces=before
        )
        if values["prescriber"] and stored:
            row.prescriber = stored[0].prescriber
            row.save()
        for number, given_out in enumerate(sorted(values["supplies"], key=lambda each: each["after"]), 1):
            at = NOW + given_out["after"] * DAY
            dispense = making.dispense(
                row, days=given_out["days"], at=at, number=number, starts_on=at.date() + given_out["starts_later"] * DAY
            )
            if given_out["status"] != "completed":
                Dispense.objects.filter(pk=dispense.pk).update(status=given_out["status"], ended_at=at)
        stored.append(row)
    for number, values in enumerate(outside):
        on = TODAY + values["after"] * DAY
        PriorSupply.objects.create(
            patient=patient, dispensed_on=on, doses=[Decimal(10 + number)], days_supply=values["days"],
            dose_since=None if values["held_for"] is None else on - values["held_for"] * DAY,
            relation=values["relation"], recorded_at=timezone.now(),
        )  # fmt: skip
    return stored


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(order, min_size=1, max_size=3), st.lists(recorded, max_size=2), st.integers(0, 150))
def test_every_state_that_the_database_can_hold_is_a_case_that_can_be_read(
    db: None, orders: list[dict[str, Any]], outside: list[dict[str, Any]], day: int
) -> None:
    on = TODAY + day * DAY
    for row in store(orders, outside):
        case = read_case(case_document(row, on=on))
        assert all(line.dose_since <= on for line in case.history or ())
        assert assess(row, on=on).outcome
