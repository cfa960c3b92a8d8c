"""Hours, last useful moments and variables of the messages that a therapy makes owing."""

from contextlib import nullcontext
from datetime import date, datetime, time, timedelta
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
from dispensary.reminders.schedule import (
    Hours,
    Planned,
    Standing,
    is_still_true,
    schedule_messages,
    schedule_standing,
)
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


def kinds_by_day(of: Therapy, *kinds: ReminderKind) -> list[tuple[ReminderKind, int]]:
    """The planned messages of some kinds, with their days after TODAY."""
    rows = schedule_messages(of, Hours(time(10), EVERY_DAY), LONDON)
    return [(row.kind, (row.local_date - TODAY).days) for row in rows if row.kind in kinds]


CHECKS = (ReminderKind.STEP_CHECK, ReminderKind.AFTER_END)


def test_the_morning_of_a_change_is_told_before_the_first_dose_and_until_noon() -> None:
    change = planned(state(TAPER))[ReminderKind.CHANGE_DAY]
    assert (change.local_date, change.local_time) == (TODAY + 14 * DAY, time(7))
    assert change.useful_until.astimezone(LONDON) == datetime.combine(TODAY + 14 * DAY, time(12), LONDON)
    assert change.params == planned(state(TAPER))[ReminderKind.DOSE_CHANGE].params


def test_two_days_after_a_step_down_and_three_after_the_end_it_is_asked_how_it_goes() -> None:
    assert kinds_by_day(state(TAPER), *CHECKS) == [(ReminderKind.STEP_CHECK, 16), (ReminderKind.AFTER_END, 31)]
    ends = planned(state(TAPER))
    assert ends[ReminderKind.STEP_CHECK].params == {"date": str(TODAY + 14 * DAY)}, "the first lower day"
    assert ends[ReminderKind.AFTER_END].params == {"date": str(TODAY + 27 * DAY)}, "the last day with tablets"


def test_a_rise_is_not_asked_about() -> None:
    rise = order("R", ([5, 5, 5], 14), ([10, 10, 10], None))
    assert kinds_by_day(state(rise), ReminderKind.CHANGE_DAY, *CHECKS) == [(ReminderKind.CHANGE_DAY, 14)]


@pytest.mark.parametrize(("days", "asked"), [(2, [7]), (3, [5, 8])])
def test_a_step_that_another_follows_within_two_days_is_asked_about_with_that_one(days: int, asked: list[int]) -> None:
    """Steps three days from now, and so many days later; the last dose goes on."""
    steps = order("S", ([20, 20, 20], 3), ([15, 15, 15], days), ([10, 10, 10], None))
    assert [day for _kind, day in kinds_by_day(state(steps, tablets=200), ReminderKind.STEP_CHECK)] == asked


def test_the_question_is_still_owed_on_the_days_between_the_step_and_it_and_after_the_end() -> None:
    for day, expected in ((15, ReminderKind.STEP_CHECK), (16, ReminderKind.STEP_CHECK), (30, ReminderKind.AFTER_END)):
        planned_kinds = kinds_by_day(state(TAPER, today=TODAY + day * DAY), *CHECKS)
        assert planned_kinds[0][0] is expected, day
        message = planned(state(TAPER, today=TODAY + day * DAY))[expected]
        assert is_still_true(expected, message.params, state(TAPER, today=TODAY + (day + 5) * DAY))
    assert kinds_by_day(state(TAPER, today=TODAY + 32 * DAY), *CHECKS) == []


def test_the_first_day_of_what_was_handed_over_before_it_is_told_in_the_morning() -> None:
    later = order("L", ([10, 10, 10], None), starts_on=TODAY + 5 * DAY)
    start = planned(state(later))[ReminderKind.START_DAY]
    assert (start.local_date, start.local_time, start.params) == (
        TODAY + 5 * DAY,
        time(7),
        {"date": str(TODAY + 5 * DAY)},
    )
    assert ReminderKind.START_DAY not in planned(state(MAINTENANCE))


@pytest.mark.parametrize(
    ("kind", "minutes"),
    [
        (ReminderKind.READY, 0),
        (ReminderKind.OWING_READY, 0),
        (ReminderKind.SUPPLY_SHORT, 30),
        (ReminderKind.PRESCRIBER_ASKED, 30),
        (ReminderKind.PAPERS_CHANGED, 30),
    ],
)
def test_what_stands_is_told_once_a_day_and_what_may_be_put_right_at_the_counter_after_half_an_hour(
    kind: ReminderKind, minutes: int
) -> None:
    since = datetime(2026, 11, 22, 10, tzinfo=LONDON)
    (message,) = schedule_standing([Standing(since, kind), Standing(since + timedelta(hours=1), kind)], LONDON)
    assert message.local_time == (since + timedelta(minutes=minutes)).time()
    assert message.useful_until - since == timedelta(days=7, minutes=minutes)


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
