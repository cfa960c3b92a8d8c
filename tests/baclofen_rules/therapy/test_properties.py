"""Properties that hold in every state of a record, against a reference that counts day by day."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from baclofen_rules import Case, load_profile, review
from baclofen_rules.therapy import (
    HAND_OVER,
    Day,
    Decision,
    DecisionKind,
    Ending,
    Facts,
    How,
    Order,
    OrderStatus,
    Relation,
    Supply,
    SupplyStatus,
    Therapy,
    messages,
    risks,
    therapy,
)
from baclofen_rules.therapy.model import replaces_itself
from tests.baclofen_rules.therapy import states
from tests.baclofen_rules.therapy.documents import document_of
from tests.baclofen_rules.therapy.reference import Reference, days_between, in_short
from tests.baclofen_rules.therapy.test_reference import with_frozen_relations
from tests.examples import examples_at_random

EARLIEST, LATEST = states.day(-70), states.day(60)
PAIRS = [DecisionKind.REPLACES, DecisionKind.BESIDE, DecisionKind.CONTINUES]
in_every_state = examples_at_random(100, 2000)


def answers(facts: Facts) -> dict[str, Any]:
    """Return everything that a therapy answers before a hand-over."""
    state = therapy(facts)
    return {
        "days": state.stretches(EARLIEST, LATEST),
        "threads": state.threads,
        "ended": sorted(state.ended, key=lambda course: course.course),
        "messages": messages(state),
        "risks": sorted(risks(state), key=lambda risk: risk.course),
        "changes": state.changes(after=EARLIEST),
        "since": (state.held_since, state.next_change, state.last_day),
        "orders": {
            order.id: (state.relate(order.id), state.owed(order.id), state.due(order.id))
            for order in sorted(facts.orders, key=lambda order: order.id)
        },
    }


def days_of(facts: Facts, first_on: date = EARLIEST, last_on: date = LATEST) -> dict[date, Day]:
    state = therapy(facts)
    return {day: state.day(day) for day in days_between(first_on, last_on)}


def without(facts: Facts, supply: Supply) -> Facts:
    return replace(facts, supplies=tuple(other for other in facts.supplies if other is not supply))


def with_supply(facts: Facts, old: Supply, *new: Supply) -> Facts:
    return replace(facts, supplies=(*without(facts, old).supplies, *new))


def active(facts: Facts) -> list[Order]:
    return [order for order in facts.orders if order.status is OrderStatus.ACTIVE]


def tablets_of(order: Order, count: int = 42) -> tuple[Decimal, ...]:
    return (Decimal(count),) * len(order.plan.products)


def at_most(amount: Decimal | None) -> Decimal:
    """Return an amount as a number: unknown is more than every other."""
    return Decimal("Infinity") if amount is None else amount


# --- the reference ------------------------------------------------------------------------------------------------------


@in_every_state
@given(states.states())
def test_every_day_is_as_counted_day_by_day(facts: Facts) -> None:
    state, reference = therapy(facts), Reference(facts)
    for on, day in reference.days.items():
        assert in_short(state.day(on)) == in_short(day), on
    ahead = reference.twin()
    for on in days_between(facts.today, LATEST):
        assert in_short(state.day(on)) == in_short(ahead.count_day()), on


@in_every_state
@given(states.states(), st.data())
def test_a_stop_ends_what_was_handed_over_before_it_on_its_day(facts: Facts, data: st.DataObject) -> None:
    on = data.draw(st.sampled_from([facts.today, *(s.on for s in facts.supplies)]))
    of_day = data.draw(st.permutations([s.id for s in facts.supplies if s.on == on]))
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(of_day))] * 2)))
    name = data.draw(st.sampled_from([states.ALL, *(order.id for order in facts.orders)]))
    stops = [
        Decision(DecisionKind.STOPPED, about, on, id=f"stop {count}", after=tuple(of_day[:count]))
        for about, count in ((name, first), (states.ALL, second))
    ]
    facts = replace(facts, decisions=(*facts.decisions, *stops))
    state, reference = therapy(facts), Reference(facts)
    for day, counted in reference.days.items():
        assert in_short(state.day(day)) == in_short(counted), day
    ended = {(course.course, course.on, course.why.value) for course in state.ended}
    assert ended == {(c.name, c.ended_on, c.ended_why) for c in reference.courses if c.ended_on}


@in_every_state
@given(states.states())
def test_orders_and_courses_stand_as_counted_day_by_day(facts: Facts) -> None:
    state, reference = therapy(facts), Reference(facts)
    for order in facts.orders:
        relation = state.relate(order.id)
        if relation is not None:
            kind, how, courses = reference.relate(order.id)
            assert (relation.relation, relation.how) == (kind, how), order.id
            assert set(relation.to) == {course.name for course in courses}, order.id
            assert state.owed(order.id) == reference.owed(order.id), order.id
            due = state.due(order.id)
            assert (due.due_on, due.earliest_on) == reference.due(order.id), order.id
    threads = [(thread.course, thread.first_uncovered, thread.ends_on, thread.as_needed) for thread in state.threads]
    assert threads == [(t.course, t.first_uncovered, t.ends_on, t.as_needed) for t in reference.threads()]
    ended = {(course.course, course.on, course.why.value) for course in state.ended}
    assert ended == {
        (course.name, course.ended_on, course.ended_why) for course in reference.courses if course.ended_on
    }
    assert state.held_since == reference.held_since()


# --- the twelve properties, but for the rendered papers -----------------------------------------------------------------


@in_every_state
@given(states.states(), st.data())
def test_1_every_state_gives_a_therapy_and_a_case_that_is_reviewed(facts: Facts, data: st.DataObject) -> None:
    given_answers = answers(facts)
    held_since = given_answers["since"][0]
    assert held_since is None or held_since <= facts.today
    assert all(course.on <= facts.today for course in given_answers["ended"])
    asked = data.draw(st.sampled_from([None, *active(facts)]))
    case = Case.from_json(document_of(facts, asked, () if asked is None else tablets_of(asked)))
    assert Case.from_json(case.to_json()) == case
    assert review(case, load_profile("lioresal")).outcome


@in_every_state
@given(states.states())
def test_3_the_least_is_below_the_dose_and_the_most_above_it_and_above_each_course(facts: Facts) -> None:
    reported_as_needed = any(decision.kind is DecisionKind.TAKES for decision in facts.decisions)
    for span in therapy(facts).stretches(EARLIEST, LATEST):
        day = span.day
        assert day.low <= at_most(day.high)
        if day.mg is not None:
            assert day.mg <= at_most(day.high)
            assert day.low <= day.mg or (reported_as_needed and any(dose.as_needed for dose in day.doses))
        assert all(dose.phase.mg <= at_most(day.high) for dose in day.doses if dose.course in day.running)


@in_every_state
@given(states.states())
def test_3_no_more_is_taken_than_was_handed_over(facts: Facts) -> None:
    counted = {decision.object for decision in facts.decisions if decision.kind is DecisionKind.COUNTED}
    taken: dict[str, list[Decimal]] = {}
    for span in therapy(facts).stretches(EARLIEST, LATEST):
        count = (span.last_on - span.first_on).days + 1
        for dose in span.day.doses:
            amounts = [count * sum(doses) for doses in dose.phase.doses]
            before = taken.get(dose.source, [Decimal(0)] * len(amounts))
            taken[dose.source] = [sum(pair, Decimal(0)) for pair in zip(before, amounts, strict=True)]
    for order in facts.orders:
        supplies = [s for s in facts.supplies if s.order == order.id and s.status is not SupplyStatus.CANCELLED]
        for place, mg in enumerate(taken.get(order.id, ()) if not counted else ()):
            tablets = sum((s.tablets[place] for s in supplies if s.tablets is not None), Decimal(0))
            assert mg <= tablets * (order.plan.products[place].strength_mg or 0), order.id


@in_every_state
@given(states.states(), st.data())
def test_4_the_order_of_the_lists_is_irrelevant(facts: Facts, data: st.DataObject) -> None:
    shuffled = replace(
        facts,
        orders=tuple(data.draw(st.permutations(facts.orders))),
        supplies=tuple(data.draw(st.permutations(facts.supplies))),
        decisions=tuple(data.draw(st.permutations(facts.decisions))),
    )
    assert answers(shuffled) == answers(facts)


@in_every_state
@given(states.states())
@example(
    states.state(Random(35482484856).choice)
)  # cancelled after a decision that a supply before it still stands under
def test_5_a_cancelled_hand_over_equals_none(facts: Facts) -> None:
    about = {decision.since for decision in facts.decisions}  # an answer still holds for what is handed over again
    not_cancelled = tuple(s for s in facts.supplies if s.status is not SupplyStatus.CANCELLED or s.id in about)
    assert answers(replace(facts, supplies=not_cancelled)) == answers(facts)


@in_every_state
@given(states.states(), st.data())
def test_5_a_return_changes_no_day_before_it(facts: Facts, data: st.DataObject) -> None:
    returned = [supply for supply in facts.supplies if supply.returned_on is not None]
    assume(returned)
    supply = data.draw(st.sampled_from(returned))
    assert supply.returned_on is not None
    stayed = replace(supply, status=SupplyStatus.GIVEN, returned_on=None, returned_tablets=None)
    last_on = supply.returned_on - timedelta(1)
    before = days_of(with_supply(facts, supply, stayed), last_on=last_on)
    assert days_of(facts, last_on=last_on) == before


@in_every_state
@given(states.states(), st.integers(0, 10), st.data())
def test_5_after_the_return_of_the_last_hand_over_nothing_is_covered_less(
    facts: Facts, days_ago: int, data: st.DataObject
) -> None:
    order = data.draw(st.sampled_from(facts.orders))
    earlier = replace(facts, today=states.day(-days_ago), decisions=(), died_on=None)
    # Before its day: what is handed over on the same day may be counted after it, and then it was not the last.
    earlier = replace(
        earlier, supplies=tuple(s for s in facts.supplies if s.on < earlier.today and s.returned_on is None)
    )
    supply = Supply(
        "last",
        earlier.today,
        order.id,
        tablets_of(order),
        SupplyStatus.RETURNED,
        data.draw(states.days(-days_ago, 0)),
        number=99,
    )
    later = replace(earlier, today=facts.today)
    returned = therapy(replace(later, supplies=(*later.supplies, supply)))
    never = therapy(later)
    for day in days_between(supply.returned_on or facts.today, LATEST):
        covered = {dose.course for dose in never.day(day).doses}
        assert covered <= {dose.course for dose in returned.day(day).doses}, day


@in_every_state
@given(states.states(), st.data())
def test_6_parts_up_to_the_ordered_quantity_are_parts(facts: Facts, data: st.DataObject) -> None:
    orders = [o for o in active(facts) if all(p.quantity for p in o.plan.products) and not o.plan.then_stop]
    assume(orders and facts.died_on is None)
    order = data.draw(st.sampled_from(orders))
    # Which came first of two hand-overs of today says the relation frozen with them, which these have not.
    assume(all(s.on < facts.today for s in facts.supplies if s.order != order.id))
    assume(
        not any(decision.kind is DecisionKind.STOPPED and decision.object == order.id for decision in facts.decisions)
    )
    state = therapy(facts)
    if state.owed(order.id) is None:
        state = state.with_hand_over(
            order.id, tuple((p.quantity or 0) / Decimal(3) for p in order.plan.products), (), "p"
        )
    for number in range(3):
        owed_tablets = state.owed(order.id)
        if owed_tablets is None:
            break
        relation = state.relate(order.id)
        assert relation is not None
        if number and relation.how is How.OUTDATED:  # another dose is planned to begin before any of it would be taken
            is_planned = any(d.starts_on is not None and d.starts_on > facts.today for d in facts.decisions)
            assert is_planned or all(state.course(name).since > facts.today for name in relation.to)
        elif number:
            assert relation.relation is Relation.PART or relation.how is How.AFTER_GAP  # it cannot pay a day
        part = owed_tablets if number == 2 else tuple(count / 2 for count in owed_tablets)
        state = state.with_hand_over(order.id, part, (), f"p{number}")
    assert state.owed(order.id) is None


@in_every_state
@given(states.states(), st.data())
def test_7_knowing_less_of_an_order_never_lowers_the_highest_day(facts: Facts, data: st.DataObject) -> None:
    orders = active(facts)
    assume(orders and facts.died_on is None)
    order = data.draw(st.sampled_from(orders))
    # Tablets counted for an order that was never handed over begin it, as a hand-over does.
    begun_on = [d.on for d in facts.decisions if d.kind is DecisionKind.COUNTED]
    last_on = max((*(supply.on for supply in facts.supplies), *begun_on), default=EARLIEST)
    state = therapy(facts)
    # What is taken later, because it goes on with what runs, may meet what begins later.
    names = {name for thread in state.threads for name in (thread.course, thread.last_course)}
    assume(all(state.course(name).since <= facts.today for name in names))
    relation = state.relate(order.id)
    assert relation is not None
    # Beside what it does not replace, the table may take an order that names nothing as more of an equal dose; of orders that
    # name each other as replaced, the others count again when one of them names nothing.
    is_alone = {thread.course for thread in state.threads} <= set(relation.to)
    is_alone = is_alone and not replaces_itself(order, {other.id: other for other in facts.orders})
    versions: list[Facts] = [
        replace(facts, orders=tuple(less if o is order else o for o in facts.orders))
        for less in (replace(order, prescriber=None), *([replace(order, replaces=None)] if is_alone else []))
        if not any(supply.order == order.id for supply in facts.supplies)
    ]
    versions += [
        replace(facts, decisions=tuple(d for d in facts.decisions if d is not decision))
        for decision in facts.decisions
        if decision.on > last_on
        and decision.corrects is None
        and (
            decision.kind is DecisionKind.STOPPED
            or (decision.kind, decision.subject) == (DecisionKind.REPLACES, order.id)
        )
    ]
    # On all days from today: what is handed over is for other days of its plan where the order was given before. Of a plan
    # that went on, or is over as far as anybody knows, it is for later days, or for none.
    for less in versions:
        with_less = therapy(less)
        ended = [*state.ended, *with_less.ended]
        endings = {course.why for course in ended if course.course.partition("@")[0] == order.id}
        if order.plan.then_stop and endings & {Ending.STOPPED, Ending.PLANNED}:
            continue
        asked = with_less.relate(order.id)
        assert asked is not None
        # The table may take what a decision does not name as replaced, and one strength beside another as more of it.
        if less.decisions != facts.decisions and not set(asked.to) <= set(relation.to):
            continue
        beside = (*relation.beside, *(relation.to if relation.relation is Relation.BESIDE else ()))
        if asked.relation is Relation.CONTINUES and set(asked.to) & set(beside):
            continue
        # An answer may also settle an earlier hand-over, and so make answers from before it say nothing.
        answered_on = [d.on - timedelta(days=1) for d in facts.decisions if d not in less.decisions]
        if any(state.day(day) != with_less.day(day) for day in answered_on):
            continue
        after, after_less = (of.with_hand_over(order.id, tablets_of(order)) for of in (state, with_less))
        if after_less.position(HAND_OVER) <= after.position(HAND_OVER):
            assert highest_from_today(after_less) >= highest_from_today(after)


def highest_from_today(state: Therapy) -> Decimal:
    return max(at_most(span.day.high) for span in state.stretches(state.today, states.day(400)))


@in_every_state
@given(states.states(), st.data())
def test_8_a_supply_never_brings_a_run_out_forward_unless_it_changes_the_dose(
    facts: Facts, data: st.DataObject
) -> None:
    orders = active(facts)
    # Which came first of two hand-overs of today, here and elsewhere, no date says.
    assume(orders and facts.died_on is None and all(s.on < facts.today for s in facts.supplies if s.order is None))
    facts = with_frozen_relations(facts, facts.today)
    order = data.draw(st.sampled_from(orders))
    # An answer of today is taken as one about what is handed over today, no longer about what was before.
    decided = [
        d
        for d in facts.decisions
        if order.id in (d.subject, d.object) and (d.kind is DecisionKind.REPLACES or d.on == facts.today)
    ]
    state = therapy(facts)
    relation = state.relate(order.id)
    assume(relation is not None and relation.relation is not Relation.CHANGES and not decided)
    after = state.with_hand_over(order.id, tablets_of(order))
    names = {thread.course for thread in state.threads}
    for name in names:
        before_on, after_on = state.course(name).first_uncovered, after.course(name).first_uncovered
        if before_on is not None:  # None: a plan that ends before; with more tablets it may go on
            assert after_on is None or after_on >= before_on, name


@in_every_state
@given(states.states())
def test_9_tomorrow_without_an_event_says_the_same_days(facts: Facts) -> None:
    assert days_of(replace(facts, today=facts.today + timedelta(1))) == days_of(facts)


@in_every_state
@given(states.states(), st.sampled_from(PAIRS))
def test_10_an_answered_pair_is_not_asked_again(facts: Facts, kind: DecisionKind) -> None:
    assume(facts.died_on is None)
    for order in active(facts):
        relation = therapy(facts).relate(order.id)
        if relation is None or relation.relation is not Relation.UNKNOWN:
            continue
        answer = tuple(Decision(kind, name, facts.today, order.id, id=f"a-{name}") for name in relation.to)
        answered = therapy(replace(facts, decisions=(*facts.decisions, *answer)))
        asked = answered.relate(order.id)
        assert asked is not None
        if asked.relation is Relation.UNKNOWN:
            assert not set(asked.to) & set(relation.to), order.id
        after = answered.with_hand_over(order.id, tablets_of(order)).relate(order.id)
        assert after is not None
        assert after.relation is not Relation.UNKNOWN or not set(after.to) & set(relation.to), order.id


@pytest.mark.parametrize("number", [63446, 96769, 97340])
def test_11_halves_under_an_answer_about_two_courses_of_an_order_change_no_day(number: int) -> None:
    facts = states.state(Random(number).choice)
    for supply in facts.supplies:
        if supply.order is not None and supply.status is SupplyStatus.GIVEN:
            assert days_of(in_halves(facts, supply)) == days_of(facts), supply.id


def in_halves(facts: Facts, supply: Supply) -> Facts:
    half = tuple(count / 2 for count in supply.tablets or ())
    return with_supply(facts, supply, *(replace(supply, id=f"{supply.id}{end}", tablets=half) for end in ("", "b")))


@in_every_state
@given(states.states(), st.data())
def test_11_a_supply_in_two_halves_changes_no_day(facts: Facts, data: st.DataObject) -> None:
    whole = [s for s in facts.supplies if s.order is not None and s.status is SupplyStatus.GIVEN]
    assume(whole)
    supply = data.draw(st.sampled_from(whole))
    assert days_of(in_halves(facts, supply)) == days_of(facts)


@in_every_state
@given(states.states(), st.integers(-800, 800))
def test_12_moving_every_date_moves_every_answer(facts: Facts, days: int) -> None:
    assert relative(moved(facts, days)) == relative(facts)


def moved(facts: Facts, days: int) -> Facts:
    def move(day: date | None) -> date | None:
        return None if day is None else day + timedelta(days)

    def move_all(row: Any, *names: str) -> Any:
        return replace(row, **{name: move(getattr(row, name)) for name in names})

    return replace(
        facts,
        today=facts.today + timedelta(days),
        orders=tuple(move_all(order, "written_on", "starts_on") for order in facts.orders),
        supplies=tuple(move_all(supply, "on", "returned_on", "dose_since") for supply in facts.supplies),
        decisions=tuple(move_all(decision, "on", "starts_on") for decision in facts.decisions),
        died_on=move(facts.died_on),
    )


def relative(facts: Facts) -> str:
    """Return everything that a therapy answers as text, its days as days from today."""
    state = therapy(facts)
    first_on, last_on = facts.today - timedelta(70), facts.today + timedelta(60)
    days = [state.day(day) for day in days_between(first_on, last_on)]
    orders = [(state.relate(order.id), state.owed(order.id), state.due(order.id)) for order in facts.orders]
    dates = (messages(state), risks(state), state.held_since, state.next_change, state.last_day)
    text = repr((days, orders, state.threads, state.ended, dates))
    text = re.sub(r"datetime\.date\((\d+), (\d+), (\d+)\)", lambda m: _offset(m.groups(), facts.today), text)
    return re.sub(r"@(\d+)-(\d+)-(\d+)", lambda m: _offset(m.groups(), facts.today), text)


def _offset(parts: Sequence[str | Any], today: date) -> str:
    return f"<{(date(*map(int, parts)) - today).days}>"
