"""Courses of treatment, counted forward from what was handed over and decided.

Every event of the past is applied in order; between two events a course is a row of stretches, each with equal doses.
No loop runs over days: the work grows with events and phases. Days are ordinals (`date.toordinal`) in this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from baclofen_rules.therapy.model import (
    ZERO,
    Decision,
    DecisionKind,
    Facts,
    Order,
    OrderStatus,
    Plan,
    PlanPhase,
    Relation,
    Supply,
    SupplyStatus,
)
from baclofen_rules.therapy.relations import Asked, RelationToCourses, relation_to_courses

FAR = date.max.toordinal()
"""The end of a stretch, or of a count, that goes on until told otherwise."""


class Ending(StrEnum):
    """The reason why a course ended."""

    REPLACED = "replaced"
    STOPPED = "stopped"
    PLANNED = "planned"
    DIED = "died"
    RETURNED = "returned"
    LAPSED = "lapsed"
    """More days without tablets than a course can pause."""


class Stretch(NamedTuple):
    """Days of a course with equal doses: from `first` up to, but not including, `end`."""

    first: int
    end: int
    phase: PlanPhase | None
    """None: a dose that nobody knows."""
    segment: Segment
    uncovered_since: int | None
    """The first day without tablets; None where they suffice."""


class CoverEnd(NamedTuple):
    """The end of a course's tablets: the first uncovered day, or the day after a planned end that they reach."""

    uncovered: int | None
    ends_on: int | None


