"""The events of a therapy in the order in which they are applied: decisions, death, returns, hand-overs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from baclofen_rules.therapy.fills import is_back
from baclofen_rules.therapy.model import ZERO, Decision, DecisionKind, Facts, Supply, SupplyStatus
from baclofen_rules.therapy.segments import FAR

DECISIONS_OF_A_DAY = (DecisionKind.STOPPED, DecisionKind.COUNTED, DecisionKind.MOVED, DecisionKind.TAKES)
"""The order in which the decisions of one day are applied."""


class Kind:
    """The kinds of event, in the order in which those of one day are applied."""

    DECISION, DEATH, RETURN, UNDONE_HAND_OVER, UNDOING, HAND_OVER, RETURN_OF_THE_DAY, STOP, LATER_DECISION = range(9)
    """What came back whole before more of its order was handed over on the same day is handed over and back first."""


class Event(NamedTuple):
    """Something that happened on a day.

    One day's hand-overs come in their order of the day. Where that is not known those on orders handed over before come
    first, then those of the larger daily dose; each after those that its relation names, or an answer given with it, or
    that it replaces by a decision of that day.
    """

    day: int
    kind: int
    place: tuple[object, ...] = ()
    """The order of events of one kind and day."""
    what: Decision | Supply | None = None
    part: int = 0
    """The part of the day: a stop that is known to have come after hand-overs ends one, and later ones are of the next."""


class _HandOver(NamedTuple):
    """A hand-over among those of its day."""

    id: str
    source: str
    after: set[str]
    """The orders, or recorded supplies, whose hand-overs of the day it is known to have come after."""
    rank: int
    """Its place among those of its own order on the day."""
    number_of_day: int | None
    """Its place among those of the day; None: not known."""


def events_of(facts: Facts, decisions: Sequence[Decision]) -> list[Event]:
    """Return what happened up to the evening of today, in the order in which it is applied."""
    return sorted(_find_events(facts, decisions), key=attrgetter("day", "part", "kind", "place"))


def _find_events(facts: Facts, decisions: Sequence[Decision]) -> Iterator[Event]:
    """Return what happened up to the evening of today, in no order."""
    today = facts.today.toordinal()
    orders = {order.id: order for order in facts.orders}
    died_on = FAR if facts.died_on is None else facts.died_on.toordinal()
    if died_on <= today:
        yield Event(died_on, Kind.DEATH)
    supplies = [s for s in facts.supplies if s.status is not SupplyStatus.CANCELLED]
    stops = [(d, {s.id for s in supplies if s.id in d.after and s.on == d.on}) for d in decisions if d.after]
    stops = [(decision, before) for decision, before in stops if before and decision.kind is DecisionKind.STOPPED]
    for decision in decisions:
        day = decision.on.toordinal()
        if decision.kind in DECISIONS_OF_A_DAY and day <= min(today, died_on):
            name = (DECISIONS_OF_A_DAY.index(decision.kind), decision.object, decision.id or "")
            of_day = [(stop, before) for stop, before in stops if stop.on == decision.on]
            own_before = next((before for stop, before in of_day if stop is decision), None)
            if own_before is not None:
                part = sum(before < own_before for _, before in of_day)
                yield Event(day, Kind.STOP, name, decision, part)
                continue
            yield Event(day, Kind.DECISION, name, decision)
            if decision.kind is not DecisionKind.COUNTED:  # that is said of the morning
                yield Event(day, Kind.LATER_DECISION, name, decision, len(of_day))
    first_on = {s.order or s.id: s.on for s in sorted(supplies, key=attrgetter("on"), reverse=True)}
    hand_overs_on = Counter([supply.on for supply in supplies])
    answers = [decision for decision in decisions if decision.subject is not None]
    days = [on for on, count in hand_overs_on.items() if count > 1]
    places = {on: _places_of([s for s in supplies if s.on == on], answers) for on in days}
    for supply in supplies:
        day = supply.on.toordinal()
        if day > today or day >= died_on:
            continue
        place: tuple[object, ...] = ()
        if hand_overs_on[supply.on] > 1 or supply.status is SupplyStatus.RETURNED:
            source = supply.order or supply.id
            plan = orders[supply.order].plan if supply.order is not None else supply.plan
            mg = plan.phases[0].mg if plan is not None and plan.phases else ZERO
            after = places.get(supply.on, {}).get(supply.id, 0)
            if not after and first_on[source] != supply.on:
                after = -1
            place = (after, -mg, source, supply.number, supply.id)
        is_undone = supply.status is SupplyStatus.RETURNED and _is_undone(supply, supplies)
        part = sum(stop.on == supply.on and supply.id not in before for stop, before in stops)
        yield Event(day, Kind.UNDONE_HAND_OVER if is_undone else Kind.HAND_OVER, place, supply, part)
        if supply.status is SupplyStatus.RETURNED and supply.returned_on is not None:
            returned_on = max(day, supply.returned_on.toordinal())
            if returned_on <= today and returned_on < died_on:
                kind = Kind.UNDOING if is_undone else Kind.RETURN if returned_on > day else Kind.RETURN_OF_THE_DAY
                yield Event(returned_on, kind, place, supply, part if returned_on == day else 0)


def standing(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """Return the decisions that no newer one corrects, oldest first."""
    decisions = tuple(decisions)
    corrected = {decision.corrects for decision in decisions if decision.corrects is not None}
    uncorrected = [decision for decision in decisions if decision.id is None or decision.id not in corrected]
    return tuple(sorted(uncorrected, key=lambda d: (d.on, d.kind, d.subject or "", d.object, d.id or "")))


def _is_undone(supply: Supply, supplies: Sequence[Supply]) -> bool:
    """Say whether a hand-over came back whole on its day, with those before it, and more of its order was handed over then."""
    source, day, place = supply.order or supply.id, supply.on.toordinal(), (supply.number, supply.id)
    of_day = [s for s in supplies if s.on == supply.on and (s.order or s.id) == source]
    earlier = [s for s in of_day if (s.number, s.id) <= place]
    return len(earlier) < len(of_day) and all(is_back(s, day) for s in earlier)


def _places_of(supplies: Sequence[Supply], answers: Sequence[Decision]) -> dict[str, int]:
    """Return by id the place of each hand-over of a day: above 0 for one that is known to have come after another.

    The order of the day says so. Where that is not known, or the same, the relation frozen with it names their courses, or
    an answer given with it, or a person said on that day that it takes their place. What an earlier one of its own order
    came after, it came after too. Of those that name each other the first of their orders come first.
    """
    ranks: Counter[str] = Counter()
    waiting: list[_HandOver] = []
    for supply in sorted(supplies, key=attrgetter("place")):
        source = supply.order or supply.id
        names = set() if supply.relation is None else {name.partition("@")[0] for name in supply.relation.to}
        decided = [d for d in answers if d.subject == source and d.on == supply.on]
        named = [d for d in decided if d.kind is DecisionKind.REPLACES or d.since == supply.id]
        names |= {decision.object.partition("@")[0] for decision in named}
        waiting.append(_HandOver(supply.id, source, names - {source}, ranks[source], supply.number_of_day))
        ranks[source] += 1
    places: dict[str, int] = {}
    place = 0
    while waiting:
        first = min([row.number_of_day for row in waiting if row.number_of_day is not None], default=None)
        next_rows = [row for row in waiting if row.number_of_day in (None, first)]
        sources, next_sources = {row.source for row in waiting}, {row.source for row in next_rows}
        ready: list[_HandOver] = []
        blocked: set[str] = set()
        for row in waiting:
            is_later = row.number_of_day not in (None, first)
            before = sources if row.number_of_day is None else next_sources
            if row.source in blocked or is_later or row.after & before:
                blocked.add(row.source)
            else:
                ready.append(row)
        lowest = min(row.rank for row in next_rows)
        of_a_circle = [row for row in next_rows if row.rank == lowest]  # each is known to have come after another
        places |= {row.id: place for row in ready} or {row.id: place + 1 for row in of_a_circle}
        waiting = [row for row in waiting if row.id not in places]
        place += 2
    return places
