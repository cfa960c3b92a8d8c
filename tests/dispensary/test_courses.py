"""A course is counted from its first supply: on the page before a hand-over, on the papers after it, in the messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest

from baclofen_rules.regimen import Phase, Regimen
from dispensary import handover
from dispensary.actors import Actor
from dispensary.assessment import assess
from dispensary.counter.check_view import build_check_view
from dispensary.courses import SupplyDays, course_start, dated_phases
from dispensary.documents.calendar import calendar_days
from dispensary.models import Dispense, Pharmacy, Prescription, Reminder, ReminderState
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


def printed(dispense: Dispense) -> list[tuple[list[int], date, date | None]]:
    """Doses, first and last day of each line of the label."""
    course = handover.printed_course(dispense)
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
    days = calendar_days(handover.printed_course(second))
    assert {day["total"] for day in days} == {"25\u00a0mg"}
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
    assert handover.printed_course(second).then_stop


def test_the_messages_of_a_second_supply_tell_the_changes_that_its_label_tells(
    shop: Pharmacy, pharmacist: Actor
) -> None:
    order = make.prescription(make.patient(shop), **TAPER)
    make.hand_over(order, pharmacist)
    second = make.hand_over(order, pharmacist, NOW + 28 * DAY)
    changes = Reminder.objects.filter(plan__dispense=second, kind="dose_change", state=ReminderState.SCHEDULED)
    assert sorted(change.params["date"] for change in changes) == [
        str(first_on) for _, first_on, _ in printed(second) if first_on > second.starts_on
    ]


@pytest.mark.parametrize("ordered", [TITRATION, TAPER, {"repeats": 2}], ids=["titration", "taper", "one dose"])
@pytest.mark.parametrize("days_after", [23, 28, 29, 31, 120], ids=lambda days: f"after {days} days")
def test_the_page_before_a_second_supply_shows_what_is_printed_after_it(
    shop: Pharmacy, pharmacist: Actor, ordered: dict[str, object], days_after: int
) -> None:
    order = make.prescription(make.patient(shop), **ordered)
    make.hand_over(order, pharmacist)
    later = NOW + days_after * DAY
    before = build_check_view(order, assess(order, on=later.date()))
    second = make.hand_over(order, pharmacist, later)
    assert [(row.first_on, row.last_on, row.mg_per_day) for row in before.course] == [
        (line.first_on, line.last_on, line.mg_per_day) for line in handover.printed_course(second).stretches
    ]
    assert (before.days_supply, before.run_out_on) == (second.days_supply, second.run_out_on)


def test_the_page_numbers_the_phases_as_the_order_does(shop: Pharmacy, pharmacist: Actor) -> None:
    order = make.prescription(make.patient(shop), **TITRATION)
    make.hand_over(order, pharmacist)
    (row,) = build_check_view(order, assess(order, on=TODAY + 28 * DAY)).course
    assert (row.number, row.tablets) == (3, Decimal(65))


def regimen(*doses_and_days: tuple[int, int | None], then_stop: bool | None = None) -> Regimen:
    return Regimen(tuple(Phase((Decimal(dose),), days) for dose, days in doses_and_days), then_stop)


RISING, TO_NOTHING = regimen((15, 14), (20, 14), (25, None)), regimen((15, 14), (10, 14), then_stop=True)


@pytest.mark.parametrize(
    ("course", "days", "begins_after"),
    [
        pytest.param(RISING, [(0, 28)], 0, id="the first supply begins the course"),
        pytest.param(RISING, [(0, 28), (28, 56)], 0, id="collected on the day the first runs out"),
        pytest.param(RISING, [(0, 28), (23, 51)], 0, id="collected early"),
        pytest.param(RISING, [(0, 28), (30, 58)], 0, id="two days without tablets"),
        pytest.param(RISING, [(0, 28), (31, 59)], 31, id="three days without tablets are a restart"),
        pytest.param(RISING, [(0, 28), (31, 59), (59, 87)], 31, id="what follows a restart goes on with it"),
        pytest.param(RISING, [(0, 56), (28, 50), (57, 80)], 0, id="cover is the latest end of all before"),
        pytest.param(TO_NOTHING, [(0, 14), (14, 28)], 0, id="the second half of a course that stops"),
        pytest.param(TO_NOTHING, [(0, 27), (27, 30)], 0, id="its last day"),
        pytest.param(TO_NOTHING, [(0, 28), (28, 56)], 28, id="after its planned end a course begins anew"),
        pytest.param(None, [(0, 28), (28, 56)], 0, id="an order that cannot be read"),
    ],
)
def test_a_course_begins_with_its_first_supply(
    course: Regimen | None, days: Sequence[tuple[int, int]], begins_after: int
) -> None:
    supplies = [SupplyDays(TODAY + first * DAY, TODAY + end * DAY) for first, end in days]
    assert course_start(course, supplies, "lioresal") == TODAY + begins_after * DAY


@pytest.mark.parametrize(
    ("course", "starts_after", "run_out_after", "phases"),
    [
        pytest.param(RISING, 0, 28, [(15, 0, 13), (20, 14, 27), (25, 28, None)], id="from the first day"),
        pytest.param(RISING, 13, 28, [(15, 13, 13), (20, 14, 27), (25, 28, None)], id="on the last day of a phase"),
        pytest.param(RISING, 14, 28, [(20, 14, 27), (25, 28, None)], id="on the first day of the next"),
        pytest.param(RISING, 90, 118, [(25, 90, None)], id="in the open phase"),
        pytest.param(regimen((15, 14), (20, 14)), 28, 56, [(20, 28, 55)], id="past the plan the last phase goes on"),
        pytest.param(regimen((15, 14), (20, 14)), 7, 12, [(15, 7, 13), (20, 14, 27)], id="a supply inside the plan"),
        pytest.param(TO_NOTHING, 20, 48, [(10, 20, 27)], id="a course that stops keeps its last day"),
    ],
)
def test_a_supply_tells_the_phases_that_are_left(
    course: Regimen, starts_after: int, run_out_after: int, phases: list[tuple[int, int, int | None]]
) -> None:
    left = dated_phases(course, TODAY, TODAY + starts_after * DAY, TODAY + run_out_after * DAY)
    assert [(phase.doses_mg, phase.first_on, phase.last_on) for phase in left] == [
        ((Decimal(dose),), TODAY + first * DAY, None if last is None else TODAY + last * DAY)
        for dose, first, last in phases
    ]
