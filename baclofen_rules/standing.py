"""The patient's standing on the day of a case of the second format: read from its therapy, before any answer."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from baclofen_rules.case import Case, Fill, Relation
from baclofen_rules.fills import Past, Standing
from baclofen_rules.record import Record
from baclofen_rules.therapy import HAND_OVER, Habits, How, OrderRelation, Therapy, therapy


class TherapyStanding(NamedTuple):
    """The look back of a record, with the therapy before and after the hand-over."""

    past: Past
    therapy: Therapy | None = None
    """What the patient takes; None without a known history."""
    relation: OrderRelation | None = None
    """How the order stands to that; None where it may not be handed over, and for a stop."""
    after: Therapy | None = None
    """The therapy after the hand-over; None where its tablets or doses are not known."""
    position: int = 1
    """The day of the order's plan on which the hand-over's first day falls."""


def stand(case: Case, record: Record, habits: Habits) -> TherapyStanding:
    """Count the therapy of a record, and say how the order or the stop that is asked about stands to it."""
    if record.supplies is None:
        return TherapyStanding(Past(is_unknown=True))
    before = therapy(record.facts(case.on, habits))
    ask = case.ask
    if ask is None or ask.order is None:
        return TherapyStanding(_look_back(before, before.relate_stop(None if ask is None else ask.course)), before)
    relation = before.relate(ask.order)
    if relation is None:
        return TherapyStanding(Past(), before)
    after, position = None, 1
    tablets = record.tablets_asked(ask, before.owed(ask.order))
    if tablets is not None and case.order is not None and case.order.regimen is not None:
        after = before.with_hand_over(ask.order, tablets)
        position = after.position(HAND_OVER)
    past = _look_back(before, relation)
    starts_on = case.on if after is None else after.supply(HAND_OVER).starts_on
    if starts_on > case.on and position > 1 and relation.how is How.OWN_ORDER:
        # Its tablets are for the days after those at home: its first dose follows the last one of those.
        then = therapy(record.facts(starts_on, habits)).relate(ask.order)
        if then is not None and then.previous_high is not None:
            held_days = _held_days(starts_on, then.held_since, then.uncovered_on)
            past = past._replace(previous_mg=then.previous_high, previous_low_mg=then.previous_low, held_days=held_days)
    return TherapyStanding(past, before, relation, after, position)


def _look_back(before: Therapy, relation: OrderRelation) -> Past:
    if relation.previous_high is None:  # nobody knows what is taken
        return Past(is_unknown=True, cover_end=relation.uncovered_on)
    if not relation.to:
        return Past(standing=Standing.NEW)
    is_paused = relation.gap_days >= before.facts.habits.restart_after
    return Past(
        standing=Standing.RESTART if is_paused else Standing.CONTINUING,
        latest=_latest_fill(relation),
        previous_mg=relation.previous_high or Decimal(0),
        previous_low_mg=relation.previous_low,
        held_days=_held_days(before.today, relation.held_since, relation.uncovered_on),
        cover_end=relation.uncovered_on,
        left_days=relation.left_days,
        gap_days=relation.gap_days,
    )


def _held_days(on: date, held_since: date | None, uncovered_on: date | None) -> int:
    """Return the days for which a dose was held, up to the last day with tablets."""
    return 0 if held_since is None else (min(on, uncovered_on or on) - held_since).days


def _latest_fill(relation: OrderRelation) -> Fill | None:
    """Return the last fill of the courses in question, with the doses of their last covered day."""
    if relation.last_supply_on is None or not relation.previous_doses:
        return None
    return Fill(
        dispensed_on=relation.last_supply_on,
        doses=relation.previous_doses,
        days_supply=relation.fill_days,
        relation=Relation.SAME_COURSE,
        strength_mg=relation.previous_strength_mg,
        dose_since=relation.held_since,
    )
