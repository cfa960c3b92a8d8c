"""Hours, last useful moments and variables of the messages that a therapy makes owing."""

from contextlib import nullcontext
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError

from baclofen_rules.regimen import Phase
from baclofen_rules.therapy import (
    Decision,
    DecisionKind,
    Facts,
    Order,
    Plan,
    Product,
    Supply,
    Therapy,
    therapy,
)
from dispensary.models.opening import OpeningDays, validate_region, validate_weekdays
from dispensary.models.reminders import ReminderKind
from dispensary.reminders.schedule import Hours, Planned, is_still_true, schedule_messages
from tests.baclofen_rules.therapy.reading import amounts, habits

LONDON = ZoneInfo("Europe/London")
TODAY = date(2026, 11, 22)
DAY = timedelta(days=1)
EVERY_DAY = OpeningDays()


def order(name: str, *phases: tuple[list[int], int | None], strengths: tuple[int, ...] = (10,), **more: Any) -> Order:
    """An order whose products all have these phases."""
    products = tuple(
        Product(Decimal(mg), tuple(Phase(amounts(doses), days) for doses, days in phases)) for mg in strengths
    )
    plan = Plan(products, more.pop("as_needed", False), more.pop("then_stop", None))
    return Order(name, plan, prescriber="dr-a", written_on=TODAY, **more)


def state(*orders: Order, tablets: int = 84, decisions: tuple[Decision, ...] = (), today: date = TODAY) -> Therapy:
    supplies = tuple(
        Supply(f"s{n}", TODAY, row.id, (Decimal(tablets),) * len(row.plan.products)) for n, row in enumerate(orders)
    )
    return therapy(Facts(today, orders, supplies, decisions, habits()))


def planned(of: Therapy, opening: OpeningDays = EVERY_DAY) -> dict[ReminderKind, Planned]:
    return {message.kind: message for message in schedule_messages(of, Hours(time(10), opening), LONDON)}


MAINTENANCE = order("A", ([10, 10, 10], None))
TAPER = order("B", ([10, 10, 10], 14), ([5, 5, 5], 14), then_stop=True)


def test_each_call_is_useful_until_the_next_one() -> None:
    calls = planned(state(MAINTENANCE))
    ends = [calls[kind].useful_until.astimezone(LONDON).date() for kind in list(ReminderKind) if kind in calls]
    uncovered = TODAY + 28 * DAY
    assert ends == [uncovered - 2 * DAY, uncovered, uncovered + 2 * DAY, uncovered + 9 * DAY]
    assert {calls[kind].params["date"] for kind in calls} == {uncovered.isoformat()}
    assert [calls[kind].occurrence for kind in calls] == ["-7d", "-2d", "0d", "+2d"]


def test_a_change_is_said_in_the_evening_and_until_noon_of_its_day() -> None:
    change = planned(state(TAPER))[ReminderKind.DOSE_CHANGE]
    day = TODAY + 14 * DAY
    assert (change.local_date, change.local_time, change.occurrence) == (day - DAY, time(17), day.isoformat())
    assert change.useful_until.astimezone(LONDON).time() == time(12)
    assert change.params == {
        "date": day.isoformat(), "before": ["10", "10", "10"], "after": ["5", "5", "5"], "strength": "10"
    }  # fmt: skip


def test_the_last_day_is_said_on_its_morning_and_until_the_evening() -> None:
    last = planned(state(TAPER))[ReminderKind.LAST_DAY]
    assert (last.local_date, last.local_time) == (TODAY + 27 * DAY, time(10))
    assert last.useful_until.astimezone(LONDON).time() == time(21)


def test_a_change_of_two_strengths_adds_the_doses_of_one_time_and_names_no_tablets() -> None:
    both = order("C", ([10, 10, 10], 14), ([5, 5, 5], None), strengths=(10, 25))
    change = planned(state(both))[ReminderKind.DOSE_CHANGE]
    assert (change.params["before"], change.params["after"]) == (["20", "20", "20"], ["10", "10", "10"])
    assert "strength" not in change.params


