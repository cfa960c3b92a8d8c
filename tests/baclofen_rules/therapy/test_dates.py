"""Days on which somebody is called or watched: what the worked cases do not show."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from baclofen_rules.regimen import Phase
from baclofen_rules.therapy import (
    Decision,
    DecisionKind,
    Facts,
    MessageKind,
    Order,
    OrderStatus,
    Plan,
    Product,
    RiskLevel,
    Supply,
    SupplyStatus,
    follow_ups,
    messages,
    risks,
    therapy,
)
from tests.baclofen_rules.therapy.reading import habits

TODAY = date(2026, 12, 1)
TEN = Decimal(10)


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


def order(name: str, mg: int, days: int | None = None, *, prescriber: str = "dr-a", **more: bool) -> Order:
    return plan_of(name, (mg, days), prescriber=prescriber, **more)


def plan_of(name: str, *phases: tuple[int, int | None], prescriber: str = "dr-a", **more: bool) -> Order:
    """An order of three equal doses a day, with the mg of each and the days of its phases."""
    rows = tuple(Phase((Decimal(mg),) * 3, days) for mg, days in phases)
    plan = Plan((Product(TEN, rows, Decimal(84)),), **more)
    return Order(name, plan, prescriber, TODAY - timedelta(days=40), status=OrderStatus.COMPLETED)


def timed(name: str, strength: int, **times: int) -> Order:
    """An order of one strength that says the time of each dose, in the order in which it is written."""
    doses = tuple(Decimal(mg) for mg in times.values())
    phase = Phase(doses, None, times=tuple(time.replace("at_", "").replace("_", ":") for time in times))
    return Order(name, Plan((Product(Decimal(strength), (phase,), Decimal(84)),)), "dr-a", TODAY, group="g")


def supply(name: str, days_ago: int, tablets: int) -> Supply:
    return Supply(f"s-{name}", TODAY - timedelta(days=days_ago), name, (Decimal(tablets),))


def facts(orders: list[Order], supplies: list[Supply], *decisions: Decision) -> Facts:
    return Facts(TODAY, tuple(orders), tuple(supplies), decisions, habits())


def test_a_dose_as_needed_is_watched_by_what_is_taken_of_it_and_not_of_a_dose_beside_it() -> None:
    orders = [order("A", 10), order("P", 10, as_needed=True)]
    supplies = [supply("A", 5, 84), supply("P", 28, 84)]
    beside = Decision(DecisionKind.BESIDE, "A", TODAY, subject="P")
    assert risks(therapy(facts(orders, supplies, beside))) == []
    takes = Decision(DecisionKind.TAKES, "P", TODAY - timedelta(days=9), mg=Decimal(20))
    (row,) = risks(therapy(facts(orders, supplies, beside, takes)))
    assert (row.course, row.level) == ("P", RiskLevel.MAY_BE_OUT)


@pytest.mark.parametrize(("prescriber", "is_told"), [("dr-b", False), ("dr-a", True)])
def test_a_last_day_is_told_only_where_the_dose_is_known(prescriber: str, is_told: bool) -> None:
    taper = order("T", 5, 14, then_stop=True, prescriber=prescriber)
    other = replace(order("A", 10), written_on=taper.written_on)
    after = therapy(facts([other, taper], [supply("A", 10, 84), supply("T", 0, 21)]))
    assert (after.day(TODAY).mg is not None) is is_told
    assert (MessageKind.LAST_DAY in {message.kind for message in messages(after)}) is is_told


BESIDE = Decision(DecisionKind.BESIDE, "A", TODAY - timedelta(days=30), subject="B")


def told(facts_: Facts, kind: MessageKind) -> list[date]:
    return [message.on for message in messages(therapy(facts_)) if message.kind is kind]


def test_a_change_of_one_course_is_told_though_another_runs_out_on_the_same_day() -> None:
    titration = plan_of("B", (5, 14), (10, None))
    both = facts([order("A", 10), titration], [supply("A", 4, 42), supply("B", 4, 84)], BESIDE)
    assert therapy(both).day(day(10)).uncovered == ("A",)
    assert therapy(both).next_change == day(10)
    assert told(both, MessageKind.DOSE_CHANGE) == [day(9)]


def test_running_out_beside_a_course_that_goes_on_is_no_change() -> None:
    both = facts([order("A", 10), order("B", 5)], [supply("A", 4, 42), supply("B", 4, 84)], BESIDE)
    assert therapy(both).next_change is None
    assert told(both, MessageKind.DOSE_CHANGE) == []


@pytest.mark.parametrize(("status", "is_told"), [(OrderStatus.REPLACED, False), (OrderStatus.COMPLETED, True)])
def test_changes_of_an_order_that_was_replaced_are_not_told_and_its_run_out_is(
    status: OrderStatus, is_told: bool
) -> None:
    titration = replace(plan_of("A", (5, 14), (10, 7), (15, None)), status=status)
    successor = replace(order("B", 20), status=OrderStatus.ACTIVE, replaces="A")
    state = facts([titration, successor], [supply("A", 4, 84)])
    assert therapy(state).changes(after=TODAY) == [day(10), day(17)]
    assert therapy(state).announced_changes(after=TODAY) == ([day(10), day(17)] if is_told else [])
    assert told(state, MessageKind.DOSE_CHANGE) == ([day(9), day(16)] if is_told else [])
    assert told(state, MessageKind.RUN_OUT) == [day(26)]


@pytest.mark.parametrize(("status", "is_told"), [(OrderStatus.REPLACED, False), (OrderStatus.COMPLETED, True)])
def test_the_last_day_of_an_order_that_was_replaced_is_not_told(status: OrderStatus, is_told: bool) -> None:
    taper = replace(plan_of("A", (10, 7), (5, 7), then_stop=True), status=status)
    state = facts([taper], [supply("A", 4, 84)])
    assert therapy(state).last_day == day(9)
    assert told(state, MessageKind.DOSE_CHANGE) == ([day(2)] if is_told else [])
    assert told(state, MessageKind.LAST_DAY) == ([day(9)] if is_told else [])


def test_a_change_to_the_order_that_takes_the_place_of_a_replaced_one_is_told() -> None:
    old = replace(order("A", 10), status=OrderStatus.REPLACED)
    new = replace(order("B", 15), starts_on=day(5), replaces="A")
    state = facts([old, new], [supply("A", 4, 84), supply("B", 0, 126)])
    assert told(state, MessageKind.DOSE_CHANGE) == [day(4)]


def test_a_stop_of_a_replaced_order_is_told() -> None:
    old = replace(order("A", 10), status=OrderStatus.REPLACED)
    stop = Decision(DecisionKind.STOPPED, "A", day(6))
    assert told(facts([old], [supply("A", 4, 84)], stop), MessageKind.LAST_DAY) == [day(5)]


def test_no_last_day_is_told_while_another_fixed_dose_goes_on() -> None:
    taper = plan_of("B", (5, 14), then_stop=True)
    both = facts([order("A", 10), taper], [supply("A", 4, 84), supply("B", 4, 84)], BESIDE)
    assert therapy(both).last_day is None
    assert told(both, MessageKind.LAST_DAY) == []
    assert told(both, MessageKind.DOSE_CHANGE) == [day(9)]


def test_of_two_tapers_the_last_day_of_the_later_is_told() -> None:
    tapers = [plan_of("A", (10, 7), then_stop=True), plan_of("B", (5, 14), then_stop=True)]
    both = facts(tapers, [supply("A", 4, 84), supply("B", 4, 84)], BESIDE)
    assert therapy(both).last_day == day(9)
    assert told(both, MessageKind.LAST_DAY) == [day(9)]


@pytest.mark.parametrize(("days_ago", "is_listed"), [(0, True), (6, True), (7, False)])
def test_a_stop_after_the_tablets_ran_out_is_watched_for_seven_days(days_ago: int, is_listed: bool) -> None:
    stop = Decision(DecisionKind.STOPPED, "A", day(-days_ago))
    state = facts([order("A", 10)], [supply("A", 40, 84)], stop)
    rows = [(row.level, row.first_uncovered, row.mg) for row in risks(therapy(state))]
    assert rows == ([(RiskLevel.STOPPED, day(-days_ago), Decimal(30))] if is_listed else [])


def test_a_stop_of_a_dose_that_nobody_knows_is_watched() -> None:
    unknown = Supply("r1", day(-5), None, days=28)
    (row,) = risks(therapy(facts([], [unknown], Decision(DecisionKind.STOPPED, "r1", TODAY))))
    assert (row.course, row.level, row.mg) == ("r1", RiskLevel.STOPPED, None)


@pytest.mark.parametrize(("mg", "is_listed"), [(None, False), (5, False), (20, True)])
def test_a_stopped_dose_as_needed_is_watched_by_what_was_taken_of_it(mg: int | None, is_listed: bool) -> None:
    orders = [order("A", 10), order("B", 10, as_needed=True)]
    decided = [BESIDE, Decision(DecisionKind.STOPPED, "B", TODAY)]
    if mg is not None:
        decided.append(Decision(DecisionKind.TAKES, "B", day(-3), mg=Decimal(mg)))
    rows = risks(therapy(facts(orders, [supply("A", 5, 84), supply("B", 5, 84)], *decided)))
    assert [row.course for row in rows] == (["B"] if is_listed else [])


def test_a_stop_on_the_day_of_a_changed_dose_is_watched_by_the_dose_before() -> None:
    stop = Decision(DecisionKind.STOPPED, "B", TODAY)
    replaces = Decision(DecisionKind.REPLACES, "A", TODAY, subject="B")
    state = facts([order("A", 10), order("B", 15)], [supply("A", 4, 84), supply("B", 0, 84)], replaces, stop)
    assert [(row.course, row.mg) for row in risks(therapy(state))] == [("B", Decimal(30))]


def test_the_doses_of_a_day_stand_in_the_order_of_their_times() -> None:
    tens = timed("A", 10, evening=20, morning=10)
    fives = timed("B", 5, bedtime=15, midday=5, at_06_30=10)
    both = therapy(facts([tens, fives], [supply("A", 4, 84), supply("B", 4, 84)]))
    rows = [(dose.time, dose.mg, dose.strength_mg) for dose in both.day(TODAY).fixed_doses]
    assert rows == [("06:30", 10, 5), ("morning", 10, 10), ("midday", 5, 5), ("evening", 20, 10), ("bedtime", 15, 5)]
    (label,) = therapy(facts([tens], [supply("A", 4, 84)])).label("s-A")
    assert label.dose.phase.doses == ((10, 20),)
    assert label.dose.phase.times == (("morning", "evening"),)


def test_doses_stand_as_written_where_an_order_says_no_times() -> None:
    both = therapy(
        facts([timed("A", 10, evening=20, morning=10), order("B", 5)], [supply("A", 4, 84), supply("B", 4, 84)])
    )
    doses = both.day(TODAY).fixed_doses
    assert [(dose.time, dose.mg) for dose in doses] == [
        ("morning", 10),
        ("evening", 20),
        (None, 5),
        (None, 5),
        (None, 5),
    ]


def test_a_regimen_written_in_another_order_of_its_times_is_no_change() -> None:
    first = Phase((Decimal(20), Decimal(10)), 7, times=("evening", "morning"))
    then = Phase((Decimal(10), Decimal(20)), None, times=("morning", "evening"))
    plan = Plan((Product(TEN, (first, then), Decimal(84)),))
    assert therapy(facts([replace(order("A", 10), plan=plan)], [supply("A", 4, 84)])).next_change is None


TAPER = ((15, 7), (10, 7), (5, 7))


def asked_after(state: Facts) -> list[tuple[str, int, str]]:
    """First days and days of change, and the questions two days after a step down and three days after an end."""
    due = follow_ups(therapy(state), step_check=2, end_check=3)
    return [(message.kind.value, (message.on - TODAY).days, message.course) for message in due]


def test_each_step_down_and_the_end_of_a_taper_are_asked_about() -> None:
    assert asked_after(facts([plan_of("A", *TAPER, then_stop=True)], [supply("A", 4, 84)])) == [
        ("change_day", 3, "A"),
        ("step_check", 5, "A"),
        ("change_day", 10, "A"),
        ("step_check", 12, "A"),
        ("after_end", 20, "A"),
    ]


def test_a_step_up_is_told_and_not_asked_about() -> None:
    assert asked_after(facts([plan_of("A", (5, 7), (10, None))], [supply("A", 4, 84)])) == [("change_day", 3, "A")]


@pytest.mark.parametrize(("days_ago", "kinds"), [(9, ["step_check"]), (10, []), (7, ["change_day", "step_check"])])
def test_a_step_down_is_asked_about_up_to_its_day(days_ago: int, kinds: list[str]) -> None:
    state = facts([plan_of("A", (10, 7), (5, None))], [supply("A", days_ago, 84)])
    assert [kind for kind, _, _ in asked_after(state)] == kinds


def test_who_gets_tablets_on_the_day_of_a_change_hears_it_with_them() -> None:
    state = facts([plan_of("A", (10, 7), (5, None))], [supply("A", 7, 42), replace(supply("A", 0, 42), id="s-2")])
    assert asked_after(state) == [("step_check", 2, "A")]


@pytest.mark.parametrize(("days", "asked_on"), [(1, [6]), (2, [7]), (3, [5, 8])])
def test_a_step_that_another_follows_before_its_question_is_asked_about_with_that_one(
    days: int, asked_on: list[int]
) -> None:
    state = facts([plan_of("A", (15, 7), (10, days), (5, None))], [supply("A", 4, 84)])
    assert [on for kind, on, _ in asked_after(state) if kind == "step_check"] == asked_on


def test_a_step_is_not_asked_about_when_nothing_is_taken_any_more() -> None:
    state = facts([plan_of("A", (10, 7), (5, 2), then_stop=True)], [supply("A", 4, 84)])
    assert asked_after(state) == [("change_day", 3, "A"), ("after_end", 8, "A")]


@pytest.mark.parametrize(("days_ago", "due"), [(10, [("after_end", 0, "A")]), (11, [])])
def test_an_end_is_asked_about_up_to_its_day(days_ago: int, due: list[tuple[str, int, str]]) -> None:
    assert asked_after(facts([plan_of("A", (5, 7), then_stop=True)], [supply("A", days_ago, 84)])) == due


def test_an_end_beside_a_dose_that_goes_on_and_a_stop_are_not_asked_about() -> None:
    taper = plan_of("B", (5, 7), then_stop=True)
    supplies = [supply("A", 10, 84), supply("B", 10, 84)]
    beside = Decision(DecisionKind.BESIDE, "A", TODAY - timedelta(days=10), subject="B")
    assert asked_after(facts([order("A", 10), taper], supplies, beside)) == []
    stop = Decision(DecisionKind.STOPPED, "A", TODAY - timedelta(days=3))
    assert asked_after(facts([order("A", 10)], [supply("A", 10, 84)], stop)) == []


@pytest.mark.parametrize(
    ("starts_in", "changes", "due"),
    [
        (5, {}, [("start_day", 5, "A")]),
        (0, {}, [("start_day", 0, "A")]),
        (-1, {}, []),
        (5, {"status": SupplyStatus.CANCELLED}, []),
        (5, {"status": SupplyStatus.RETURNED, "returned_on": TODAY}, []),
    ],
)
def test_the_first_day_of_what_was_handed_over_before_it_is_told(
    starts_in: int, changes: dict[str, object], due: list[tuple[str, int, str]]
) -> None:
    later = replace(order("A", 10), starts_on=day(starts_in))
    assert asked_after(facts([later], [replace(supply("A", 3, 84), **changes)])) == due


def test_the_first_day_of_a_dose_in_the_place_of_another_is_a_change() -> None:
    later = replace(order("B", 15), starts_on=day(5), replaces="A")
    state = facts([order("A", 10), later], [supply("A", 4, 84), supply("B", 3, 84)])
    assert asked_after(state) == [("change_day", 5, "B")]


def test_nobody_who_died_is_asked() -> None:
    later = facts([replace(order("A", 10), starts_on=day(5))], [supply("A", 3, 84)])
    assert asked_after(replace(later, died_on=TODAY)) == []
    elsewhere = Supply("r1", day(-3), None, plan=order("A", 10).plan, days=28)
    assert asked_after(facts([], [elsewhere])) == []


def test_what_begins_on_the_day_of_its_hand_over_is_no_first_day_to_tell() -> None:
    assert asked_after(facts([order("A", 10)], [supply("A", 0, 84)])) == []


def test_a_first_day_is_told_though_another_hand_over_came_back() -> None:
    later = replace(order("B", 10), starts_on=day(5))
    back = replace(supply("A", 3, 84), status=SupplyStatus.CANCELLED)
    assert asked_after(facts([order("A", 10), later], [back, supply("B", 3, 84)])) == [("start_day", 5, "B")]


def test_the_same_dose_in_other_parts_is_a_change_and_no_step_down() -> None:
    phases = (Phase((Decimal(20), Decimal(10)), 7), Phase((Decimal(15), Decimal(15)), None))
    even = replace(order("A", 10), plan=Plan((Product(TEN, phases, Decimal(84)),)))
    assert asked_after(facts([even], [supply("A", 4, 84)])) == [("change_day", 3, "A")]


def test_an_end_is_not_asked_about_while_a_dose_as_needed_runs() -> None:
    orders = [plan_of("B", (5, 7), then_stop=True), order("A", 10, as_needed=True)]
    assert asked_after(facts(orders, [supply("A", 10, 84), supply("B", 10, 84)], BESIDE)) == []
