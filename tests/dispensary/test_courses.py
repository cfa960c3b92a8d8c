"""A course is counted from its first supply: on the page before a hand-over, on the papers after it, in the messages."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dispensary import handover
from dispensary.actions.decisions import Decided
from dispensary.actions.therapy import record_decision
from dispensary.actors import Actor
from dispensary.assessment import assess, therapy_of
from dispensary.counter.check_view import build_check_view
from dispensary.documents import Course
from dispensary.documents.calendar import calendar_days
from dispensary.errors import Conflict
from dispensary.models import (
    DecisionKind,
    Dispense,
    Patient,
    Pharmacy,
    Prescription,
    Reminder,
    ReminderState,
    WorkKind,
    WorklistItem,
)
from tests.dispensary import make
from tests.dispensary.make import NOW

TODAY = NOW.date()
DAY = timedelta(days=1)
TITRATION = {
    "phases": [
        {"dose": 5, "unit": "mg", "times_per_day": 3, "days": 3},
        {"doses": [10, 5, 5], "unit": "mg", "days": 3},
        {"doses": [10, 10, 5], "unit": "mg", "days": 22},
    ],
    "directions": "5 mg three times a day for 3 days, then 10 mg, 5 mg, 5 mg for 3 days, then 10 mg, 10 mg, 5 mg for 22 days",
    "then_stop": False,
    "quantity": Decimal("65.5"),
    "repeats": 2,
}
TAPER = {
    "phases": [{"dose": dose, "unit": "mg", "times_per_day": 3, "days": 14} for dose in (20, 15, 10, 5)],
    "directions": "20 mg three times a day for 14 days, then 15 mg three times a day for 14 days, "
    "then 10 mg three times a day for 14 days, then 5 mg three times a day for 14 days, then stop",
    "then_stop": True,
    "quantity": 147,
    "repeats": 1,
}


@pytest.fixture
def shop(db: None) -> Pharmacy:
    make.products()
    return make.pharmacy()


@pytest.fixture
def pharmacist(shop: Pharmacy) -> Actor:
    return make.staff(shop).actor()


def day_of(dispense: Dispense) -> date:
    """The day of a hand-over."""
    return dispense.pharmacy.local_day(dispense.handed_over_at)


def label_course(dispense: Dispense) -> Course:
    """The days that the label of a hand-over says on its day."""
    return handover.label_of(handover.handed_over(dispense, day_of(dispense)), dispense)


def printed(dispense: Dispense) -> list[tuple[list[int], date, date | None]]:
    """Doses, first and last day of each line of the label."""
    course = label_course(dispense)
    return [([int(dose) for dose in line.doses_mg], line.first_on, line.last_on) for line in course.stretches]


def shown(order: Prescription, on: date) -> list[tuple[str, date, date | None]]:
    """Dose, first and last day of each row of the check page."""
    return [(row.dose, row.first_on, row.last_on) for row in build_check_view(order, assess(order, on=on)).course]


def test_the_second_supply_of_a_titration_goes_on_where_the_first_ended(shop: Pharmacy, pharmacist: Actor) -> None:
    order = make.prescription(make.patient(shop), **TITRATION)
    make.hand_over(order, pharmacist)
    later = NOW + 28 * DAY
    second = make.hand_over(order, pharmacist, later)
    assert printed(second) == [([10, 10, 5], later.date(), later.date() + 25 * DAY)]
    days = calendar_days(label_course(second))
    assert {day["total"] for day in days} == {"25\u00a0mg a day"}
    assert (days[0]["on"], days[-1]["on"]) == (later.date(), second.run_out_on - DAY)


def test_a_later_supply_lasts_as_long_as_its_tablets_do_where_the_course_stands(
    shop: Pharmacy, pharmacist: Actor
) -> None:
    order = make.prescription(make.patient(shop), **TITRATION)
    assert make.hand_over(order, pharmacist).days_supply == 28
    assert make.hand_over(order, pharmacist, NOW + 28 * DAY).days_supply == 26  # 65.5 tablets at two and a half a day


def test_the_first_supply_prints_the_whole_course(shop: Pharmacy, pharmacist: Actor) -> None:
    first = make.hand_over(make.prescription(make.patient(shop), **TITRATION), pharmacist)
    assert printed(first) == [
        ([5, 5, 5], TODAY, TODAY + 2 * DAY),
        ([10, 5, 5], TODAY + 3 * DAY, TODAY + 5 * DAY),
        ([10, 10, 5], TODAY + 6 * DAY, TODAY + 27 * DAY),
    ]


@pytest.mark.parametrize(
    ("usual_times", "times"),
    [
        ("none", ()),
        ("evening", ("morning", "midday", "evening")),
        ("bedtime", ("morning", "midday", "bedtime")),
    ],
)
def test_label_and_calendar_name_the_usual_times_of_the_pharmacy_where_the_order_names_none(
    db: None, usual_times: str, times: tuple[str, ...]
) -> None:
    make.products()
    shop = make.pharmacy(usual_times=usual_times)
    dispense = make.hand_over(make.prescription(make.patient(shop), **TITRATION), make.staff(shop).actor())
    papers = handover.printed_handover(dispense, TODAY)
    assert papers.calendar is not None
    for course in (papers.course, papers.calendar):
        assert {stretch.times for stretch in course.stretches} == {times}


def test_the_times_of_an_order_stand_before_the_usual_ones(shop: Pharmacy, pharmacist: Actor) -> None:
    phases = [{"doses": [10, 5], "unit": "mg", "times": ["midday", "bedtime"], "days": 28}]
    order = make.prescription(
        make.patient(shop), **(TITRATION | {"phases": phases, "directions": None, "quantity": 42})
    )
    papers = handover.printed_handover(make.hand_over(order, pharmacist), TODAY)
    assert papers.calendar is not None
    assert [c.stretches[0].times for c in (papers.course, papers.calendar)] == [("midday", "bedtime")] * 2


def test_a_label_of_the_united_states_says_prescriber_refills_and_when_to_discard(db: None) -> None:
    make.products()
    shop = make.pharmacy(label_layout="us")
    order, person = make.prescription(make.patient(shop), **TITRATION), make.staff(shop).actor()
    first = make.hand_over(order, person)
    second = make.hand_over(order, person, NOW + 28 * DAY)
    for dispense, refills in ((first, 2), (second, 1)):
        papers = handover.printed_handover(dispense, day_of(dispense))
        assert (papers.prescriber, papers.refills) == ("Dr Grace Mwangi", refills)
        assert papers.discard_on == min(day_of(dispense) + 365 * DAY, dispense.expiry or date.max)


def test_half_a_taper_printed_with_its_second_supply_goes_on_downwards_and_ends_on_its_day(
    shop: Pharmacy, pharmacist: Actor
) -> None:
    order = make.prescription(make.patient(shop), **TAPER)
    make.hand_over(order, pharmacist)
    second = make.hand_over(order, pharmacist, NOW + 28 * DAY)
    assert printed(second) == [
        ([10, 10, 10], TODAY + 28 * DAY, TODAY + 41 * DAY),
        ([5, 5, 5], TODAY + 42 * DAY, TODAY + 55 * DAY),
    ]
    assert label_course(second).then_stop


def test_the_messages_of_a_second_supply_tell_the_changes_that_its_label_tells(
    shop: Pharmacy, pharmacist: Actor
) -> None:
    order = make.prescription(make.patient(shop), **TAPER)
    make.hand_over(order, pharmacist)
    second = make.hand_over(order, pharmacist, NOW + 28 * DAY)
    changes = Reminder.objects.filter(patient=order.patient, kind="dose_change", state=ReminderState.SCHEDULED)
    dates = sorted(change.params["date"] for change in changes)
    assert [date for date in dates if date > str(second.starts_on)] == [
        str(first_on) for _, first_on, _ in printed(second) if first_on > second.starts_on
    ]


@pytest.mark.parametrize("ordered", [TITRATION, TAPER, {"repeats": 2}], ids=["titration", "taper", "one dose"])
@pytest.mark.parametrize("days_after", [23, 28, 29, 31], ids=lambda days: f"after {days} days")
def test_the_page_before_a_second_supply_shows_what_is_printed_after_it(
    shop: Pharmacy, pharmacist: Actor, ordered: dict[str, object], days_after: int
) -> None:
    order = make.prescription(make.patient(shop), **ordered)
    make.hand_over(order, pharmacist)
    later = NOW + days_after * DAY
    before = build_check_view(order, assess(order, on=later.date()))
    second = make.hand_over(order, pharmacist, later)
    assert [(row.first_on, row.last_on, row.mg_per_day) for row in before.course] == [
        (line.first_on, line.last_on, line.mg_per_day) for line in label_course(second).stretches
    ]
    assert (before.days_supply, before.run_out_on) == (second.days_supply, second.run_out_on)


def test_the_page_numbers_the_phases_as_the_order_does(shop: Pharmacy, pharmacist: Actor) -> None:
    order = make.prescription(make.patient(shop), **TITRATION)
    make.hand_over(order, pharmacist)
    (row,) = build_check_view(order, assess(order, on=TODAY + 28 * DAY)).course
    assert (row.number, row.tablets) == (3, Decimal(65))


def test_papers_of_a_plan_whose_start_was_moved_say_the_moved_days(shop: Pharmacy, pharmacist: Actor) -> None:
    start = TODAY + 5 * DAY
    order = make.prescription(make.patient(shop), starts_on=start.isoformat(), **TITRATION)
    dispense = make.hand_over(order, pharmacist)
    assert printed(dispense)[0] == ([5, 5, 5], start, start + 2 * DAY)
    decided = Decided(DecisionKind.MOVED, str(order.pk), days=2, mitigation="5", words="She begins on Tuesday.")
    record_decision(patient=order.patient, decided=decided, by=pharmacist, now=NOW + DAY)
    dispense = Dispense.objects.get(pk=dispense.pk)
    assert printed(dispense)[0] == ([5, 5, 5], start + 2 * DAY, start + 4 * DAY)
    calendar = handover.printed_handover(dispense, TODAY + DAY).calendar
    assert calendar is not None and calendar.stretches[0].first_on == start + 2 * DAY


def decide(order: Prescription, by: Actor, now: datetime, kind: DecisionKind, **amounts: Any) -> None:
    decided = Decided(kind, str(order.pk), mitigation="5", words="Said so.", **amounts)
    record_decision(patient=order.patient, decided=decided, by=by, now=now)


@pytest.mark.parametrize(("count", "days_left"), [("14", 9), ("60", 40)])
def test_papers_of_a_supply_that_was_counted_at_home_end_with_what_was_counted(
    shop: Pharmacy, pharmacist: Actor, count: str, days_left: int
) -> None:
    order = make.prescription(make.patient(shop))
    dispense = make.hand_over(order, pharmacist)
    decide(order, pharmacist, NOW + 7 * DAY, DecisionKind.COUNTED, tablets=(Decimal(count),))
    made = handover.handed_over(Dispense.objects.get(pk=dispense.pk), TODAY + 7 * DAY)
    assert made.run_out_on == TODAY + (7 + days_left) * DAY
    calendar = handover.printed_handover(Dispense.objects.get(pk=dispense.pk), TODAY + 7 * DAY).calendar
    assert calendar is not None
    assert calendar.stretches[-1].last_on == TODAY + (6 + days_left) * DAY
    assert WorklistItem.objects.filter(kind=WorkKind.PAPERS_OUTDATED).exists()


def test_what_was_counted_after_a_repeat_says_nothing_of_the_supply_before_it(
    shop: Pharmacy, pharmacist: Actor
) -> None:
    order = make.prescription(make.patient(shop), repeats=1)
    first = make.hand_over(order, pharmacist)
    make.hand_over(order, pharmacist, NOW + 26 * DAY)
    decide(order, pharmacist, NOW + 27 * DAY, DecisionKind.COUNTED, tablets=(Decimal(90),))
    assert handover.handed_over(Dispense.objects.get(pk=first.pk), TODAY + 27 * DAY).run_out_on == first.run_out_on


def test_what_a_patient_says_to_take_leaves_the_papers_as_ordered(shop: Pharmacy, pharmacist: Actor) -> None:
    order = make.prescription(make.patient(shop))
    dispense = make.hand_over(order, pharmacist)
    before = printed(dispense)
    decide(order, pharmacist, NOW + DAY, DecisionKind.TAKES, mg=Decimal(10))
    assert printed(Dispense.objects.get(pk=dispense.pk)) == before
    assert not WorklistItem.objects.filter(kind=WorkKind.PAPERS_OUTDATED).exists()


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        (DecisionKind.MOVED, {"days": 2}),
        (DecisionKind.TAKES, {"mg": Decimal(10)}),
        (DecisionKind.COUNTED, {"tablets": (Decimal(0),)}),
    ],
)
def test_what_would_say_nothing_of_what_is_taken_is_refused(
    shop: Pharmacy, pharmacist: Actor, kind: DecisionKind, amount: dict[str, Any]
) -> None:
    order = make.prescription(make.patient(shop))
    with pytest.raises(Conflict, match="Nothing of this is taken today"):
        decide(order, pharmacist, NOW, kind, **amount)
    assert not order.patient.decisions.exists()
    make.hand_over(order, pharmacist)
    decide(order, pharmacist, NOW, kind, **amount)


def test_tablets_counted_at_home_begin_an_order_that_was_never_handed_over(shop: Pharmacy, pharmacist: Actor) -> None:
    order = make.prescription(make.patient(shop))
    decide(order, pharmacist, NOW, DecisionKind.COUNTED, tablets=(Decimal(30),))
    assert therapy_of(Patient.objects.get(pk=order.patient_id), TODAY).threads[0].first_uncovered == TODAY + 20 * DAY
