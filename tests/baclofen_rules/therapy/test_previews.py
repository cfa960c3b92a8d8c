"""Random histories of hand-overs with their answers: the screen before each says what its record says after.

Each is kept as a pharmacy keeps it: the relation frozen at the hand-over, and the answers given with it.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baclofen_rules.therapy import (
    HAND_OVER,
    Decision,
    DecisionKind,
    Facts,
    FrozenRelation,
    Order,
    OrderStatus,
    Relation,
    Supply,
    SupplyStatus,
    Therapy,
    therapy,
)
from tests.baclofen_rules.therapy import states
from tests.baclofen_rules.therapy.reading import habits
from tests.baclofen_rules.therapy.reference import days_between, in_short
from tests.examples import examples_at_random

ANSWERS = (DecisionKind.REPLACES, DecisionKind.BESIDE, DecisionKind.CONTINUES)
FIRST, LAST = -25, 0


@examples_at_random(60, 2000)
@given(st.integers(0, 2**32))
def test_what_a_hand_over_was_to_become_is_what_its_record_says(seed: int) -> None:
    for preview, record in histories(Random(seed)):
        assert describe_days(preview) == describe_days(therapy(record))
        tomorrow = therapy(replace(record, today=record.today + timedelta(1)))
        assert describe_days(tomorrow) == describe_days(therapy(record), tomorrow.today)


DIFFERED_ONCE = {
    "another order handed over between two of one order": 11076,
    "a dose that also replaces what a planned one is to replace": 10272,
    "an answer that goes on with what begins on that day": 202,
    "an answer about one dose, and another is to take its place": 66,
    "more of an order whose dose ended on that day goes on with another": 1556,
    "a dose handed over early, and what it was to replace": 1956,
    "a dose in the place of a planned one, which was to replace what was decided as beside it": 20137,
    "a dose in the place of one for which another is planned, and a third that nobody knows of": 20653,
    "a dose in the place of one for which another is planned, and of a third": 622990,
}


@pytest.mark.parametrize("seed", DIFFERED_ONCE.values(), ids=DIFFERED_ONCE)
def test_a_history_that_differed_once_is_kept_as_it_was_to_become(seed: int) -> None:
    for preview, record in histories(Random(seed)):
        assert describe_days(preview) == describe_days(therapy(record))


def describe_days(state: Therapy, today: date | None = None) -> dict[date, Any]:
    """Return the doses of the days around a day, today without one; courses in no order."""
    today = today or state.today
    shorts = {on: in_short(state.day(on)) for on in days_between(today - timedelta(35), today + timedelta(40))}
    return {on: (*short[:3], set(short[3]), set(short[4]), short[5]) for on, short in shorts.items()}


def histories(random: Random) -> Iterator[tuple[Therapy, Facts]]:
    """Return each hand-over of a history: the therapy that the screen showed, and the record after it."""
    orders = tuple(replace(order, status=OrderStatus.ACTIVE) for order in states.crowded_state(random.choice).orders)
    facts = Facts(states.day(FIRST), orders, (), (), habits())
    while facts.today <= states.day(LAST):
        order = random.choice(orders)
        if facts.supplies and random.random() < 0.3:
            facts = change(random, facts, order)
        elif (handed_over := hand_over(random, facts, order)) is not None:
            facts = handed_over[1]
            yield handed_over
        facts = replace(facts, today=facts.today + timedelta(random.choice([0, 1, 1, 2, 4])))


def hand_over(random: Random, facts: Facts, order: Order) -> tuple[Therapy, Facts] | None:
    """Hand an order over with an answer to what is asked, or without; None where it may not be handed over."""
    relation = therapy(facts).relate(order.id)
    if relation is None:
        return None
    tablets, name = (Decimal(random.choice([12, 21, 42, 84])),), f"s{len(facts.supplies)}"
    answers: tuple[Decision, ...] = ()
    if random.random() < (0.85 if relation.relation is Relation.UNKNOWN else 0.2):
        kind = random.choice(ANSWERS)
        is_later = kind is DecisionKind.REPLACES and random.random() < 0.3
        starts_on = facts.today + timedelta(random.choice([1, 3, 8])) if is_later else None
        about = relation.to[:1] if kind is DecisionKind.CONTINUES else relation.to
        answers = tuple(
            Decision(kind, course, facts.today, order.id, starts_on, id=f"{name} {course}", since=HAND_OVER)
            for course in about
        )
    after = therapy(facts).with_hand_over(order.id, tablets, answers)
    relation_after = after.relate_supply(HAND_OVER)
    if relation_after is None:
        return None
    answered_start = next((answer.starts_on for answer in answers if answer.starts_on), None)
    frozen = FrozenRelation(relation_after.relation, relation_after.how, relation_after.to, answered_start)
    number = 1 + max((supply.number for supply in facts.supplies if supply.order == order.id), default=0)
    of_day = 1 + sum(supply.on == facts.today for supply in facts.supplies)
    supply = Supply(name, facts.today, order.id, tablets, relation=frozen, number=number, number_of_day=of_day)
    settled = tuple(replace(answer, since=name) for answer in answers)
    return after, replace(facts, supplies=(*facts.supplies, supply), decisions=(*facts.decisions, *settled))


def change(random: Random, facts: Facts, order: Order) -> Facts:
    """Take a hand-over back, or add a decision about an order."""
    of_day = tuple(supply.id for supply in facts.supplies if supply.on == facts.today)
    back = random.choice(facts.supplies)
    decision = random.choice(
        [
            None,
            Decision(DecisionKind.STOPPED, order.id, facts.today, after=of_day),
            Decision(DecisionKind.MOVED, order.id, facts.today, days=random.choice([-2, 1, 4])),
            Decision(DecisionKind.COUNTED, order.id, facts.today, tablets=(Decimal(random.choice([0, 6, 20])),)),
            Decision(DecisionKind.TAKES, order.id, facts.today, mg=Decimal(random.choice([10, 60]))),
        ]
    )
    if decision is not None:
        named = replace(decision, id=f"d{len(facts.decisions)}")
        return replace(facts, decisions=(*facts.decisions, named))
    if back.status is not SupplyStatus.GIVEN:
        return facts
    returned = replace(back, status=SupplyStatus.RETURNED, returned_on=facts.today)
    return replace(facts, supplies=tuple(returned if supply is back else supply for supply in facts.supplies))
