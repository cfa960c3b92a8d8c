"""Courses of treatment, counted forward from what was handed over and decided.

Every event of the past is applied in order; between two events a course is a row of stretches, each with equal doses.
No loop runs over days, and a course is counted forward only when an event or a question touches it: the work grows with
events and phases. Days are ordinals (`date.toordinal`), amounts are whole nanograms in this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from baclofen_rules.therapy.model import (
    NANOGRAMS_IN_A_MG,
    ZERO,
    Decision,
    DecisionKind,
    Facts,
    Order,
    Plan,
    PlanPhase,
    Relation,
    Supply,
    SupplyStatus,
)
from baclofen_rules.therapy.relations import (
    Asked,
    RelationToCourses,
    is_back,
    relation_to_courses,
    replaced_by_own,
)

FAR = date.max.toordinal()
"""The end of a stretch, or of a count, that goes on until told otherwise."""
ONE_DAY = (1,)
"""What a day takes of a supply whose dose nobody knows: its stock is counted in days."""
DECISIONS_OF_A_DAY = (DecisionKind.STOPPED, DecisionKind.COUNTED, DecisionKind.MOVED, DecisionKind.TAKES)
"""The order in which the decisions of one day are applied."""


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


class Start(NamedTuple):
    """A day on which a course takes the place of others."""

    on: int
    course: Course
    replaced: Sequence[Course]


class CoverEnd(NamedTuple):
    """The end of a course's tablets: the first uncovered day, or the day after a planned end that they reach."""

    uncovered: int | None
    ends_on: int | None


class Payer(NamedTuple):
    """The segment that the doses of a day come from."""

    place: int
    """Its place in the course; the number of segments where none has the whole day's doses."""
    segment: Segment
    phase: PlanPhase | None
    covered: int
    """Days that its tablets suffice for."""
    same: int
    """Days with equal doses; 0 after a planned end."""