@dataclass(slots=True, eq=False)
class Segment:
    """The part of a course that one order, or one recorded supply, feeds."""

    source: str
    plan: Plan | None
    prescriber: str | None
    order: Order | None
    not_before: int
    stock: list[Decimal]
    """mg left by product; for an unknown dose the days left."""
    first_taken: int | None = None
    """The day that counts as day 1 of its regimen."""
    moved: int = 0

    def clone(self) -> Segment:
        """Return a copy that can be counted forward without touching this one."""
        return Segment(
            self.source,
            self.plan,
            self.prescriber,
            self.order,
            self.not_before,
            self.stock.copy(),
            self.first_taken,
            self.moved,
        )

    def at(self, day: int, first_taken: int | None) -> tuple[PlanPhase | None, int]:
        """Return the phase of a day and the days from there on with equal doses; 0 days after a planned end."""
        plan = self.plan
        if plan is None or not plan.phases:
            return None, FAR
        position = 0 if first_taken is None else max(0, day - first_taken - self.moved)
        for phase in plan.phases:
            if phase.days is None or position < phase.days:
                return phase, FAR if phase.days is None else phase.days - position
            position -= phase.days
        return plan.phases[-1], 0 if plan.then_stop else FAR

    def days_of_stock(self, phase: PlanPhase | None) -> int:
        """Return the whole days that the tablets left suffice for: of each product, the whole day's dose."""
        needs = (Decimal(1),) if phase is None else phase.needs
        return min(
            [int(left // need) if need else FAR for left, need in zip(self.stock, needs, strict=True)], default=0
        )

    def take(self, phase: PlanPhase | None, days: int) -> None:
        """Take the doses of some days off the stock."""
        needs = (Decimal(1),) if phase is None else phase.needs
        self.stock = [left - need * days for left, need in zip(self.stock, needs, strict=True)]

    def empty(self) -> None:
        """Count what is left as gone: it does not make a whole day."""
        self.stock = [ZERO for _ in self.stock]


@dataclass(slots=True, eq=False)
class Course:
    """One regimen as taken, from its first day to its end; fed by one or more segments."""

    name: str
    first_on: int
    as_needed: bool
    segments: list[Segment]
    cursor: int
    """The first day that is not counted yet."""
    stretches: list[Stretch] = field(default_factory=list)
    ended_on: int | None = None
    ended_why: Ending | None = None
    replaces: list[Course] = field(default_factory=list)
    replaced_by: Course | None = None
    supplies: list[Supply] = field(default_factory=list)
    replaced_days: list[tuple[int, int]] = field(default_factory=list)
    """Days, the last one excluded, on which a course stood in its place that fell away later."""
    reported: list[tuple[int, Decimal]] = field(default_factory=list)
    """The day since which a patient says to take another amount a day, and the amount."""
    counted_cover: CoverEnd | None = None
    """Where the tablets end, where that was counted already."""

    @property
    def last_segment(self) -> Segment:
        return self.segments[-1]

    @property
    def is_open(self) -> bool:
        return self.ended_on is None

    def is_open_on(self, day: int) -> bool:
        """Say whether a day lies between the first day and the end, and no other course stood in its place."""
        is_within = self.first_on <= day and (self.ended_on is None or day < self.ended_on)
        return is_within and not any(first <= day < end for first, end in self.replaced_days)

    def is_fed_by(self, source: str) -> bool:
        """Say whether this is the course's name, or an order or recorded supply that feeds it."""
        return source == self.name or any(segment.source == source for segment in self.segments)

    def clone(self) -> Course:
        """Return a copy that can be counted forward without touching this one."""
        return Course(
            self.name,
            self.first_on,
            self.as_needed,
            [segment.clone() for segment in self.segments],
            self.cursor,
            self.stretches.copy(),
            self.ended_on,
            self.ended_why,
            self.replaces,
            self.replaced_by,
            self.supplies,
            self.replaced_days,
            self.reported,
        )

    def cover_end(self, new_after: int) -> CoverEnd:
        """Return where the tablets end, as the course stands; counted once until its tablets or its plan change."""
        if self.counted_cover is None:
            ahead = self.clone()
            ahead.advance(FAR, new_after)
            uncovered = ahead.first_uncovered(self.cursor)
            self.counted_cover = CoverEnd(uncovered, ahead.ended_on if uncovered is None else None)
        return self.counted_cover

    def end(self, day: int, why: Ending) -> None:
        """End the course: `day` is the first without it."""
        self.ended_on, self.ended_why = day, why
        self.stretches = [
            stretch if stretch.end <= day else stretch._replace(end=day)
            for stretch in self.stretches
            if stretch.first < day
        ]

    def reopen(self, day: int) -> None:
        """Go on with the tablets that are left, from `day`."""
        self.replaced_days = [*self.replaced_days, (self.ended_on or day, day)]
        self.ended_on = self.ended_why = self.replaced_by = self.counted_cover = None
        self.cursor = day

    def position(self, day: int, new_after: int) -> PlanPhase | None:
        """Return the phase where the course stands on a day, by the calendar, whether tablets cover it or not."""
        ahead = self.clone()
        ahead.advance(day + 1, new_after)
        stretch = ahead.stretch_on(day)
        return self.segments[0].at(day, self.segments[0].first_taken)[0] if stretch is None else stretch.phase

    def stretch_on(self, day: int) -> Stretch | None:
        """Return the stretch that a day falls in; None before the course, and after it."""
        for stretch in reversed(self.stretches):
            if stretch.first <= day:
                return stretch if day < stretch.end else None
        return None

    def uncovered_days(self, day: int) -> int:
        """Return the days without tablets up to a day, 0 where the day is covered."""
        stretch = self.stretch_on(day)
        if stretch is None or stretch.uncovered_since is None:
            return 0
        return day - stretch.uncovered_since + 1

    def first_uncovered(self, day: int) -> int | None:
        """Return the first day without tablets, in the past where today has none; None where the course ends before."""
        for stretch in self.stretches:
            if stretch.uncovered_since is not None and stretch.end > day:
                return stretch.uncovered_since
        return None

    def advance(self, until: int, new_after: int) -> None:
        """Count the course forward up to, but not including, a day."""
        day = self.cursor
        while day < until and self.ended_on is None:
            segment, phase, covered, same = self._payer(day)
            if same <= 0:
                self.end(day, Ending.PLANNED)
                break
            since = None
            if covered:
                days = min(covered, same, until - day)
                segment.take(phase, days)
            else:
                since = self._uncovered_since(day)
                lapses_on = since + new_after + 1
                if day >= lapses_on:
                    self.end(day, Ending.LAPSED)
                    break
                days = min(same, until - day, lapses_on - day)
                later = [s.not_before for s in self.segments if s.not_before > day and any(s.stock)]
                days = min([days, *(start - day for start in later)])
            self._add(Stretch(day, day + days, phase, segment, since))
            day += days
        self.cursor = max(self.cursor, min(day, until))

    def _payer(self, day: int) -> tuple[Segment, PlanPhase | None, int, int]:
        """Return the segment that the doses of a day come from, its phase, the days its tablets and its doses last.

        What a segment has left is gone on the day that it cannot pay whole.
        """
        for segment in self.segments:
            if day < segment.not_before or not any(segment.stock):
                continue
            first_taken = day if segment.first_taken is None else segment.first_taken
            phase, same = segment.at(day, first_taken)
            covered = segment.days_of_stock(phase) if same > 0 else 0
            if covered:
                segment.first_taken = first_taken
                return segment, phase, covered, same
            segment.empty()
        taken = [s for s in self.segments if s.first_taken is not None and s.not_before <= day]
        segment = taken[-1] if taken else self.segments[0]
        phase, same = segment.at(day, segment.first_taken)
        return segment, phase, 0, same

    def _uncovered_since(self, day: int) -> int:
        last = self.stretches[-1] if self.stretches else None
        if last is not None and last.end == day and last.uncovered_since is not None:
            return last.uncovered_since
        return day

    def _add(self, stretch: Stretch) -> None:
        last = self.stretches[-1] if self.stretches else None
        if last is not None and last.end == stretch.first and last[2:] == stretch[2:]:
            self.stretches[-1] = last._replace(end=stretch.end)
        else:
            self.stretches.append(stretch)


@dataclass(slots=True)
class Courses:
    """All courses of a patient, counted forward event by event."""

    facts: Facts
    courses: list[Course] = field(default_factory=list)
    planned: list[Course] = field(default_factory=list)
    """Handed over, and to begin on a day to come."""
    unknown_pairs: set[frozenset[Course]] = field(default_factory=set)
    decided_pairs: set[frozenset[Course]] = field(default_factory=set)
    """Courses of which a person said that they run beside each other."""
    moved_u: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By supply: the first day that it is for, and the first day that was uncovered after it."""
    relations: dict[str, RelationToCourses] = field(default_factory=dict)
    """By supply: the relation under which it was handed over."""
    day: int = 0
    orders: dict[str, Order] = field(default_factory=dict)
    decisions: tuple[Decision, ...] = ()

    @classmethod
    def counted(cls, facts: Facts) -> Courses:
        """Return the courses as they stand on the morning of today, with everything of today applied."""
        state = cls(facts, orders={order.id: order for order in facts.orders}, decisions=standing(facts.decisions))
        for day, _, _, apply in sorted(state._events(), key=lambda event: event[:3]):
            if day > facts.today.toordinal():
                break
            state._start_planned(day - 1)
            state.day = day
            apply()
        state._start_planned(facts.today.toordinal())
        state.day = facts.today.toordinal()
        return state

    def forecast(self) -> Courses:
        """Return the courses counted to their ends as if nothing else happened but what is planned."""
        clones = {id(course): course.clone() for course in self.courses}
        for course in clones.values():
            course.replaces = [clones[id(other)] for other in course.replaces]
            course.counted_cover = None
            course.replaced_by = None if course.replaced_by is None else clones[id(course.replaced_by)]
        ahead = copy(self)
        ahead.courses = list(clones.values())
        ahead.planned = [clones[id(course)] for course in self.planned]
        ahead.unknown_pairs = {frozenset(clones[id(c)] for c in pair) for pair in self.unknown_pairs}
        ahead.decided_pairs = {frozenset(clones[id(c)] for c in pair) for pair in self.decided_pairs}
        stops = [d for d in self.decisions if d.kind is DecisionKind.STOPPED and d.on > self.facts.today]
        for decision in sorted(stops, key=lambda d: d.on):
            ahead._start_planned(decision.on.toordinal() - 1)
            ahead.day = decision.on.toordinal()
            ahead._stop(decision)
        ahead._start_planned(FAR)
        for course in ahead.courses:
            course.advance(FAR, self.facts.habits.new_after)
        ahead.day = self.day
        return ahead

    def named(self, name: str) -> Course | None:
        """Return the latest course of that name, or that an order or supply of that name feeds; an open one first."""
        fed = [course for course in self.courses if course.is_fed_by(name)]
        return next((course for course in reversed(fed) if course.is_open), fed[-1] if fed else None)

    def runs(self, course: Course, day: int) -> bool:
        """Say whether a course runs on a day: started, not ended, and covered or not long without tablets."""
        if not course.is_open_on(day):
            return False
        return course.as_needed or course.uncovered_days(day) <= self.facts.habits.restart_after

    def are_unknown(self, one: Course, other: Course) -> bool:
        """Say whether nobody knows how two courses stand to each other."""
        return frozenset((one, other)) in self.unknown_pairs

    # --- events ---------------------------------------------------------------------------------------------------

    def _events(self) -> list[tuple[int, int, tuple[object, ...], Callable[[], None]]]:
        """Return (day, kind, place within a day, what to do): decisions, death, returns, hand-overs.

        Of one day's hand-overs those on orders handed over before come first, then those of the larger daily dose.
        """
        nothing: tuple[object, ...] = ()
        events: list[tuple[int, int, tuple[object, ...], Callable[[], None]]] = []
        first_on: dict[str, date] = {}
        for supply in self.facts.supplies:
            source = supply.order or supply.id
            if supply.status is not SupplyStatus.CANCELLED:
                first_on[source] = min(supply.on, first_on.get(source, supply.on))
        decided: dict[DecisionKind, Callable[[Decision], None]] = {
            DecisionKind.STOPPED: self._stop,
            DecisionKind.COUNTED: self._count,
            DecisionKind.MOVED: self._move,
            DecisionKind.TAKES: self._report,
        }
        for decision in self.decisions:
            if decision.kind in decided:
                apply = decided[decision.kind]
                key: tuple[object, ...] = (decision.kind, decision.object, decision.id or "")
                events.append((decision.on.toordinal(), 0, key, lambda d=decision, a=apply: a(d)))  # type: ignore[misc]  # bound in the loop
        died_on = self.facts.died_on
        if died_on is not None:
            events.append((died_on.toordinal(), 1, nothing, self._die))
        for supply in self.facts.supplies:
            if supply.status is SupplyStatus.CANCELLED or (died_on is not None and supply.on >= died_on):
                continue
            asked = self._asked(supply)
            mg = asked.plan.phases[0].mg if asked.plan is not None and asked.plan.phases else ZERO
            place = _place_within_day(supply, self.facts.supplies) if first_on[asked.id] == supply.on else -1
            key = (place, -mg, asked.id, supply.number, supply.id)
            events.append((supply.on.toordinal(), 3, key, lambda s=supply, a=asked: self._hand_over(s, a)))  # type: ignore[misc]  # bound in the loop
            if supply.status is SupplyStatus.RETURNED and supply.returned_on is not None:
                # What came back on the day of its hand-over came back after it.
                kind = 2 if supply.returned_on > supply.on else 4
                events.append((supply.returned_on.toordinal(), kind, key, lambda s=supply: self._return(s)))  # type: ignore[misc]  # bound in the loop
        return events

    def _asked(self, supply: Supply) -> Asked:
        order = None if supply.order is None else self.orders[supply.order]
        if order is not None:
            return Asked.of_order(order)
        return Asked.of_recorded(supply)

    def _advance_all(self) -> None:
        for course in self.courses:
            course.advance(self.day, self.facts.habits.new_after)

    def _start_planned(self, day: int) -> None:
        """Begin the courses that were planned for a day, or for one before it, each on its own day."""
        for course in sorted(self.planned, key=lambda c: (c.first_on, c.name)):
            if course.first_on <= day and course in self.planned:
                self.planned.remove(course)
                self.day = course.first_on
                self._begin(course)

    def _begin(self, course: Course) -> None:
        self._advance_all()
        for replaced in course.replaces:
            if replaced.is_open:
                replaced.end(max(self.day, replaced.first_on), Ending.REPLACED)
                replaced.replaced_by = course
                if replaced in self.planned:
                    self.planned.remove(replaced)

    def _targets(self, name: str) -> Iterable[Course]:
        if name == "all":
            return [course for course in self.courses if course.is_open]
        course = self.named(name)
        return [] if course is None or not course.is_open else [course]

    def _stop(self, decision: Decision) -> None:
        self._advance_all()
        for course in self._targets(decision.object):
            self._end(course, Ending.STOPPED)

    def _die(self) -> None:
        self._advance_all()
        for course in self.courses:
            if course.is_open:
                self._end(course, Ending.DIED)

    def _end(self, course: Course, why: Ending) -> None:
        course.end(max(self.day, course.first_on), why)
        if course in self.planned:
            self.planned.remove(course)

    def _count(self, decision: Decision) -> None:
        """Put what was counted at home in the place of the stock; a counted order that was never taken begins."""
        self._advance_all()
        tablets = decision.tablets or ()
        targets = list(self._targets(decision.object))
        order = self.orders.get(decision.object)
        if not targets and order is not None:
            supply = Supply(f"counted {decision.on}", decision.on, order.id, tablets)
            if any(tablets):
                self._hand_over(supply, Asked.of_order(order))
            return
        for course in targets:
            for segment in course.segments:
                segment.empty()
            course.last_segment.stock = _stock(course.last_segment.plan, tablets, None)
            course.counted_cover = None

    def _move(self, decision: Decision) -> None:
        self._advance_all()
        for course in self._targets(decision.object):
            course.last_segment.moved += decision.days or 0
            course.counted_cover = None

    def _report(self, decision: Decision) -> None:
        for course in self._targets(decision.object):
            if decision.mg is not None:
                course.reported.append((self.day, decision.mg))

    def _return(self, supply: Supply) -> None:
        """Take what came back out of stock; a course of which everything came back falls away from that day."""
        self._advance_all()
        for course in self.courses:
            if supply not in course.supplies:
                continue
            segment = next(s for s in course.segments if s.source == (supply.order or supply.id))
            given = _stock(segment.plan, supply.tablets or (), supply.days)
            back = given if supply.returned_tablets is None else _stock(segment.plan, supply.returned_tablets, None)
            segment.stock = [max(ZERO, left - min(b, left)) for left, b in zip(segment.stock, back, strict=True)]
            course.counted_cover = None
            if course.is_open and all(self._is_back(other) for other in course.supplies):
                self._fall_away(course)

    def _is_back(self, supply: Supply) -> bool:
        returned_on = supply.returned_on
        is_whole = supply.returned_tablets is None or supply.returned_tablets == supply.tablets
        return returned_on is not None and returned_on.toordinal() <= self.day and is_whole

    def _fall_away(self, course: Course) -> None:
        self._end(course, Ending.RETURNED)
        for replaced in course.replaces:
            if replaced.replaced_by is course and replaced.ended_why is Ending.REPLACED:
                replaced.reopen(self.day)

    def _hand_over(self, supply: Supply, asked: Asked) -> None:
        self._advance_all()
        relation = relation_to_courses(self, asked, supply)
        self.relations[supply.id] = relation
        course, segment, before = self._feed(supply, asked, relation)
        course.supplies.append(supply)
        stock = _stock(segment.plan, supply.tablets or (), supply.days)
        segment.stock = [left + more for left, more in zip(segment.stock, stock, strict=True)]
        course.counted_cover = None
        uncovered, ends_on = course.cover_end(self.facts.habits.new_after)
        end = ends_on if uncovered is None else uncovered
        first = max(self.day, segment.not_before, before or 0)
        self.moved_u[supply.id] = (first, max(first, end or first))

    def _feed(self, supply: Supply, asked: Asked, relation: RelationToCourses) -> tuple[Course, Segment, int | None]:
        """Return the course and the segment that a hand-over feeds, and the day to which that course was covered."""
        if relation.relation in (Relation.PART, Relation.CONTINUES) and relation.to:
            course = relation.to[0]
            before = self.cover_end(course)
            if course.last_segment.source == asked.id:
                return course, course.last_segment, before
            starts_on = None if asked.starts_on is None else asked.starts_on.toordinal()
            segment = self._segment(asked, max(self.day, starts_on or 0))
            course.segments.append(segment)
            return course, segment, before
        return self._open(supply, asked, relation)

    def _open(self, supply: Supply, asked: Asked, relation: RelationToCourses) -> tuple[Course, Segment, int | None]:
        planned = relation.starts_on or asked.starts_on
        first_on = max(self.day, planned.toordinal() if planned else self.day)
        names = {course.name for course in self.courses}
        name = asked.id if asked.id not in names else f"{asked.id}@{date.fromordinal(first_on)}"
        segment = self._segment(asked, first_on)
        if segment.first_taken is None:
            segment.first_taken = first_on
        course = Course(name, first_on, asked.as_needed, [segment], first_on)
        if relation.relation is Relation.CHANGES:
            course.replaces = list(relation.to)
        for other, is_unknown in relation.beside.items():
            (self.unknown_pairs if is_unknown else set()).add(frozenset((course, other)))
        self.decided_pairs |= {frozenset((course, other)) for other in relation.decided_beside}
        self.courses.append(course)
        if first_on > self.day:
            self.planned.append(course)
        else:
            self._begin(course)
        return course, segment, None

    def _segment(self, asked: Asked, not_before: int) -> Segment:
        stock = [ZERO] if asked.plan is None or not asked.plan.products else [ZERO for _ in asked.plan.products]
        segments = (segment for course in self.courses for segment in course.segments)
        taken = [s.first_taken for s in segments if s.source == asked.id and s.first_taken is not None]
        return Segment(
            source=asked.id,
            plan=asked.plan,
            prescriber=asked.prescriber,
            order=asked.order,
            not_before=not_before,
            stock=stock,
            first_taken=min(taken, default=None),
        )

    def cover_end(self, course: Course) -> int | None:
        """Return the first day that a course has no tablets for, as it stands; None where its plan ends before."""
        return course.cover_end(self.facts.habits.new_after).uncovered


def _place_within_day(supply: Supply, supplies: Sequence[Supply]) -> int:
    """Return how many hand-overs of its day, one on another, a hand-over is known to have come after.

    The relation frozen with it names their courses.
    """
    names = set() if supply.relation is None else {name.partition("@")[0] for name in supply.relation.to}
    before = [s for s in supplies if s.on == supply.on and (s.order or s.id) in names - {supply.order or supply.id}]
    others = [s for s in supplies if s is not supply]
    return max((1 + _place_within_day(s, others) for s in before), default=0)


def _stock(plan: Plan | None, tablets: Sequence[Decimal], days: int | None) -> list[Decimal]:
    """Return mg by product of some tablets, or of as many days from the first; days where nobody knows the dose."""
    if plan is None or not plan.phases:
        return [Decimal(days or 0)]
    if tablets:
        return [count * (strength or Decimal(1)) for count, strength in zip(tablets, plan.strengths, strict=True)]
    left, total = days or 0, [ZERO for _ in plan.products]
    for phase in plan.phases:
        lasts = left if phase.days is None or phase is plan.phases[-1] else min(left, phase.days)
        total = [sum_mg + need * lasts for sum_mg, need in zip(total, phase.needs, strict=True)]
        left -= lasts
    return total


def standing(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """Return the decisions that no newer one corrects, oldest first."""
    decisions = tuple(decisions)
    corrected = {decision.corrects for decision in decisions if decision.corrects is not None}
    kept = [decision for decision in decisions if decision.id is None or decision.id not in corrected]
    return tuple(sorted(kept, key=lambda d: (d.on, d.kind, d.subject or "", d.object, d.id or "")))


__all__ = ["FAR", "Course", "Courses", "Ending", "OrderStatus", "Segment", "Stretch", "standing"]
