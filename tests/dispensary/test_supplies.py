"""Supplies beside an order are asked about and counted; those that the order goes on with are its own course."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from dispensary.actions import dispenses, patients, prescriptions, sender_status
from dispensary.actors import Actor
from dispensary.assessment import Assessment, assess, case_document, read_case
from dispensary.models import (
    Dispense,
    Patient,
    Pharmacy,
    Prescription,
    PrescriptionStatus,
    PriorSupply,
    Relation,
    SenderStatus,
)
from tests.dispensary import make
from tests.dispensary.make import NOW
from tests.dispensary.reminders import making
from tests.examples import examples

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


def another(shop: Pharmacy) -> Any:
    return make.prescriber(shop, identifier="C7654321", name="Dr Omar Said")


def relations(order: Prescription, on: date = TODAY) -> list[str]:
    """The relation of the order to what runs: `same-course`, or another; nothing where nothing ran."""
    relation = assess(order, on=on).therapy.relate(str(order.pk))
    assert relation is not None
    if not relation.to:
        return []
    return ["concurrent" if relation.relation in {"unknown", "beside"} else "same-course"]


def findings_of(assessment: Assessment) -> dict[str, Any]:
    return {finding.code: finding.to_json() for finding in assessment.review.findings}


def test_sixty_mg_and_forty_five_of_another_prescriber_are_asked_about_as_a_hundred_and_five(
    shop: Pharmacy, patient: Patient, pharmacist: Actor
) -> None:
    make.hand_over(make.prescription(patient, **daily(60)), pharmacist)
    order = make.prescription(patient, ordered_by=another(shop), **daily(45))
    assessment = assess(order, on=TODAY)
    assert assessment.outcome == "override"
    assert findings_of(assessment)["daily-maximum"]["observed"] == {"mg_per_day": "105"}
    assert findings_of(assessment)["supply-relation"]["limit"] == {"mg_per_day": "60"}


def test_it_is_not_handed_over_without_an_answer(shop: Pharmacy, patient: Patient, pharmacist: Actor) -> None:
    make.hand_over(make.prescription(patient, **daily(60)), pharmacist)
    order = make.prescription(patient, ordered_by=another(shop), **daily(45))
    refused = dispenses.dispense(
        prescription=order, quantity=order.quantity, pack=make.pack(), key="k", by=pharmacist, now=NOW
    )
    assert isinstance(refused, dispenses.Refused)
    assert {"daily-maximum", "supply-relation"} <= {question.code for question in refused.unanswered}


@pytest.mark.parametrize("repeats", [0, 1], ids=["completed", "active"])
@pytest.mark.parametrize(
    ("same_prescriber", "mg", "days_left", "then_stop", "relation"),
    [
        pytest.param(True, 30, 20, False, "same-course", id="one prescriber repeats the dose"),
        pytest.param(True, 45, 20, False, "same-course", id="one prescriber raises the dose"),
        pytest.param(True, 15, 20, True, "same-course", id="one prescriber begins to stop"),
        pytest.param(True, 15, 20, False, None, id="one prescriber orders less"),
        pytest.param(False, 30, 20, False, "concurrent", id="another orders the same with much left"),
        pytest.param(False, 30, 8, False, "concurrent", id="another, the day before a refill is due"),
        pytest.param(False, 30, 7, False, "same-course", id="another repeats the dose when a refill is due"),
        pytest.param(False, 45, 1, False, "concurrent", id="another orders more on the last day covered"),
        pytest.param(False, 15, 1, False, "concurrent", id="another orders less on the last day covered"),
        pytest.param(False, 45, 0, False, "concurrent", id="another, on the day the tablets are out"),
        pytest.param(False, 45, -3, False, "same-course", id="another, three days after the tablets are out"),
        pytest.param(True, 15, 0, False, None, id="one prescriber, on the day the tablets are out"),
    ],
)
def test_an_order_goes_on_with_what_runs_or_is_asked_about(
    shop: Pharmacy,
    patient: Patient,
    pharmacist: Actor,
    repeats: int,
    same_prescriber: bool,
    mg: int,
    days_left: int,
    then_stop: bool,
    relation: str | None,
) -> None:
    first = make.prescription(patient, **daily(30, repeats=repeats))
    make.hand_over(first, pharmacist)
    ordered_by = None if same_prescriber else another(shop)
    order = make.prescription(patient, ordered_by=ordered_by, **daily(mg, then_stop=then_stop))
    if relation is None:  # a reduction looks like an extra dose while the order before it is open
        relation = "concurrent" if repeats else "same-course"
    assert relations(order, TODAY + (28 - days_left) * DAY) == [relation]


@pytest.mark.parametrize(
    ("status", "relation"),
    [
        (PrescriptionStatus.ACTIVE, "concurrent"),
        (PrescriptionStatus.ON_HOLD, "concurrent"),
        (PrescriptionStatus.COMPLETED, "concurrent"),
        (PrescriptionStatus.CANCELLED, "concurrent"),
        (PrescriptionStatus.STOPPED, "concurrent"),
        (PrescriptionStatus.REPLACED, "concurrent"),
    ],
)
def test_the_end_of_an_order_ends_no_supply(
    shop: Pharmacy, patient: Patient, pharmacist: Actor, status: PrescriptionStatus, relation: str
) -> None:
    first = make.prescription(patient, **daily(60, repeats=1))
    make.hand_over(first, pharmacist)
    ended_at = None if status in {PrescriptionStatus.ACTIVE, PrescriptionStatus.ON_HOLD} else NOW
    Prescription.objects.filter(pk=first.pk).update(status=status, ended_at=ended_at)
    order = make.prescription(patient, ordered_by=another(shop), **daily(45))
    assert relations(order) == [relation]


def test_what_an_order_replaces_is_its_own_course_also_through_one_never_collected(
    shop: Pharmacy, patient: Patient, pharmacist: Actor
) -> None:
    first = make.prescription(patient, **daily(60))
    make.hand_over(first, pharmacist)
    Prescription.objects.update(status=PrescriptionStatus.ACTIVE, ended_at=None)
    second = make.prescription(patient, ordered_by=another(shop), replaces=first, **daily(45))
    assert relations(second) == ["same-course"]
    third = make.prescription(patient, ordered_by=another(shop), replaces=second, **daily(30))
    assert relations(third) == ["same-course"]


def test_an_order_that_was_replaced_no_longer_runs_once_the_new_one_is_collected(
    shop: Pharmacy, patient: Patient, pharmacist: Actor
) -> None:
    first = make.prescription(patient, **daily(30, repeats=1))
    make.hand_over(first, pharmacist)
    second = make.prescription(patient, replaces=first, **daily(45))
    other = make.prescription(patient, ordered_by=another(shop), **daily(15))
    assert findings_of(assess(other, on=TODAY))["supply-relation"]["limit"] == {"mg_per_day": "30"}
    make.hand_over(second, pharmacist)
    assert findings_of(assess(other, on=TODAY))["supply-relation"]["limit"] == {"mg_per_day": "45"}


def test_an_order_collected_in_full_no_longer_runs_once_what_replaces_it_is_collected(
    shop: Pharmacy, patient: Patient, pharmacist: Actor
) -> None:
    first = make.prescription(patient, **daily(30))
    make.hand_over(first, pharmacist)
    never_collected = make.prescription(patient, replaces=first, **daily(36))
    make.hand_over(make.prescription(patient, replaces=never_collected, **daily(45)), pharmacist)
    other = make.prescription(patient, ordered_by=another(shop), **daily(15))
    assert findings_of(assess(other, on=TODAY))["supply-relation"]["limit"] == {"mg_per_day": "45"}


@pytest.mark.parametrize("withdrawn", [False, True], ids=["cancelled here", "withdrawn by its sender"])
def test_cancelling_the_rest_of_an_order_ends_no_supply(
    shop: Pharmacy, patient: Patient, pharmacist: Actor, withdrawn: bool
) -> None:
    first = make.prescription(patient, **daily(60, repeats=1))
    make.hand_over(first, pharmacist)
    if withdrawn:
        sender_status.withdraw(prescription=first, status=SenderStatus.STOPPED, by=pharmacist, now=NOW)
    else:
        prescriptions.cancel(prescription=first, reason="the patient moves away", by=pharmacist, now=NOW)
    order = make.prescription(patient, ordered_by=another(shop), **daily(45))
    assert findings_of(assess(order, on=TODAY))["daily-maximum"]["observed"] == {"mg_per_day": "105"}


def test_a_returned_supply_no_longer_runs(shop: Pharmacy, patient: Patient, pharmacist: Actor) -> None:
    dispense = make.hand_over(make.prescription(patient, **daily(60)), pharmacist)
    dispenses.return_(dispense=dispense, reason="brought back", by=pharmacist, now=NOW)
    order = make.prescription(patient, ordered_by=another(shop), **daily(45))
    assert relations(order) == []


def test_a_repeat_collected_early_is_counted_once(shop: Pharmacy, patient: Patient, pharmacist: Actor) -> None:
    running = make.prescription(patient, **daily(30, repeats=1))
    make.hand_over(running, pharmacist)
    make.hand_over(running, pharmacist, NOW + 23 * DAY)
    order = make.prescription(patient, ordered_by=another(shop), **daily(15))
    for day in (23, 27, 28, 55):
        limit = findings_of(assess(order, on=TODAY + day * DAY))["supply-relation"]["limit"]
        assert limit == {"mg_per_day": "30"}, day
    assert "supply-relation" not in findings_of(assess(order, on=TODAY + 59 * DAY))


def test_renewals_of_one_prescriber_are_one_course_without_a_gap(
    shop: Pharmacy, patient: Patient, pharmacist: Actor
) -> None:
    for month in range(3):
        at = NOW + month * 28 * DAY
        make.hand_over(make.prescription(patient, now=at, **daily(30, written_on=str(at.date()))), pharmacist, at)
    order = make.prescription(patient, ordered_by=another(shop), **daily(15))
    codes = findings_of(assess(order, on=TODAY + 70 * DAY))
    assert "supply-relation" in codes
    assert not {"late-refill", "restart"} & set(codes)


def test_two_strengths_written_on_one_day_are_added_up(shop: Pharmacy, patient: Patient, pharmacist: Actor) -> None:
    by_25 = {
        "strength_mg": 25,
        "phases": [{"dose": 25, "unit": "mg", "times_per_day": 3, "days": 28}],
        "directions": "25 mg three times a day for 28 days",
        "quantity": 84,
    }
    make.hand_over(make.prescription(patient, **by_25), pharmacist, gtin=make.TWENTY_FIVE_MG)
    order = make.prescription(patient, **daily(30))
    assert findings_of(assess(order, on=TODAY))["daily-maximum"]["observed"] == {"mg_per_day": "105"}


def test_an_order_whose_doses_cannot_be_read_is_not_taken_to_go_on_with_what_runs(
    patient: Patient, pharmacist: Actor
) -> None:
    make.hand_over(make.prescription(patient, **daily(30)), pharmacist)
    assert relations(make.prescription(patient, phases=None, directions="as directed")) == ["concurrent"]


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
        assert read_case(case_document(order, on=TODAY + day * DAY))


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
        has_ended = values["status"] not in {PrescriptionStatus.ACTIVE, PrescriptionStatus.ON_HOLD}
        ends = NOW if has_ended else None
        before = stored[-1] if values["replaces"] and stored else None
        row = making.prescription(
            patient, ordered, then_stop=values["then_stop"], status=values["status"], ended_at=ends, replaces=before
        )
        if values["prescriber"] and stored:
            row.prescriber = stored[0].prescriber
            row.save()
        for number, given_out in enumerate(sorted(values["supplies"], key=lambda supply: supply["after"]), 1):
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


@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(order, min_size=1, max_size=3), st.lists(recorded, max_size=2), st.integers(0, 150))
def test_every_state_that_the_database_can_hold_is_a_case_that_can_be_read(
    db: None, orders: list[dict[str, Any]], outside: list[dict[str, Any]], day: int
) -> None:
    on = TODAY + day * DAY
    for row in store(orders, outside):
        assert assess(row, on=on).outcome