@dataclass(slots=True, eq=False)
class Segment:
    """The part of a course that one order, or one recorded supply, feeds."""

    source: str
    plan: Plan | None
    prescriber: str | None
    order: Order | None
    not_before: int
    stock: list[int]
    """Left by product; for an unknown dose the days left."""
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

    @property
    def has_end(self) -> bool:
        """Say whether the medicine ends after its last phase."""
        return self.plan is not None and self.plan.then_stop is True

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
        needs = ONE_DAY if phase is None else phase.needs
        if len(needs) == 1:
            return self.stock[0] // needs[0]
        return min([left // need for left, need in zip(self.stock, needs, strict=True)])

    def take(self, phase: PlanPhase | None, days: int) -> None:
        """Take the doses of some days off the stock."""
        needs = ONE_DAY if phase is None else phase.needs
        self.stock = [left - need * days for left, need in zip(self.stock, needs, strict=True)]

    def empty(self) -> None:
        """Count what is left as gone: it does not make a whole day."""
        self.stock = [0] * len(self.stock)


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
    unknown: set[str] = field(default_factory=set)
    """Names of the courses of which nobody knows how they stand to this one."""
    decided_beside: set[str] = field(default_factory=set)
    """Names of the courses of which a person said that they run beside this one."""

    @property
    def last_segment(self) -> Segment:
        return self.segments[-1]

    @property
    def is_open(self) -> bool:
        return self.ended_on is None

    def is_open_on(self, day: int) -> bool:
        """Say whether a day lies between the first day and the end, and no other course stood in its place."""
        if day < self.first_on or (self.ended_on is not None and day >= self.ended_on):
            return False
        return not self.replaced_days or not any(first <= day < end for first, end in self.replaced_days)

    def is_fed_by(self, source: str) -> bool:
        """Say whether this is the course's name, or an order or a supply that feeds it."""
        return (
            source == self.name
            or any(segment.source == source for segment in self.segments)
            or any(supply.id == source for supply in self.supplies)
        )

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
            self.unknown,
            self.decided_beside,
        )

    def clone_of_stock(self) -> Course:
        """Return a copy of what is left on the day that is counted next, without the days before."""
        last = self._last_taken(self.cursor)
        segments = [segment.clone() for segment in self.segments if segment is last or any(segment.stock)]
        twin = Course(self.name, self.first_on, self.as_needed, segments, self.cursor)
        if self.uncovered_since is not None:
            twin.stretches = self.stretches[-1:]
        return twin

    def cover_end(self, first: int | None = None) -> CoverEnd:
        """Return where the tablets end, as the course stands: the present hole, or the first to come.

        With `first`, the first one that is not over before that day.
        """
        ahead = self.clone_of_stock()
        day, since, segments = self.cursor, self.uncovered_since, ahead.segments
        while True:
            payer = ahead.payer(day)
            if payer.same <= 0:
                return CoverEnd(None, day)
            if payer.covered:
                ahead.pay(payer, day, min(payer.covered, payer.same))
                day += min(payer.covered, payer.same)
                since = None
                continue
            since = day if since is None else since
            resumes = min([s.not_before for s in segments if s.not_before > day and any(s.stock)], default=None)
            if first is None or resumes is None or first < resumes:
                return CoverEnd(since, None)
            for segment in segments:
                if segment.not_before <= day:
                    segment.empty()
            day = resumes

    @property
    def uncovered_since(self) -> int | None:
        """The first day of the hole that the course is in on the day that is counted next; None outside of one."""
        last = self.stretches[-1] if self.stretches else None
        return last.uncovered_since if last is not None and last.end == self.cursor else None

    def end(self, day: int, why: Ending) -> None:
        """End the course: `day` is the first without it."""
        self.ended_on, self.ended_why = day, why
        while self.stretches and self.stretches[-1].end > day:
            last = self.stretches.pop()
            if last.first < day:
                self.stretches.append(last._replace(end=day))

    def reopen(self, day: int) -> None:
        """Go on with the tablets that are left, from `day`."""
        self.replaced_days = [*self.replaced_days, (self.ended_on or day, day)]
        self.ended_on = self.ended_why = self.replaced_by = None
        self.cursor = max(day, self.first_on)

    def standing(self) -> PlanPhase | None:
        """Return the phase of the day that is counted next, by the calendar where no tablets cover it."""
        return self.payer(self.cursor).phase

    def stretch_on(self, day: int) -> Stretch | None:
        """Return the stretch that a day falls in; None before the course, and after it."""
        for stretch in reversed(self.stretches):
            if stretch.first <= day:
                return stretch if day < stretch.end else None
        return None

    def first_uncovered(self, day: int) -> int | None:
        """Return the first day without tablets, in the past where today has none; None where the course ends before."""
        uncovered = None
        for stretch in reversed(self.stretches):
            if stretch.end <= day:
                break
            if stretch.uncovered_since is not None:
                uncovered = stretch.uncovered_since
        return uncovered

    def advance(self, until: int, new_after: int) -> None:
        """Count the course forward up to, but not including, a day; on the morning of that day it may be over."""
        day = self.cursor
        while self.ended_on is None and day <= until:
            since = self.uncovered_since
            if day == until and since is None and not self.segments[-1].has_end:
                break
            payer = self.payer(day)
            if payer.same <= 0:
                self.end(day, Ending.PLANNED)
            elif payer.covered:
                if day == until:
                    break
                days = min(payer.covered, payer.same, until - day)
                self.pay(payer, day, days)
                self._add(Stretch(day, day + days, payer.phase, payer.segment, None))
                self.cursor = day = day + days
            elif since is not None and day > since + new_after:
                self.end(day, Ending.LAPSED)
            elif day == until:
                break
            else:
                self.cursor = day = self._pass_without(payer, day, until, new_after)

    def _pass_without(self, payer: Payer, day: int, until: int, new_after: int) -> int:
        """Count days without tablets, and return the day after them."""
        since = self.uncovered_since
        since = day if since is None else since
        for segment in self.segments:
            if segment.not_before <= day:
                segment.empty()
        resumes = [s.not_before for s in self.segments if s.not_before > day and any(s.stock)]
        end = min([day + payer.same, until, since + new_after + 1, *resumes])
        self._add(Stretch(day, end, payer.phase, payer.segment, since))
        return end

    def payer(self, day: int) -> Payer:
        """Return the first segment that has the whole day's doses; without one, the last that was taken."""
        for index, segment in enumerate(self.segments):
            if segment.not_before > day or not any(segment.stock):
                continue
            phase, same = segment.at(day, day if segment.first_taken is None else segment.first_taken)
            covered = segment.days_of_stock(phase) if same > 0 else 0
            if covered:
                for earlier in self.segments[:index]:
                    if earlier.not_before > day and any(earlier.stock):
                        same = min(same, earlier.not_before - day)
                return Payer(index, segment, phase, covered, same)
        segment = self._last_taken(day)
        phase, same = segment.at(day, segment.first_taken)
        if same <= 0 and any(s.not_before > day and any(s.stock) for s in self.segments):
            same = FAR
        return Payer(len(self.segments), segment, phase, 0, same)

    def _last_taken(self, day: int) -> Segment:
        taken = [s for s in self.segments if s.first_taken is not None and s.not_before <= day]
        return taken[-1] if taken else self.segments[0]

    def pay(self, payer: Payer, day: int, days: int) -> None:
        """Take the doses of some days; what was left of the segments before does not make a whole day, and is gone."""
        for segment in self.segments[: payer.place]:
            if segment.not_before <= day:
                segment.empty()
        if payer.segment.first_taken is None:
            payer.segment.first_taken = day
        payer.segment.take(payer.phase, days)

    def _add(self, stretch: Stretch) -> None:
        last = self.stretches[-1] if self.stretches else None
        if (
            last is not None
            and last.end == stretch.first
            and last.phase is stretch.phase
            and last.segment is stretch.segment
            and last.uncovered_since == stretch.uncovered_since
        ):
            self.stretches[-1] = last._replace(end=stretch.end)
        else:
            self.stretches.append(stretch)


@dataclass(slots=True)
class Feeding:
    """A hand-over as it was counted: its relation, its course, and the course before and after it."""

    asked: Asked
    relation: RelationToCourses | None
    """None: on an order whose course was open, so that its tablets were added there."""
    course: Course
    segment: Segment
    day: int
    before: Course | None
    """None: it opened the course."""
    after: Course

    def days(self) -> tuple[int, int]:
        """Return the first day that it is for, and the first day that was uncovered after it."""
        uncovered, ends_on = (None, None) if self.before is None else self.before.cover_end()
        first = max(self.day, self.segment.not_before, uncovered or ends_on or 0)
        uncovered, ends_on = self.after.cover_end(first)
        return first, max(first, uncovered or ends_on or first)


@dataclass(slots=True)
class Courses:
    """All courses of a patient, counted forward event by event."""

    facts: Facts
    orders: dict[str, Order]
    decisions: tuple[Decision, ...]
    """Those that no newer one corrects, oldest first."""
    courses: list[Course] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    """Of days to come."""
    feedings: dict[str, Feeding] = field(default_factory=dict)
    """By supply."""
    day: int = 0

    @classmethod
    def counted(cls, facts: Facts) -> Courses:
        """Return the courses as they stand on the morning of today, with everything of today applied."""
        state = cls(facts, {order.id: order for order in facts.orders}, standing(facts.decisions))
        today = facts.today.toordinal()
        for event in sorted(state._events(today), key=lambda event: event[:3]):
            state.go_to(event.day)
            event.apply(state)
        state.go_to(today, inclusive=True)
        return state

    def go_to(self, day: int, inclusive: bool = False) -> None:
        """Go on to a day; what was planned to begin before it (with `inclusive`, also on it) begins on its own day."""
        if self.starts:
            due = [start for start in self.starts if start.on < day or (inclusive and start.on == day)]
            self.starts = [start for start in self.starts if start not in due]
            for start in sorted(due, key=lambda start: (start.on, start.course.name)):
                self.day = start.on
                self._begin(start.course, start.replaced)
        self.day = day

    def forecast(self) -> Courses:
        """Return the courses counted to their ends as if nothing else happened but what is planned."""
        self.open_courses()
        clones = {course.name: course.clone() if course.is_open else course for course in self.courses}
        for course in clones.values():
            if course.is_open:
                course.replaces = [clones[other.name] for other in course.replaces]
        ahead = Courses(
            self.facts,
            self.orders,
            self.decisions,
            list(clones.values()),
            [
                Start(start.on, clones[start.course.name], [clones[other.name] for other in start.replaced])
                for start in self.starts
            ],
            self.feedings,
            self.day,
        )
        stops = [d for d in self.decisions if d.kind is DecisionKind.STOPPED and d.on > self.facts.today]
        for decision in sorted(stops, key=lambda d: d.on):
            ahead.go_to(decision.on.toordinal())
            ahead.stop(decision)
        ahead.go_to(FAR)
        for course in ahead.courses:
            course.advance(FAR, self.facts.habits.new_after)
        ahead.day = self.day
        return ahead

    # --- questions ------------------------------------------------------------------------------------------------

    def open_courses(self) -> list[Course]:
        """Return the courses that are open on the day, planned ones included, counted forward to it."""
        new_after = self.facts.habits.new_after
        for course in self.courses:
            if course.ended_on is None:
                course.advance(self.day, new_after)
        return [course for course in self.courses if course.ended_on is None]

    def running(self) -> list[Course]:
        """Return the courses that run on the day, or are planned."""
        return [course for course in self.open_courses() if course.first_on > self.day or self.is_running(course)]

    def is_running(self, course: Course) -> bool:
        """Say whether an open course runs on the morning of the day; the day itself is not counted yet."""
        return course.as_needed or self.gap(course) < self.facts.habits.restart_after

    def gap(self, course: Course) -> int:
        """Return the days without tablets up to the morning of the day."""
        since = course.uncovered_since
        return 0 if since is None or course.payer(self.day).covered else max(0, self.day - since)

    def cover_end(self, course: Course) -> int | None:
        """Return the first day that a course has no tablets for, as it stands; None where its plan ends before."""
        course.advance(self.day, self.facts.habits.new_after)
        return course.cover_end().uncovered

    def named(self, name: str) -> Course | None:
        """Return the latest course of that name, or that an order or supply of that name feeds; an open one first."""
        fed = [course for course in self.courses if course.is_fed_by(name)]
        if not fed:
            return None
        self.open_courses()
        return next((course for course in reversed(fed) if course.is_open), fed[-1])

    def fed_by(self, source: str) -> Course | None:
        """Return the latest course that an order or a recorded supply fed; an open one first."""
        fed = [course for course in self.courses if any(s.source == source for s in course.segments)]
        for course in fed:
            course.advance(self.day, self.facts.habits.new_after)
        return next((course for course in reversed(fed) if course.is_open), fed[-1] if fed else None)

    def runs(self, course: Course, day: int) -> bool:
        """Say whether a course runs on a day that is counted: open, and covered or not long without tablets."""
        if not course.is_open_on(day):
            return False
        stretch = None if course.as_needed else course.stretch_on(day)
        if stretch is None or stretch.uncovered_since is None:
            return True
        return day - stretch.uncovered_since < self.facts.habits.restart_after

    # --- events ---------------------------------------------------------------------------------------------------

    def _events(self, today: int) -> Iterator[Event]:
        died_on = FAR if self.facts.died_on is None else self.facts.died_on.toordinal()
        if died_on <= today:
            yield Event(died_on, Kind.DEATH)
        for decision in self.decisions:
            day = decision.on.toordinal()
            if decision.kind in DECISIONS_OF_A_DAY and day <= min(today, died_on):
                name = (DECISIONS_OF_A_DAY.index(decision.kind), decision.object, decision.id or "")
                yield Event(day, Kind.DECISION, name, decision)
                if decision.kind is DecisionKind.STOPPED:
                    yield Event(day, Kind.STOP_OF_THE_DAY, name, decision)
        supplies = [s for s in self.facts.supplies if s.status is not SupplyStatus.CANCELLED]
        first_on: dict[str, date] = {}
        for supply in supplies:
            source = supply.order or supply.id
            if source not in first_on or supply.on < first_on[source]:
                first_on[source] = supply.on
        for supply in supplies:
            day = supply.on.toordinal()
            if day > today or day >= died_on:
                continue
            source = supply.order or supply.id
            plan = self.orders[supply.order].plan if supply.order is not None else supply.plan
            mg = plan.phases[0].mg if plan is not None and plan.phases else ZERO
            after = _place_within_day(supply, self.facts.supplies) if first_on[source] == supply.on else -1
            place = (after, -mg, source, supply.number, supply.id)
            yield Event(day, Kind.HAND_OVER, place, supply)
            if supply.status is SupplyStatus.RETURNED and supply.returned_on is not None:
                returned_on = max(day, supply.returned_on.toordinal())
                if returned_on <= today:
                    yield Event(
                        returned_on, Kind.RETURN if returned_on > day else Kind.RETURN_OF_THE_DAY, place, supply
                    )

    def _begin(self, course: Course, replaced_courses: Sequence[Course]) -> None:
        """Let a course take the place of others, if it has not ended before."""
        for replaced in replaced_courses if course.is_open else ():
            replaced.advance(self.day, self.facts.habits.new_after)
            if replaced.is_open:
                replaced.end(self.day, Ending.REPLACED)
                replaced.replaced_by = course

    def _targets(self, name: str) -> list[Course]:
        if name == "all":
            return self.open_courses()
        course = self.named(name)
        return [] if course is None or not course.is_open else [course]

    def stop(self, decision: Decision) -> None:
        """End the courses that a decision stops."""
        for course in self._targets(decision.object):
            course.end(self.day, Ending.STOPPED)

    def stop_of_the_day(self, decision: Decision) -> None:
        """End a course that was handed over on the day of its stop, and not before."""
        course = None if decision.object == "all" else self.named(decision.object)
        if course is not None and course.is_open and course.supplies[0].on == decision.on:
            course.end(self.day, Ending.STOPPED)

    def die(self) -> None:
        """End every course."""
        for course in self.open_courses():
            course.end(self.day, Ending.DIED)

    def decide(self, decision: Decision) -> None:
        """Apply a decision about courses that are open."""
        if decision.kind is DecisionKind.STOPPED:
            self.stop(decision)
        elif decision.kind is DecisionKind.COUNTED:
            self._count(decision)
        elif decision.kind is DecisionKind.MOVED:
            for course in self._targets(decision.object):
                self._move(course, decision.days or 0)
        elif decision.mg is not None:
            for course in self._targets(decision.object):
                course.reported.append((self.day, decision.mg))

    def _count(self, decision: Decision) -> None:
        """Put what was counted at home in the place of the stock; a counted order that was never taken begins."""
        tablets = decision.tablets or ()
        order = self.orders.get(decision.object)
        if order is not None and self.fed_by(order.id) is None:
            if any(tablets):
                supply = Supply(f"{order.id} counted {decision.on}", decision.on, order.id, tablets)
                self.hand_over(supply)
            return
        for course in self._targets(decision.object):
            for segment in course.segments:
                segment.empty()
            fed = [segment for segment in course.segments if segment.source == decision.object]
            segment = fed[-1] if fed else course.last_segment
            count = len(segment.stock)
            segment.stock = _stock(segment.plan, (*tablets, *[ZERO] * count)[:count], None)

    def _move(self, course: Course, days: int) -> None:
        """Move the dates of a plan; one that has not begun begins so much later, or sooner."""
        if course.first_on <= self.day:
            for segment in course.segments:
                segment.moved += days
            return
        first_on = max(self.day, course.first_on + days)
        self.starts = [
            start._replace(on=first_on) if start.course is course and start.on == course.first_on else start
            for start in self.starts
        ]
        course.first_on = course.cursor = first_on
        for segment in course.segments:
            segment.not_before = segment.first_taken = first_on

    def take_back(self, supply: Supply) -> None:
        """Take what came back out of stock; a course of which everything came back falls away from that day."""
        feeding = self.feedings[supply.id]
        course, segment = feeding.course, feeding.segment
        course.advance(self.day, self.facts.habits.new_after)
        if supply.returned_tablets is None:
            back = _stock(segment.plan, supply.tablets or (), supply.days)
        else:
            back = _stock(segment.plan, supply.returned_tablets, None)
        segment.stock = [max(0, left - returned) for left, returned in zip(segment.stock, back, strict=True)]
        self._fall_away(course)

    def _fall_away(self, course: Course) -> None:
        """End a course of which everything came back; what it replaced goes on, or falls away as well."""
        if not course.is_open or not all(is_back(supply, self.day) for supply in course.supplies):
            return
        course.end(self.day, Ending.RETURNED)
        again = [replaced for replaced in course.replaces if replaced.replaced_by is course]
        for replaced in again:
            replaced.reopen(self.day)
            self._fall_away(replaced)
        for replaced in again:
            if replaced.first_on <= self.day:
                self._begin(replaced, replaced.replaces)

    def hand_over(self, supply: Supply) -> None:
        """Add the tablets of a hand-over to its order's open course, or open one as its relation says."""
        order = None if supply.order is None else self.orders[supply.order]
        asked = Asked.of_recorded(supply) if order is None else Asked.of_order(order)
        own = self.fed_by(asked.id)
        if own is not None and own.is_open and own.last_segment.source == asked.id:
            course, relation, segment = own, None, own.last_segment
            before: Course | None = own.clone_of_stock()
            self._end_decided(course, asked, supply)
        else:
            relation = relation_to_courses(self, asked, supply)
            if relation.relation in (Relation.PART, Relation.CONTINUES) and relation.to:
                course = relation.to[0]
                before = course.clone_of_stock()
                if course.last_segment.source == asked.id:
                    segment = course.last_segment
                else:
                    starts_on = self.day if asked.starts_on is None else max(self.day, asked.starts_on.toordinal())
                    segment = self._segment(asked, starts_on)
                    course.segments.append(segment)
            else:
                before = None
                course = self._open(asked, relation)
                segment = course.last_segment
        course.supplies.append(supply)
        stock = _stock(segment.plan, supply.tablets or (), supply.days)
        segment.stock = [left + more for left, more in zip(segment.stock, stock, strict=True)]
        self.feedings[supply.id] = Feeding(asked, relation, course, segment, self.day, before, course.clone_of_stock())

    def _end_decided(self, course: Course, asked: Asked, supply: Supply) -> None:
        """End the courses that a person said an open course takes the place of, when more of it is handed over."""
        replaced, starts_on = replaced_by_own(self, course, asked, supply)
        if replaced:
            first_on = self.day if starts_on is None else max(self.day, starts_on.toordinal())
            course.replaces = [*course.replaces, *replaced]
            self._start(course, first_on, replaced)

    def _open(self, asked: Asked, relation: RelationToCourses) -> Course:
        planned = relation.starts_on or asked.starts_on
        first_on = self.day if planned is None else max(self.day, planned.toordinal())
        names = {course.name for course in self.courses}
        name = asked.id if asked.id not in names else f"{asked.id}@{date.fromordinal(first_on)}"
        segment = self._segment(asked, first_on)
        if segment.first_taken is None:
            segment.first_taken = first_on
        course = Course(name, first_on, asked.as_needed, [segment], first_on)
        if relation.relation is Relation.CHANGES:
            course.replaces = list(relation.to)
        for other, is_unknown in relation.beside.items():
            if is_unknown:
                course.unknown.add(other.name)
                other.unknown.add(name)
        for other in relation.decided_beside:
            course.decided_beside.add(other.name)
            other.decided_beside.add(name)
        self.courses.append(course)
        self._start(course, first_on, course.replaces)
        return course

    def _start(self, course: Course, first_on: int, replaced: Sequence[Course]) -> None:
        if first_on > self.day:
            self.starts.append(Start(first_on, course, replaced))
        else:
            self._begin(course, replaced)

    def _segment(self, asked: Asked, not_before: int) -> Segment:
        """Return a segment without tablets that stands where its order stands by the calendar."""
        earlier = [
            segment
            for course in self.courses
            for segment in course.segments
            if segment.source == asked.id and segment.first_taken is not None
            if course.ended_on is None or course.ended_on > segment.first_taken
        ]
        return Segment(
            source=asked.id,
            plan=asked.plan,
            prescriber=asked.prescriber,
            order=asked.order,
            not_before=not_before,
            stock=_stock(asked.plan, (), None),
            first_taken=min([s.first_taken for s in earlier if s.first_taken is not None], default=None),
            moved=earlier[-1].moved if earlier else 0,
        )


class Kind:
    """The kinds of event, in the order in which those of one day are applied."""

    DECISION, DEATH, RETURN, HAND_OVER, RETURN_OF_THE_DAY, STOP_OF_THE_DAY = range(6)


class Event(NamedTuple):
    """Something that happened on a day.

    Of one day's hand-overs those on orders handed over before come first, then those of the larger daily dose.
    """

    day: int
    kind: int
    place: tuple[object, ...] = ()
    """The order of events of one kind and day."""
    what: Decision | Supply | None = None

    def apply(self, state: Courses) -> None:
        """Apply the event to courses that have reached its day."""
        if isinstance(self.what, Supply):
            if self.kind == Kind.HAND_OVER:
                state.hand_over(self.what)
            else:
                state.take_back(self.what)
        elif self.what is None:
            state.die()
        elif self.kind == Kind.DECISION:
            state.decide(self.what)
        else:
            state.stop_of_the_day(self.what)


def _stock(plan: Plan | None, tablets: Sequence[Decimal], days: int | None) -> list[int]:
    """Return the stock by product of some tablets, or of as many days from the first; days where nobody knows the dose."""
    if plan is None or not plan.phases:
        return [days or 0]
    if tablets and None not in plan.strengths:
        return [
            int(count * strength * NANOGRAMS_IN_A_MG)
            for count, strength in zip(tablets, plan.strengths, strict=True)
            if strength is not None
        ]
    left, total = days or 0, [0] * len(plan.products)
    for phase in plan.phases:
        lasts = left if phase.days is None or phase is plan.phases[-1] else min(left, phase.days)
        total = [stock + need * lasts for stock, need in zip(total, phase.needs, strict=True)]
        left -= lasts
    return total


def standing(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """Return the decisions that no newer one corrects, oldest first."""
    decisions = tuple(decisions)
    corrected = {decision.corrects for decision in decisions if decision.corrects is not None}
    kept = [decision for decision in decisions if decision.id is None or decision.id not in corrected]
    return tuple(sorted(kept, key=lambda d: (d.on, d.kind, d.subject or "", d.object, d.id or "")))


def _place_within_day(supply: Supply, supplies: Sequence[Supply]) -> int:
    """Return how many hand-overs of its day, one on another, a hand-over is known to have come after.

    The relation frozen with it names their courses.
    """
    names = set() if supply.relation is None else {name.partition("@")[0] for name in supply.relation.to}
    before = [s for s in supplies if s.on == supply.on and (s.order or s.id) in names - {supply.order or supply.id}]
    others = [s for s in supplies if s is not supply]
    return max((1 + _place_within_day(s, others) for s in before), default=0)