def test_a_change_beside_another_course_says_the_sum_of_the_day() -> None:
    beside = Decision(DecisionKind.BESIDE, "A", TODAY, subject="B")
    change = planned(state(MAINTENANCE, TAPER, decisions=(beside,)))[ReminderKind.DOSE_CHANGE]
    assert sum(amounts(change.params["after"])) == 45  # type: ignore[arg-type]  # a list of texts


def test_as_needed_calls_once() -> None:
    assert list(planned(state(order("P", ([10, 10, 10], None), as_needed=True)))) == [ReminderKind.REFILL_DUE]


def test_a_message_is_true_while_its_day_and_its_doses_are() -> None:
    now = state(TAPER)
    later = state(TAPER, decisions=(Decision(DecisionKind.MOVED, "B", TODAY + DAY, days=3),), today=TODAY + DAY)
    change = planned(now)[ReminderKind.DOSE_CHANGE]
    assert is_still_true(change.kind, change.params, now)
    assert is_still_true(change.kind, change.params, state(TAPER, today=TODAY + 14 * DAY))
    assert not is_still_true(change.kind, change.params, later)
    assert not is_still_true(change.kind, {**change.params, "after": ["5"]}, now)


def test_a_call_is_true_while_the_tablets_end_on_its_day() -> None:
    call = planned(state(MAINTENANCE))[ReminderKind.RUN_OUT]
    assert is_still_true(call.kind, call.params, state(MAINTENANCE, today=TODAY + 29 * DAY))
    assert not is_still_true(call.kind, call.params, state(MAINTENANCE, tablets=90))


def test_the_end_of_the_tablets_is_said_on_the_evening_before() -> None:
    call = planned(state(MAINTENANCE))[ReminderKind.RUN_OUT]
    assert (call.local_date, call.local_time) == (TODAY + 27 * DAY, time(17))
    assert call.params["date"] == (TODAY + 28 * DAY).isoformat()


def test_it_is_said_on_the_last_open_evening_where_the_pharmacy_is_closed_on_the_one_before() -> None:
    """The tablets end before Sunday 20 December; the second call would leave on Friday, and the last on Saturday."""
    calls = planned(state(MAINTENANCE), OpeningDays("12345"))
    assert calls[ReminderKind.RUN_OUT].local_date == date(2026, 12, 18)
    assert calls[ReminderKind.REFILL_AGAIN].local_date == date(2026, 12, 18)
    assert calls[ReminderKind.MISSED_COLLECTION].local_date == date(2026, 12, 22)


def test_nobody_is_asked_to_call_on_a_public_holiday() -> None:
    """108 tablets of 3 a day end before Monday 28 December, the substitute for Boxing Day; 25 and 26 are closed as well."""
    calls = planned(state(MAINTENANCE, tablets=108), OpeningDays("123456", "GB-ENG"))
    assert calls[ReminderKind.RUN_OUT].params["date"] == "2026-12-28"
    assert calls[ReminderKind.RUN_OUT].local_date == date(2026, 12, 24)
    assert calls[ReminderKind.REFILL_AGAIN].local_date == date(2026, 12, 24)


@pytest.mark.parametrize("days", ["", "12 5", "21", "8", "11"])
def test_a_week_without_an_open_day_or_misspelt_is_refused(days: str) -> None:
    with pytest.raises(ValidationError):
        validate_weekdays(days)


@pytest.mark.parametrize(
    ("region", "is_known"), [("", True), ("GB-ENG", True), ("FR", True), ("GB-XX", False), ("Mars", False)]
)
def test_a_region_without_known_holidays_is_refused(region: str, is_known: bool) -> None:
    with nullcontext() if is_known else pytest.raises(ValidationError):
        validate_region(region)


def test_a_week_that_is_always_closed_holds_no_message_back() -> None:
    assert OpeningDays("").last_open(TODAY) == TODAY
