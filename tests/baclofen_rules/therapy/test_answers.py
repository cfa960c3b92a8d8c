"""Answers of a therapy that the situations do not ask for, and records with gaps."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from baclofen_rules.regimen import Phase
from baclofen_rules.therapy import (
    HAND_OVER,
    CourseView,
    Decision,
    Facts,
    FrozenRelation,
    How,
    Order,
    OrderRelation,
    OrderStatus,
    Plan,
    Product,
    QueueState,
    Relation,
    RiskLevel,
    Supply,
    SupplyStatus,
    Therapy,
    messages,
    risk_level,
    risks,
    therapy,
    watches,
)
from tests.baclofen_rules.therapy.reading import amounts, habits
from tests.baclofen_rules.therapy.states import TODAY, day
from tests.baclofen_rules.therapy.test_situations import TITRATION, elsewhere, given, offset, order, plan, said

TWO_PRODUCTS = Plan(
    (
        Product(Decimal(25), (Phase(amounts([25, 25]), None),), Decimal(56)),
        Product(Decimal(10), (Phase(amounts([10, 10]), None),), Decimal(56)),
    )
)


def state(*rows: object, **more: Any) -> Therapy:
    """Count a therapy from orders and supplies."""
    orders = tuple(row for row in rows if isinstance(row, Order))
    supplies = tuple(row for row in rows if isinstance(row, Supply))
    return therapy(replace(Facts(TODAY, orders, supplies, (), habits()), **more))


def fill_days(of: Therapy, order_id: str) -> int:
    relation = of.relate(order_id)
    assert relation is not None
    return relation.fill_days


# --- fills --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "supplies", "fills"),
    [
        (84, [given("A", -28, 84)], 1),
        (84, [given("A", -28, 42), given("A", -14, 42)], 1),
        (84, [given("A", -28, 42), given("A", -14, 43)], 2),
        (84, [given("A", -28, 84), given("A", 0, 0.5)], 2),
        (84, [given("A", -28, 84, status=SupplyStatus.CANCELLED), given("A", 0, 84)], 1),
        (84, [given("A", -28, 84, back=-20), given("A", 0, 84)], 2),
        (None, [given("A", -28, 84), given("A", -14, 42)], 2),
    ],
)
def test_fills_are_the_ordered_quantities_begun(quantity: int | None, supplies: list[Supply], fills: int) -> None:
    of = state(order("A", plan(([10, 10, 10], None), quantity=quantity)), *supplies)
    assert of.fills(supplies[-1].id) == fills
    assert of.fills(supplies[0].id) == 1


def test_a_fill_of_two_strengths_is_begun_by_either() -> None:
    of = state(order("A", TWO_PRODUCTS), given("A", -28, 56, 56), given("A", 0, 0, 14))
    assert of.fills("A0") == 2


def test_nothing_is_owed_where_the_quantity_is_unknown() -> None:
    unknown = order("A", plan(([10, 10, 10], None), quantity=None))
    assert state(unknown, given("A", -5, 84)).owed("A") is None
    relation = state(unknown, given("A", -5, 84)).relate("A")
    assert relation is not None
    assert relation.relation is Relation.CONTINUES


def test_what_is_owed_counts_from_the_product_of_which_most_was_begun() -> None:
    assert state(order("A", TWO_PRODUCTS), given("A", -5, 112, 40)).owed("A") == (0, 72)


def test_a_profile_of_days_left_keeps_at_most_half_of_the_fill() -> None:
    habits_of_days = replace(habits(), used_fraction=None, days_left=5)
    for tablets, days in ((84, 5), (18, 3), (21, 3)):
        relation = state(order("A", 30), given("A", -2, tablets), habits=habits_of_days).relate("A")
        assert relation is not None
        assert relation.kept_days == days


def test_the_last_fill_is_all_parts_of_one_quantity() -> None:
    halves = [given("A", on, 42) for on in (-56, -42, -28, -14)]
    assert fill_days(state(order("A", 30), *halves), "A") == 28
    assert fill_days(state(order("A", 30), *halves[:3]), "A") == 14
    assert fill_days(state(order("A", TWO_PRODUCTS), given("A", -20, 56, 40), given("A", -1, 0, 16)), "A") == 28


@pytest.mark.parametrize("quantity", [None, 21])
def test_hand_overs_of_one_day_are_one_fill_however_many_they_are(quantity: int | None) -> None:
    fifteen = order("A", plan(([5, 5, 5], None), quantity=quantity))
    halves = [replace(given("A", -6, 21), id=f"s{number}", number=number) for number in (1, 2)]
    assert fill_days(state(fifteen, given("A", -6, 42)), "A") == 28
    assert fill_days(state(fifteen, *halves), "A") == 28
    assert fill_days(state(fifteen, given("A", -30, 42), *halves), "A") == 28


def test_the_last_fill_of_recorded_supplies_is_the_last_of_them() -> None:
    assert fill_days(state(order("A", 30), elsewhere("r1", -20, 14, 30), elsewhere("r2", -8, 28, 30)), "A") == 28


def test_a_hand_over_that_came_back_has_no_fill() -> None:
    back = state(order("A", 30), given("A", -10, 84, back=-5))
    relation = back.relate_supply("A-10")
    assert relation is not None
    assert (relation.fill_days, relation.kept_days) == (0, 0)


def test_a_return_of_no_known_day_is_not_counted() -> None:
    unknown = replace(given("A", -10, 84), status=SupplyStatus.RETURNED)
    assert state(order("A", 30), unknown).course("A").first_uncovered == day(18)
    assert fill_days(state(order("A", 30), unknown), "A") == 28


# --- what happens on one day --------------------------------------------------------------------------------------------


def frozen(name: str, on: int, tablets: int, relation: Relation, *to: str) -> Supply:
    return replace(given(name, on, tablets), relation=FrozenRelation(relation, How.DECIDED, to))


def day_of(of: Therapy, on: int = 0) -> tuple[object, ...]:
    taken = of.day(day(on))
    return taken.mg, taken.low, taken.high, " ".join(taken.running)


@pytest.mark.parametrize("turn", [1, -1])
def test_of_one_day_repeats_come_first_and_then_the_larger_dose(turn: int) -> None:
    old, raised = order("A", 30), order("B", 45)
    repeat = [given("A", -28, 84), given("A", 0, 84), given("B", 0, 126)]
    assert day_of(state(old, raised, *repeat[::turn])) == (45, 45, 45, "B")
    both = [given("B", 0, 126), given("A", 0, 84)]
    assert day_of(state(old, raised, *both[::turn])) == (None, 30, 75, "B A")


@pytest.mark.parametrize("turn", [1, -1])
def test_of_one_day_a_hand_over_follows_those_that_its_relation_names(turn: int) -> None:
    orders = [order("A", 15), order("B", 30), order("C", 45)]
    chain = [
        given("A", 0, 42),
        frozen("B", 0, 84, Relation.CHANGES, "A"),
        frozen("C", 0, 126, Relation.CHANGES, "B"),
    ]
    assert day_of(state(*orders, *chain[::turn])) == (45, 45, 45, "C")
    assert {course.course for course in state(*orders, *chain[::turn]).ended} == {"A", "B"}
    back = [given("A", -200, 42), given("A", 0, 42), frozen("B", 0, 84, Relation.CHANGES, "A@2026-12-01")]
    assert day_of(state(*orders[:2], *back[::turn])) == (30, 30, 30, "B")


def test_what_a_planned_dose_that_is_asked_about_is_to_replace_stays_asked_about_once_handed_over() -> None:
    orders = [order("A", 30), order("B", 45, starts=3, replaces="A"), order("C", 30, "dr-c")]
    before = state(*orders, given("A", -24, 84), given("B", -3, 126))
    relation = before.relate("C")
    assert relation is not None
    frozen = FrozenRelation(relation.relation, relation.how, relation.to)
    assert frozen == FrozenRelation(Relation.UNKNOWN, How.UNKNOWN, ("B",))
    handed_over = [given("C", 0, 84), replace(given("C", 0, 84), relation=frozen)]
    for supply in handed_over:
        assert day_of(state(*orders, given("A", -24, 84), given("B", -3, 126), supply)) == (None, 30, 60, "A C")


@pytest.mark.parametrize("is_frozen", [False, True], ids=["counted", "frozen"])
def test_a_late_answer_about_one_dose_leaves_the_planned_one_asked_about(is_frozen: bool) -> None:
    orders = [order("A", 30), order("B", 45, starts=3, replaces="A"), order("C", 30, "dr-c")]
    added = given("C", -3, 84)
    if is_frozen:
        added = replace(added, relation=FrozenRelation(Relation.UNKNOWN, How.UNKNOWN, ("B",)))
    answer = said("continues", "A", -1, subject="C")
    after = state(*orders, given("A", -10, 84), given("B", -5, 126), added, decisions=(answer,))
    assert (day_of(after), day_of(after, 3)) == ((None, 30, 60, "A C"), (None, 30, 75, "B C"))


def test_a_planned_dose_that_is_asked_about_is_not_beside_for_certain() -> None:
    as_needed = plan(([15] * 3, None), as_needed=True)
    orders = [order("A", 15, "dr-b"), order("C", 45, starts=5, replaces="A"), order("B", as_needed)]
    before = state(*orders, given("A", -5, 84), given("C", -1, 84))
    answer = said("replaces", "A", subject="B", start=1)
    after = before.with_hand_over("B", amounts([42]), (answer,))
    relation = after.relate_supply(HAND_OVER)
    assert relation is not None
    assert (relation.relation, relation.to) == (Relation.UNKNOWN, ("C",))
    assert day_of(after, 6) == (None, 0, 90, "C B")


def test_an_answer_given_with_a_repeat_holds_against_what_was_handed_over_before_it_that_day() -> None:
    orders = [order("A", 30, "dr-b"), order("B", 30), order("C", 45, "dr-c", starts=5)]
    answers = (said("continues", "A", -9, subject="B"), said("replaces", "A", subject="C"))
    rows = [given("A", -14, 126), given("B", -9, 84), given("C", 0, 84)]
    answer = said("beside", "C", subject="B", since=HAND_OVER)
    before = state(*orders, *rows, decisions=answers).with_hand_over("B", amounts([42]), (answer,))
    relation = before.relate_supply(HAND_OVER)
    assert relation is not None
    frozen = FrozenRelation(relation.relation, relation.how, relation.to)
    repeat = given("B", 0, 42, relation=frozen, number=1)
    after = state(*orders, *rows, repeat, decisions=(*answers, replace(answer, since=repeat.id)))
    assert day_of(before, 6) == day_of(after, 6) == (75, 75, 75, "A C")


def test_what_was_to_go_on_with_a_plan_that_is_over_is_taken_all_the_same() -> None:
    def goes_on(on: int, tablets: int, number: int) -> Supply:
        frozen = FrozenRelation(Relation.CONTINUES, How.AFTER_GAP, ("A",))
        return given("B", on, tablets, relation=frozen, number=number)

    orders = [order("A", plan(([15] * 3, 5), then_stop=True)), order("B", 45)]
    rows = [given("A", -19, 42), goes_on(-18, 42, 0), given("A", 0, 12, number=1), goes_on(0, 21, 1)]
    assert day_of(state(*orders, *rows)) == (45, 45, 45, "B")


def test_of_one_day_returns_come_before_hand_overs() -> None:
    orders = [order("A", 30), order("B", 45, replaces="A")]
    rows = [given("A", -20, 84), given("B", -10, 126, back=0), given("A", 0, 84)]
    assert day_of(state(*orders, *rows)) == (30, 30, 30, "A")


def test_of_one_day_the_later_report_counts() -> None:
    reports = [said("takes", "A", -1, id=f"d{mg}", mg=Decimal(mg)) for mg in (10, 20)]
    for decisions in (reports, reports[::-1]):
        assert state(order("A", 30), given("A", -10, 84), decisions=tuple(decisions)).day(TODAY).low == 20


def test_what_is_dated_after_today_is_not_there_yet() -> None:
    later, died = given("A", 2, 84), day(1)
    assert state(order("A", 30), later, given("A", -10, 84)).course("A").first_uncovered == day(18)
    assert day_of(state(order("A", 30), given("A", -10, 84), died_on=died)) == (30, 30, 30, "A")


def test_nothing_is_handed_over_or_decided_after_death() -> None:
    rows = (order("A", 30), given("A", -10, 84))
    assert state(*rows, given("A", 0, 84), died_on=TODAY).relate_supply("A0") is None
    dead = state(*rows, died_on=TODAY, decisions=(said("moved", "A", 0, days=1),))
    assert [(course.course, course.why.value, course.on) for course in dead.ended] == [("A", "died", TODAY)]
    counted = said("counted", "B", 0, tablets=amounts([42]))
    assert state(*rows, order("B", 45), died_on=day(-1), decisions=(counted,)).day(TODAY).running == ()


def test_a_supply_that_is_given_has_no_return() -> None:
    assert state(order("A", 30), replace(given("A", -10, 84), returned_on=day(-5))).course("A").first_uncovered == day(
        18
    )


# --- messages and the risk list -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tablets", "kinds"), [(27, ["refill_again"]), (30, ["refill_due", "refill_again"])])
def test_a_refill_is_due_by_message_when_the_second_call_is_more_than_two_days_later(
    tablets: int, kinds: list[str]
) -> None:
    calls = messages(state(order("A", 30), given("A", 0, tablets)))
    assert [message.kind.value for message in calls][:-2] == kinds
    assert {message.course for message in calls} == {"A"}


def test_messages_name_the_course_they_are_about() -> None:
    taper = plan(([10, 10, 10], 7), ([5, 5, 5], 7), then_stop=True)
    names = {message.kind.value: message.course for message in messages(state(order("A", taper), given("A", -3, 84)))}
    assert names == {"dose_change": "A", "last_day": "A"}


def test_no_last_day_is_told_where_nobody_knows_whether_both_are_taken() -> None:
    taper = plan(([10, 10, 10], 7), then_stop=True)
    tapers = [order("A", taper), order("B", taper, "dr-b")]
    unknown = state(*tapers, given("A", -3, 42), given("B", -3, 42))
    assert unknown.last_day == day(3)
    assert [message.kind.value for message in messages(unknown)] == []


@pytest.mark.parametrize(("mg", "count"), [(5, 0), (6, 1)])
def test_the_risk_list_goes_on_after_what_it_leaves_out(mg: int, count: int) -> None:
    needed = plan(([10, 10, 10], None), as_needed=True)
    taper = plan(([10, 10, 10], 40), then_stop=True)
    reached = order("T", plan(([5, 5, 5], 60), then_stop=True), "dr-c")
    rows = [
        *(reached, order("P", needed), order("A", taper), order("B", 30, "dr-b")),
        *(given("T", -29, 90), given("P", -28, 84), given("A", -27, 84), given("B", -26, 84)),
    ]
    decided = (
        said("takes", "P", -10, mg=Decimal(mg)),
        said("beside", "T", -28, "P"),
        said("beside", "T", -27, "A"),
        said("beside", "T", -26, "B"),
        said("beside", "P", -27, "A"),
        said("beside", "P", -26, "B"),
        said("beside", "A", -26, "B"),
    )
    listed = [(row.course, row.level.value) for row in risks(state(*rows, decisions=decided))]
    assert listed == [("P", "may-be-out")] * count + [("A", "soon"), ("B", "soon")]


def test_a_watch_says_what_it_is_of() -> None:
    stopped = state(order("A", 30), given("A", -10, 84), decisions=(said("stopped", "A", 0),))
    assert [(w.is_stopped, w.as_needed) for w in watches(stopped)] == [(True, False)]
    assert [(w.is_stopped, w.as_needed) for w in watches(state(order("A", 30), given("A", -10, 84)))] == [
        (False, False)
    ]
    assert risk_level(TODAY, TODAY, as_needed=False, is_stopped=False) is RiskLevel.TODAY


# --- days ---------------------------------------------------------------------------------------------------------------


def test_a_dose_names_the_order_that_its_tablets_come_from() -> None:
    orders = [order("A", 30), order("B", 30, "dr-b", replaces="A")]
    both = state(*orders, given("A", -27, 84), given("B", 0, 84))
    assert [dose.source for on in (0, 1) for dose in both.day(day(on)).doses] == ["A", "B"]


def test_a_report_counts_from_its_own_day() -> None:
    takes = state(order("A", 30), given("A", -5, 84), decisions=(said("takes", "A", -1, mg=Decimal(10)),))
    assert [takes.day(day(on)).low for on in (-2, -1, 0)] == [30, 10, 10]


def test_a_single_day_without_tablets_begins_the_dose_anew() -> None:
    assert state(order("A", 30), given("A", -29, 84), given("A", 0, 84)).held_since == TODAY


def test_a_phase_of_one_day_is_a_change_on_both_sides() -> None:
    single = plan(([5, 5, 5], 3), ([10, 10, 10], 1), ([5, 5, 5], None))
    assert state(order("A", single), given("A", 0, 84)).changes(after=TODAY) == [day(3), day(4)]


def test_an_order_that_takes_the_place_of_a_replaced_one_at_its_dose_changes_nothing_on_that_day() -> None:
    old = order("A", 30, status=OrderStatus.REPLACED)
    new = order("B", plan(([10, 10, 10], 7), ([15, 15, 15], None)), starts=5, replaces="A")
    assert state(old, new, given("A", -5, 84), given("B", 0, 84)).announced_changes(after=TODAY) == [day(12)]


# --- courses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "first"), [(5, 15), (-3, 7), (-20, 0)])
def test_a_planned_start_moves_and_never_before_today(days: int, first: int) -> None:
    orders = [order("A", 30), order("B", 45, starts=10), order("C", 15, "dr-b", starts=12)]
    rows = [given("A", -10, 84), given("B", -3, 126), given("C", -2, 84)]
    decided = (said("beside", "B", -2, "C"), said("beside", "A", -2, "C"), said("moved", "B", 0, days=days))
    planned = state(*orders, *rows, decisions=decided)
    assert planned.day(day(first)).running[0] == "B"
    assert first == 0 or planned.day(day(first - 1)).mg in {30, 45}
    assert (planned.day(day(20)).mg, planned.course("B").first_uncovered) == (60, day(first + 28))


def test_dates_that_move_twice_move_by_both() -> None:
    moves = (said("moved", "A", -1, days=2), said("moved", "A", 0, days=2))
    titration = plan(([5, 5, 5], 7), ([10, 10, 10], None))
    assert state(order("A", titration), given("A", -3, 84), decisions=moves).next_change == day(8)


def test_a_recorded_supply_of_days_comes_back_as_days() -> None:
    back = replace(elsewhere("r2", -8, 28, 30), status=SupplyStatus.RETURNED, returned_on=day(-2))
    assert state(elsewhere("r1", -20, 14, 30), back).course("r1").first_uncovered == day(-2)


@pytest.mark.parametrize(("name", "first"), [("A", 20), ("B", 10)])
def test_a_count_is_of_the_tablets_of_the_order_it_names(name: str, first: int) -> None:
    fives = order("B", plan(([10, 10, 10], None), strengths=[5]), "dr-b", replaces="A")
    counted = (said("counted", name, 0, tablets=amounts([60])),)
    both = state(order("A", 30), fives, given("A", -20, 84), given("B", -2, 84), decisions=counted)
    assert both.course("A").first_uncovered == day(first)


def test_a_renewal_that_is_planned_goes_on_with_the_course_from_its_start() -> None:
    orders = [order("A", 30), order("B", 30, "dr-b", replaces="A", starts=10)]
    planned = state(*orders, given("A", -23, 84), given("B", 0, 84))
    assert [planned.day(day(on)).mg for on in (4, 5, 9, 10, 37, 38)] == [30, 0, 0, 30, 30, 0]
    assert planned.supply("B0").starts_on == day(10)
    assert planned.supply("B0").days == 28


def test_three_days_without_tablets_are_a_pause() -> None:
    relations = [state(order("A", 30), given("A", on, 84)).relate("A") for on in (-30, -31)]
    assert [relation and relation.how for relation in relations] == [How.OWN_ORDER, How.AFTER_GAP]


def test_stops_to_come_end_their_courses_each_on_its_day() -> None:
    stops = (said("stopped", "B", 6), said("stopped", "A", 3), said("beside", "A", -5, "B"))
    both = state(order("A", 30), order("B", 15, "dr-b"), given("A", -5, 84), given("B", -5, 84), decisions=stops)
    assert [both.day(day(on)).mg for on in (2, 3, 5, 6)] == [45, 15, 15, 0]
    assert both.last_day == day(5)


# --- hand-overs and stops ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("orders", "supplies", "decisions", "replaced_on"),
    [
        ([order("A", 30)], [given("A", -10, 84)], [], None),
        ([order("A", 30), order("B", 45, replaces="A")], [given("A", -10, 84), given("B", -2, 84)], [], -2),
        ([order("A", 30), order("B", 45, replaces="A", starts=5)], [given("A", -10, 84), given("B", -2, 84)], [], 5),
        ([order("A", 30)], [given("A", -10, 84)], [said("stopped", "A", -1)], None),
        ([order("A", plan(([5] * 3, 4), then_stop=True))], [given("A", -10, 84)], [], None),
        ([order("A", 30)], [given("A", -10, 84, status=SupplyStatus.CANCELLED)], [], None),
    ],
    ids=["alone", "replaced", "to be replaced", "stopped", "over by its plan", "cancelled"],
)
def test_a_hand_over_is_replaced_on_the_first_day_of_what_takes_its_place(
    orders: list[Order], supplies: list[Supply], decisions: list[Decision], replaced_on: int | None
) -> None:
    of = state(*orders, *supplies, decisions=tuple(decisions))
    assert offset(of.replaced_on("A-10")) == replaced_on


@pytest.mark.parametrize(
    ("supplies", "decisions", "positions"),
    [
        ([given("A", -10, 84)], [], [1]),
        ([given("A", -10, 42), given("A", 0, 42)], [], [1, 17]),
        ([given("A", -30, 42), given("A", 0, 42)], [], [1, 31]),
        ([given("A", -10, 42), given("A", 0, 42)], [said("moved", "A", -5, days=3)], [1, 16]),
    ],
    ids=["first", "repeat", "after a gap", "moved"],
)
def test_the_place_of_a_hand_over_in_its_plan(
    supplies: list[Supply], decisions: list[Decision], positions: list[int]
) -> None:
    of = state(order("A", TITRATION), *supplies, decisions=tuple(decisions))
    assert [of.position(supply.id) for supply in supplies] == positions


@pytest.mark.parametrize(("name", "courses"), [(None, "A B"), ("A", "A"), ("B-5", "B"), ("C", ""), ("D", "")])
def test_a_stop_is_about_the_open_courses_that_its_name_feeds(name: str | None, courses: str) -> None:
    orders = [order("A", 30), order("B", 15, "dr-b"), order("C", 45), order("D", 60)]
    supplies = [given("C", -60, 6), given("A", -10, 84), given("B", -5, 84)]
    of = state(*orders, *supplies, decisions=(said("beside", "A", -5, "B"), said("stopped", "C", -50)))
    relation = of.relate_stop(name)
    assert (" ".join(relation.to), relation.relation) == (courses, Relation.CHANGES)
    assert relation.previous_high == sum({"A": 30, "B": 15}[course] for course in relation.to)


@pytest.mark.parametrize(
    ("supply", "relation"),
    [
        ("A-20", (Relation.NEW, None, ())),
        ("A-10", (Relation.PART, How.OWN_ORDER, ("A",))),
        ("A-5", (Relation.CONTINUES, How.OWN_ORDER, ("A",))),
        ("B-2", (Relation.CHANGES, How.SAID, ("A",))),
        ("A0", None),
    ],
)
def test_the_relation_of_a_hand_over_as_it_was_counted(
    supply: str, relation: tuple[Relation, How | None, tuple[str, ...]] | None
) -> None:
    orders = [order("A", 30), order("B", 45, replaces="A")]
    ours = [given("A", -20, 42), given("A", -10, 42), given("A", -5, 84), given("B", -2, 126)]
    of = state(*orders, *ours, given("A", 0, 84, status=SupplyStatus.CANCELLED)).relate_supply(supply)
    assert (None if of is None else (of.relation, of.how, of.to)) == relation


# --- whole answers -----------------------------------------------------------------------------------------------------

TENS, FIVES = amounts([10, 10, 10]), amounts([5, 5, 5])
REPLACES_A = OrderRelation(
    Relation.CHANGES,
    How.SAID,
    to=("A",),
    beside=(),
    decided_beside=(),
    previous_low=Decimal(30),
    previous_high=Decimal(30),
    uncovered_on=day(18),
    gap_days=0,
    left_days=18,
    held_since=day(-10),
    kept_days=7,
    fill_days=28,
    previous_doses=TENS,
    previous_strength_mg=Decimal(10),
    last_supply_on=day(-10),
    began_today=False,
)
OF_15 = [order("B", 15, "dr-b"), given("B", -5, 84)]
BESIDE_A = said("beside", "A", -5, "B")


@pytest.mark.parametrize(
    ("rows", "decisions", "relation"),
    [
        ([order("A", 30), given("A", -10, 84)], [], REPLACES_A),
        (
            [order("A", 30), given("A", -40, 84)],
            [],
            replace(
                REPLACES_A,
                how=How.AFTER_GAP,
                uncovered_on=day(-12),
                gap_days=12,
                left_days=0,
                held_since=day(-40),
                last_supply_on=day(-40),
            ),
        ),
        (
            [order("A", 30), given("A", 0, 84)],
            [],
            replace(
                REPLACES_A,
                uncovered_on=day(28),
                left_days=28,
                held_since=day(0),
                last_supply_on=day(0),
                began_today=True,
            ),
        ),
        (
            [order("A", 30), given("A", -10, 84), *OF_15],
            [BESIDE_A, said("beside", "B", 0, "C")],
            replace(REPLACES_A, beside=("B",), decided_beside=("B",)),
        ),
        (
            [order("A", 30), given("A", -10, 84), *OF_15],
            [BESIDE_A, said("replaces", "A", 0, "C"), said("replaces", "B", 0, "C")],
            replace(
                REPLACES_A,
                how=How.DECIDED,
                to=("A", "B"),
                previous_low=Decimal(45),
                previous_high=Decimal(45),
                held_since=day(-5),
            ),
        ),
        (
            [order("A", TWO_PRODUCTS), given("A", -10, 56, 56)],
            [],
            replace(
                REPLACES_A,
                previous_low=Decimal(70),
                previous_high=Decimal(70),
                previous_doses=amounts([35, 35]),
                previous_strength_mg=None,
            ),
        ),
        (
            [order("A", 30), given("A", -10, 84), *OF_15],
            [BESIDE_A],
            replace(REPLACES_A, beside=("B",), decided_beside=("B",)),
        ),
        (
            [order("A", plan(([5, 5, 5], 9), ([10, 10, 10], None))), given("A", -10, 84)],
            [],
            replace(REPLACES_A, uncovered_on=day(22), left_days=22, held_since=day(-1), kept_days=8, fill_days=32),
        ),
        (
            [order("A", plan(([10, 10, 10], 14), then_stop=True)), given("A", -10, 84)],
            [],
            replace(REPLACES_A, uncovered_on=None, left_days=0, fill_days=14),
        ),
        (
            [order("A", 30), given("A", -20, 42), given("A", -10, 42)],
            [],
            replace(REPLACES_A, uncovered_on=day(8), left_days=8, held_since=day(-20)),
        ),
    ],
    ids=[
        "runs",
        "after a gap",
        "began today",
        "beside another",
        "of two",
        "two strengths",
        "beside another since before",
        "changed yesterday",
        "a plan that ends",
        "in two parts",
    ],
)
def test_an_order_in_the_place_of_what_is_taken(
    rows: list[object], decisions: list[Decision], relation: OrderRelation
) -> None:
    assert state(*rows, order("C", 45, replaces="A"), decisions=tuple(decisions)).relate("C") == relation


@pytest.mark.parametrize(
    ("days", "relation"),
    [(5, (Relation.CONTINUES, How.SAME_DOSE)), (6, (Relation.CHANGES, How.SAME_PRESCRIBER))],
    ids=["over today", "a day to go"],
)
def test_tablets_left_of_a_plan_that_is_over_make_no_change_to_come(days: int, relation: tuple[Relation, How]) -> None:
    plan_to_end = order("A", plan(([10, 10, 10], days), then_stop=True))
    rows = [plan_to_end, given("A", -5, 30), order("B", 30), given("B", -2, 84), order("C", 30, written=-1)]
    related = state(*rows, decisions=(said("continues", "A", -2, "B"),)).relate("C")
    assert related is not None
    assert (related.relation, related.how) == relation


RUNS = CourseView(
    "A",
    as_needed=False,
    mg=Decimal(30),
    since=day(-10),
    first_uncovered=day(18),
    prescriber="dr-a",
    source="A",
    strengths=(Decimal(10),),
    replaces=(),
)


@pytest.mark.parametrize(
    ("rows", "name", "view"),
    [
        ([order("A", 30), given("A", -10, 84)], "A", RUNS),
        (
            [order("A", 30), given("A", -20, 42), order("B", 30), given("B", -10, 42)],
            "A",
            replace(RUNS, since=day(-20), first_uncovered=day(8), source="B"),
        ),
        (
            [order("A", 30), given("A", -10, 84), order("B", 45, "dr-b", replaces="A", starts=5), given("B", 0, 126)],
            "B",
            replace(
                RUNS,
                name="B",
                mg=Decimal(45),
                since=day(5),
                first_uncovered=day(33),
                prescriber="dr-b",
                source="B",
                replaces=("A",),
            ),
        ),
        (
            [order("A", plan(([10, 10], None), as_needed=True)), given("A", -10, 56)],
            "A",
            replace(RUNS, as_needed=True, mg=Decimal(20)),
        ),
        (
            [elsewhere("r1", -10, 28, None)],
            "r1",
            replace(RUNS, name="r1", mg=None, prescriber=None, source="r1", strengths=()),
        ),
    ],
    ids=["runs", "goes on with another order", "planned", "as needed", "of an unknown dose"],
)
def test_a_course_as_it_stands(rows: list[object], name: str, view: CourseView) -> None:
    assert state(*rows).course(name) == view


def test_a_course_that_there_is_not_has_no_view() -> None:
    with pytest.raises(KeyError, match="B"):
        state(order("A", 30), given("A", -10, 84)).course("B")


@pytest.mark.parametrize(
    ("starts_in", "due"),
    [(7, (QueueState.DUE, day(0))), (8, (QueueState.NOT_YET, day(1)))],
)
def test_an_order_for_a_later_day_is_due_a_week_before_it(starts_in: int, due: tuple[QueueState, date]) -> None:
    answer = state(order("A", 30, starts=starts_in)).due("A")
    assert (answer.state, answer.due_on) == due


def test_the_dose_of_a_thread_is_that_of_its_last_day_with_tablets() -> None:
    changes_at_the_end = order("A", plan(([5, 5, 5], 9), ([10, 10, 10], None)))
    (thread,) = state(changes_at_the_end, given("A", -5, 16.5)).threads
    assert (thread.first_uncovered, thread.mg) == (day(5), 30)


def test_nothing_is_related_on_the_day_of_death() -> None:
    rows = [order("A", 30), given("A", -10, 84)]
    assert state(*rows, died_on=TODAY).relate("A") is None
    assert state(*rows, died_on=day(1)).relate("A") is not None


def test_a_second_hand_over_of_a_day_comes_after_the_first() -> None:
    of = state(order("A", 30), given("A", 0, 42)).with_hand_over("A", amounts([42]))
    assert [of.supply(name).starts_on for name in ("A0", HAND_OVER)] == [day(0), day(14)]
