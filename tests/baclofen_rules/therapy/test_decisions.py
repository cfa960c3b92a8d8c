"""Several decisions about one hand-over, and courses that end before their decision takes effect."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from baclofen_rules.therapy import (
    Decision,
    DecisionKind,
    How,
    Order,
    OrderStatus,
    Relation,
    Supply,
    SupplyStatus,
    therapy,
)
from tests.baclofen_rules.therapy.test_dates import TODAY, day, facts, order, plan_of, supply

CONTINUES, REPLACES, BESIDE = DecisionKind.CONTINUES, DecisionKind.REPLACES, DecisionKind.BESIDE


def running(on: date, orders: list[Order], supplies: list[Supply], *decisions: Decision) -> tuple[str, ...]:
    return therapy(facts(orders, supplies, *decisions)).day(on).running


def test_what_continues_one_course_by_decision_ends_the_one_it_replaces() -> None:
    orders = [order("A", 10, prescriber="dr-b"), order("B", 5, prescriber="dr-c"), order("C", 10)]
    supplies = [supply("A", 10, 84), supply("B", 10, 84), supply("C", 0, 84)]
    decided = [
        Decision(BESIDE, "A", day(-10), subject="B"),
        Decision(CONTINUES, "A", TODAY, subject="C"),
        Decision(REPLACES, "B", TODAY, subject="C"),
    ]
    after = therapy(facts(orders, supplies, *decided))
    assert (after.day(day(-1)).mg, after.day(TODAY).mg) == (45, 30)
    assert after.day(TODAY).running == ("A",)
    assert after.course("A").first_uncovered == day(18 + 28)


def test_what_a_repeat_of_a_planned_course_replaces_runs_until_that_begins() -> None:
    planned = replace(order("B", 15), starts_on=day(10))
    orders = [order("A", 10, prescriber="dr-b"), planned]
    supplies = [supply("A", 10, 84), Supply("s1", day(-3), "B", (Decimal(84),)), supply("B", 0, 42)]
    decided = Decision(REPLACES, "A", TODAY, subject="B")
    assert running(day(9), orders, supplies, decided) == ("A",)
    assert running(day(10), orders, supplies, decided) == ("B",)


def test_a_course_whose_plan_has_ended_takes_the_place_of_none() -> None:
    orders = [plan_of("A", (5, 7), then_stop=True), order("B", 10)]
    supplies = [Supply("s1", day(-12), "A", (Decimal(21),)), supply("B", 10, 84), supply("A", 8, 3)]
    decided = [
        Decision(BESIDE, "A", day(-10), subject="B"),
        Decision(REPLACES, "B", day(-8), subject="A", starts_on=day(-2)),
    ]
    assert running(day(-5), orders, supplies, *decided) == ("B",)
    assert running(TODAY, orders, supplies, *decided) == ("B",)


def test_what_replaces_a_course_stands_as_unknown_to_what_that_was_unknown_to_also_after_a_pause() -> None:
    orders = [order("A", 10, prescriber="dr-b"), order("B", 15), order("C", 20)]
    supplies = [
        Supply("s1", day(-40), "A", (Decimal(84),)),
        Supply("s2", day(-30), "B", (Decimal(189),)),
        supply("C", 5, 84),
        supply("A", 1, 84),
    ]
    decided = Decision(REPLACES, "B", day(-5), subject="C")
    after = therapy(facts(orders, supplies, decided))
    assert after.day(day(-6)).running == ("B",)
    assert (after.day(TODAY).mg, after.day(TODAY).low, after.day(TODAY).high) == (None, 30, 90)


@pytest.mark.parametrize(("kind", "doses"), [(None, (None, 30, 75)), (BESIDE, (75, 75, 75)), (REPLACES, (30, 30, 30))])
def test_a_hand_over_on_the_day_of_a_planned_start_stands_as_the_screen_said(
    kind: DecisionKind | None, doses: tuple[int | None, int, int]
) -> None:
    old = replace(order("A", 10), status=OrderStatus.ACTIVE)
    planned = replace(order("B", 15), starts_on=TODAY, replaces="A")
    state = therapy(facts([old, planned], [supply("A", 10, 84), Supply("s1", day(-3), "B", (Decimal(126),))]))
    relation = state.relate("A")
    assert relation is not None
    assert (relation.relation, relation.how, relation.to) == (Relation.UNKNOWN, How.OUTDATED, ("B",))
    answer = () if kind is None else (Decision(kind, "B", TODAY, subject="A"),)
    after = state.with_hand_over("A", (Decimal(42),), answer).day(TODAY)
    assert (after.mg, after.low, after.high) == doses


def test_a_repeat_of_an_order_that_a_recorded_supply_of_the_day_replaced_stands_as_the_screen_said() -> None:
    raised = Supply("r1", TODAY, None, plan=order("R", 45).plan, days=28, prescriber="dr-a")
    state = therapy(facts([replace(order("A", 10), status=OrderStatus.ACTIVE)], [supply("A", 10, 84), raised]))
    relation = state.relate("A")
    assert relation is not None
    assert (relation.relation, relation.how, relation.to) == (Relation.UNKNOWN, How.OUTDATED, ("r1",))
    after = state.with_hand_over("A", (Decimal(42),)).day(TODAY)
    assert (after.mg, after.low, after.high) == (None, 30, 165)


def test_what_was_replaced_before_it_was_taken_begins_anew_when_that_comes_back() -> None:
    taper = replace(plan_of("B", (10, 7), (5, 7), then_stop=True), starts_on=day(-6))
    back = replace(supply("A", 8, 42), status=SupplyStatus.RETURNED, returned_on=day(-2))
    orders = [taper, replace(order("A", 15), starts_on=day(-6), replaces="B")]
    state = therapy(facts(orders, [supply("B", 10, 42), back]))
    assert [state.day(day(on)).running for on in (-6, -3, -2)] == [("A",), ("A",), ("B",)]
    assert state.changes(after=day(-2)) == [day(5), day(12)]


@pytest.mark.parametrize(("since", "mg"), [("s-B", 75), ("s2", 45), (None, 45)])
def test_an_answer_holds_from_the_hand_over_that_it_is_about(since: str | None, mg: int) -> None:
    orders = [order("A", 10), order("B", 15)]
    supplies = [supply("A", 10, 84), supply("B", 5, 126), Supply("s2", TODAY, "B", (Decimal(126),), number=1)]
    answer = Decision(BESIDE, "A", TODAY, subject="B", since=since)
    assert therapy(facts(orders, supplies, answer)).day(day(-3)).mg == mg


def test_an_answer_about_a_hand_over_to_come_settles_none_before_it() -> None:
    orders = [order("A", 10), order("B", 15)]
    answer = Decision(BESIDE, "A", TODAY, subject="B", since="hand-over")
    state = therapy(facts(orders, [supply("A", 10, 84), supply("B", 5, 126)], answer))
    assert state.day(day(-3)).mg == 45
    assert state.with_hand_over("B", (Decimal(126),)).day(day(-3)).mg == 45


def test_a_course_that_takes_the_place_later_is_named_once_also_after_two_hand_overs() -> None:
    orders = [order("A", 10), replace(order("B", 15, prescriber="dr-b"), status=OrderStatus.ACTIVE)]
    later = Decision(REPLACES, "A", day(-9), subject="B", starts_on=day(10))
    supplies = [
        supply("A", 10, 84),
        *(Supply(f"s{number}", day(number - 10), "B", (Decimal(252),), number=number) for number in (1, 2)),
    ]
    relation = therapy(facts([replace(orders[0], status=OrderStatus.ACTIVE), orders[1]], supplies, later)).relate("A")
    assert relation is not None
    assert (relation.to, relation.previous_high) == (("B",), 30)


def test_a_planned_course_is_planned_again_when_the_short_one_in_its_place_comes_back_on_its_last_day() -> None:
    planned = replace(order("A", 10), starts_on=day(13))
    short = replace(plan_of("B", (15, 5), then_stop=True), replaces="A")
    back = Supply(
        "s1", day(-5), "B", (Decimal(42),), status=SupplyStatus.RETURNED, returned_on=TODAY, returned_tablets=None
    )
    state = therapy(facts([planned, short], [supply("A", 40, 84), back]))
    assert state.day(day(-1)).running == ("B",)
    assert (state.day(day(12)).running, state.day(day(13)).running) == ((), ("A",))
