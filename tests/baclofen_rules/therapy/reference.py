"""A therapy counted day by day, from its description alone: the reference that the package is compared with.

Slow and plain on purpose: one loop over days, no stretches, nothing remembered between two questions.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from math import ceil
from typing import Any

from baclofen_rules.therapy import (
    Day,
    Decision,
    DecisionKind,
    Facts,
    How,
    Order,
    OrderStatus,
    Plan,
    PlanPhase,
    Relation,
    Supply,
    SupplyStatus,
)

ZERO = Decimal(0)
ONE_DAY = timedelta(1)
FURTHEST = 2000
"""Days after which the loop gives up the search for an uncovered day."""
OF_A_DAY = [DecisionKind.STOPPED, DecisionKind.COUNTED, DecisionKind.MOVED, DecisionKind.TAKES]
PAIRS = {
    DecisionKind.REPLACES: Relation.CHANGES,
    DecisionKind.BESIDE: Relation.BESIDE,
    DecisionKind.CONTINUES: Relation.CONTINUES,
}


@dataclass
class Segment:
    """The tablets of one order, or of one recorded supply, with the regimen they are for."""

    source: str
    plan: Plan | None
    not_before: date
    stock: list[Decimal]
    """mg by product."""
    days: int = 0
    """Days of cover of a recorded supply whose tablets were not counted."""

    def take_day(self, phase: PlanPhase | None) -> bool:
        """Take the dose of one day from the tablets, and say whether they sufficed; if not, they are gone."""
        if self.days:
            self.days -= 1
            return True
        needs = [] if phase is None else [sum(doses, ZERO) for doses in phase.doses]
        if needs and all(stock >= need for stock, need in zip(self.stock, needs, strict=True)):
            self.stock = [stock - need for stock, need in zip(self.stock, needs, strict=True)]
            return True
        self.stock = [ZERO for _ in self.stock]
        return False


@dataclass
class Course:
    """One regimen as taken, fed by its segments in turn."""

    name: str
    first_on: date
    segments: list[Segment]
    supplies: list[Supply] = field(default_factory=list)
    fed: dict[str, int] = field(default_factory=dict)
    """By supply: the place of the segment that it feeds."""
    fill_days: dict[str, int] = field(default_factory=dict)
    """Days that each supply gave at its hand-over."""
    ends: list[str] = field(default_factory=list)
    """Names of the courses whose place this one takes on its first day."""
    unknown: set[str] = field(default_factory=set)
    is_begun: bool = False
    start_named: date | None = None
    """The first day that an answer named."""
    ended_on: date | None = None
    ended_why: str | None = None
    ended_by: str | None = None
    takes: Decimal | None = None
    without_since: date | None = None
    """The first day of the hole in which the course is now."""
    covered: bool = False
    phase: PlanPhase | None = None
    """The doses of the day that was counted last."""

    @property
    def as_needed(self) -> bool:
        plan = self.segments[0].plan
        return plan is not None and plan.as_needed

    def bounds(self) -> tuple[Decimal, Decimal | None]:
        """Return low and high of the day that was counted last."""
        mg = None if self.phase is None else self.phase.mg
        low = ZERO if mg is None or self.as_needed or not self.covered else mg
        high = mg
        if self.takes is not None and high is not None:
            low = min(low, self.takes) if not self.as_needed else self.takes if self.covered else ZERO
            high = max(high, self.takes)
        return low, high


@dataclass(frozen=True)
class ReferenceDay:
    mg: Decimal | None
    low: Decimal
    high: Decimal | None
    running: tuple[str, ...]
    uncovered: tuple[str, ...]
    doses: Mapping[str, tuple[tuple[Decimal, ...], ...]]


@dataclass(frozen=True)
class ReferenceThread:
    course: str
    first_uncovered: date | None
    ends_on: date | None
    as_needed: bool


class Reference:
    """The state of a therapy on the morning of a day: events of that day done, its doses not yet taken."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.orders = {order.id: order for order in facts.orders}
        corrected = {decision.corrects for decision in facts.decisions} - {None}
        self.decisions = [d for d in facts.decisions if d.id not in corrected]
        self.supplies = [s for s in facts.supplies if s.status is not SupplyStatus.CANCELLED]
        self.courses: list[Course] = []
        self.first_taken: dict[str, date] = {}
        self.moved: dict[str, int] = {}
        self.given: dict[str, list[Supply]] = {}
        self.unsettled: set[str] = set()
        """Names of the courses that would stand as unknown to what was asked about last."""
        self.replaced_by_decision: list[Course] = []
        """The courses that what was asked about last would take the place of, while it stands as unknown to others."""
        self.ends_later: list[tuple[date, Course, list[str]]] = []
        self.days: dict[date, ReferenceDay] = {}
        self.day = min([facts.today, *(s.on for s in self.supplies), *(d.on for d in self.decisions)])
        self.apply_events()
        while self.day < facts.today:
            self.count_day()

    # --- one day --------------------------------------------------------------------------------------------------

    def count_day(self) -> ReferenceDay:
        """Take the doses of the day, go on to the morning of the next, and return the day."""
        for course in self.started():
            self.take_dose(course)
        counted = self.days[self.day] = self.sum_day()
        self.day += ONE_DAY
        self.apply_events()
        return counted

    def started(self) -> list[Course]:
        return [course for course in self.open() if course.first_on <= self.day]

    def open(self) -> list[Course]:
        return [course for course in self.courses if course.ended_on is None]

    def take_dose(self, course: Course) -> None:
        course.covered = False
        for segment in course.segments:
            if segment.not_before > self.day or course.covered:
                continue
            phase = self.phase_of(segment)
            course.covered = segment.take_day(phase)
            if course.covered:
                course.phase, course.without_since = phase, None
                self.first_taken.setdefault(segment.source, self.day)
        if not course.covered:
            taken = [s for s in course.segments if s.source in self.first_taken and s.not_before <= self.day]
            segment = taken[-1] if taken else course.segments[0]
            course.phase = self.phase_of(segment) or (segment.plan.phases[-1] if segment.plan is not None else None)
            course.without_since = course.without_since or self.day

    def phase_of(self, segment: Segment) -> PlanPhase | None:
        """Return the doses of the day where the regimen stands, or None after its end and where nobody knows them."""
        if segment.plan is None:
            return None
        first_on = self.first_taken.get(segment.source, self.day)
        number = max(1, (self.day - first_on).days + 1 - self.moved.get(segment.source, 0))
        for phase in segment.plan.phases:
            if phase.days is None or number <= phase.days:
                return phase
            number -= phase.days
        return None if segment.plan.then_stop else segment.plan.phases[-1]

    def runs(self, course: Course) -> bool:
        """Say whether a course that has started and not ended has tablets, or had some within the limit."""
        if course.as_needed or course.without_since is None:
            return True
        return (self.day - course.without_since).days < self.facts.habits.restart_after

    def sum_day(self) -> ReferenceDay:
        running = [course for course in self.started() if self.runs(course)]
        groups = list(groups_of(running))
        highs = [course.bounds()[1] for course in running]
        covered = [course for course in running if course.covered]
        is_known = all(len(group) == 1 for group in groups) and all(course.phase is not None for course in covered)
        return ReferenceDay(
            mg=sum((course.phase.mg for course in covered if course.phase and not course.as_needed), ZERO)
            if is_known
            else None,
            low=sum((min(course.bounds()[0] for course in group) for group in groups), ZERO),
            high=None if None in highs else sum((high for high in highs if high is not None), ZERO),
            running=tuple(course.name for course in running),
            uncovered=tuple(c.name for c in self.started() if not c.covered and not c.as_needed),
            doses={c.name: c.phase.doses for c in running if c.covered and c.phase is not None},
        )

    # --- events of one day, in their order ------------------------------------------------------------------------

    def apply_events(self) -> None:
        for course in self.started():
            self.end_by_itself(course)
        if self.facts.died_on is not None and self.facts.died_on < self.day:
            return
        given_today = sorted([s for s in self.supplies if s.on == self.day], key=self.place_in_day)
        decisions = [d for d in self.decisions if d.on == self.day and d.kind in OF_A_DAY]
        stops = [d for d in decisions if d.kind is DecisionKind.STOPPED and any(s.id in d.after for s in given_today)]
        decisions = [decision for decision in decisions if decision not in stops]
        idle = []
        for decision in sorted(decisions, key=lambda d: (OF_A_DAY.index(d.kind), d.object, d.id or "")):
            if not self.named_by(decision.object):
                idle.append(decision)
            self.apply_decision(decision)
        for course in self.started():
            self.end_by_itself(course)
        if self.facts.died_on is not None and self.facts.died_on <= self.day:
            for course in self.open():
                self.end(course, "died")
            return
        for supply in self.supplies:
            if supply.returned_on is not None and supply.returned_on == self.day > supply.on:
                self.take_back(supply)
        left = given_today
        for stop in sorted(stops, key=lambda d: (sum(s.id in d.after for s in given_today), d.object, d.id or "")):
            self.hand_over_all([s for s in left if s.id in stop.after], given_today)
            left = [s for s in left if s.id not in stop.after]
            self.apply_decision(stop)
        self.hand_over_all(left, given_today)
        for decision in idle:
            if decision.kind is not DecisionKind.COUNTED and decision.object != "all":
                self.apply_decision(decision)
        for course in self.started():
            if not course.is_begun:
                self.begin(course)
        for day, course, names in self.ends_later:
            if day == self.day and course.ended_on is None:
                for other in self.open():
                    if other.name in names:
                        self.end(other, "replaced", course.name)
        for course in self.started():
            self.end_by_itself(course)

    def hand_over_all(self, supplies: Sequence[Supply], given_today: Sequence[Supply]) -> None:
        """Hand over what is of one part of the day, and take back what came back on it."""
        undone = [s for s in supplies if self.is_undone(s, given_today)]
        for of_today in (undone, [s for s in supplies if s not in undone]):
            for supply in of_today:
                self.hand_over(supply)
                for course in self.started():
                    self.end_by_itself(course)
            for supply in of_today:
                if supply.returned_on is not None and supply.returned_on <= self.day:
                    self.take_back(supply)

    def begin(self, course: Course) -> None:
        """Let a course take the place of others, if its own plan has not ended before."""
        course.is_begun = True
        self.end_by_itself(course)
        later = {name for day, own, names in self.ends_later if own is course and day > self.day for name in names}
        for other in self.open() if course.ended_on is None else ():
            if other.name in later:
                continue
            if other.name in course.ends:
                self.end(other, "replaced", course.name)

    def end(self, course: Course, why: str, by: str | None = None) -> None:
        course.ended_on, course.ended_why, course.ended_by = self.day, why, by
        for segment in course.segments:
            if self.first_taken.get(segment.source, self.day) >= self.day:  # it ended before anything was taken
                self.first_taken.pop(segment.source, None)

    def end_by_itself(self, course: Course) -> None:
        gap = (self.day - course.without_since).days if course.without_since else 0
        if gap > self.facts.habits.new_after:
            self.end(course, "lapsed")
        elif self.is_over(course):
            self.end(course, "planned")

    def is_over(self, course: Course) -> bool:
        """Say whether a course has come to its planned end: of the segment taken last, with no other to take."""
        taken = [s for s in course.segments if s.source in self.first_taken and s.not_before <= self.day]
        if not taken or taken[-1].plan is None or self.phase_of(taken[-1]) is not None:
            return False
        left = [segment for segment in course.segments if any(segment.stock) or segment.days]
        return not any(s.not_before > self.day or copy.copy(s).take_day(self.phase_of(s)) for s in left)

    def place_in_day(self, supply: Supply) -> tuple[int, Decimal, str, int, str]:
        """Return the place of a hand-over among those of its day, as known.

        Otherwise repeats first, so that an order of the day replaces all of an older one; then the larger daily dose. After
        both what a person said on that day takes the place of another of them, or that was answered with an answer about one.
        """
        source = supply.order or supply.id
        if supply.number_of_day is not None:
            return supply.number_of_day, ZERO, source, supply.number, supply.id
        after = self.replaced_in_day(supply, [])
        is_first = min(s.on for s in self.supplies if (s.order or s.id) == source) == self.day
        plan = self.plan_of(supply)
        place = after if after or is_first else -1
        return place, -plan.phases[0].mg if plan is not None else ZERO, source, supply.number, supply.id

    def replaced_in_day(self, supply: Supply, passed: Sequence[Supply]) -> int:
        source = supply.order or supply.id
        decided = [d for d in self.decisions if d.subject == source and d.on == supply.on]
        objects = {d.object for d in decided if d.kind is DecisionKind.REPLACES or d.since == supply.id}
        passed = [*passed, supply]
        others = [s for s in self.supplies if s.on == supply.on and s not in passed and (s.order or s.id) in objects]
        return max((1 + self.replaced_in_day(other, passed) for other in others), default=0)

    def apply_decision(self, decision: Decision) -> None:
        is_fed = any(segment.source == decision.object for c in self.courses for segment in c.segments)
        if decision.kind is DecisionKind.COUNTED and not is_fed and decision.object in self.orders:
            if any(decision.tablets or ()):
                self.hand_over(Supply(f"{decision.object} counted", self.day, decision.object, decision.tablets))
            return
        courses = self.named_by(decision.object)
        if decision.kind is DecisionKind.MOVED:
            self.move(courses, decision.days or 0)
        for course in courses:
            is_latest = course is courses[-1]
            if decision.kind is DecisionKind.STOPPED:
                self.end(course, "stopped")
            elif decision.kind is DecisionKind.TAKES:
                course.takes = decision.mg if is_latest else ZERO
            elif decision.kind is DecisionKind.COUNTED:
                named = [segment for segment in course.segments if segment.source == decision.object]
                for segment in course.segments if is_latest else named:
                    segment.stock, segment.days = [ZERO for _ in segment.stock], 0
                if not is_latest:
                    continue
                last = (named or course.segments)[-1]
                last.stock = [] if last.plan is None else stock_of(last.plan, decision.tablets or ())

    def move(self, courses: Sequence[Course], days: int) -> None:
        """Move the dates of orders once, however many courses of them there are; a course that has not begun begins then."""
        begun = [course for course in courses if course.first_on <= self.day]
        for source in {segment.source for course in begun for segment in course.segments} & self.first_taken.keys():
            self.moved[source] = self.moved.get(source, 0) + days
        for course in courses:
            if course not in begun:
                self.move_start(course, days)

    def move_start(self, course: Course, days: int) -> None:
        planned, course.first_on = course.first_on, max(self.day, course.first_on + timedelta(days))
        self.ends_later = [
            (course.first_on if own is course and day == planned else day, own, names)
            for day, own, names in self.ends_later
        ]
        for segment in course.segments:
            segment.not_before = course.first_on
            if self.first_taken.get(segment.source, planned) > self.day:  # else its order was taken before
                self.first_taken[segment.source] = course.first_on

    def take_back(self, supply: Supply) -> None:
        course = next(c for c in self.courses if supply in c.supplies)
        segment = course.segments[course.fed[supply.id]]
        if supply.returned_tablets is None and supply.tablets is None:
            segment.days = 0
        elif segment.plan is not None:
            back = stock_of(segment.plan, supply.returned_tablets or supply.tablets or ())
            segment.stock = [max(ZERO, s - b) for s, b in zip(segment.stock, back, strict=True)]
        self.fall_away(course)

    def fall_away(self, course: Course) -> None:
        """End a course of which all came back; what it replaced goes on."""
        is_over = course.ended_why == "planned"
        if (course.ended_on and not is_over) or not all(self.is_back(supply) for supply in course.supplies):
            return
        again = [c for c in self.courses if c.ended_why == "replaced" and c.ended_by == course.name]
        if is_over:
            course.ended_why = "returned"
            if any(other.first_on >= course.ended_on for other in self.courses if other not in again):
                return
        else:
            self.end(course, "returned")
        for other in again:
            if other.ended_on != self.day:  # else nothing else was taken meanwhile, and a hole goes on
                other.without_since = None
            other.ended_on = other.ended_why = other.ended_by = None
            if other.first_on >= self.day:  # it had not begun, and begins as planned
                self.first_taken.setdefault(other.segments[0].source, other.first_on)
            self.fall_away(other)
        for other in again:
            if other.ended_on is None and other.first_on <= self.day:
                self.begin(other)

    def is_undone(self, supply: Supply, given_today: Sequence[Supply]) -> bool:
        """Say whether all of an order came back before more of it was handed over on the same day."""
        own = [s for s in given_today if (s.order or s.id) == (supply.order or supply.id)]
        own.sort(key=lambda s: (s.number, s.id))
        until = own[: own.index(supply) + 1]
        return until != own and all(self.is_back(s) for s in until)

    def is_back(self, supply: Supply) -> bool:
        is_whole = supply.returned_tablets in (None, supply.tablets)
        return is_whole and supply.returned_on is not None and supply.returned_on <= self.day

    # --- hand-overs -----------------------------------------------------------------------------------------------

    def plan_of(self, supply: Supply) -> Plan | None:
        return supply.plan if supply.order is None else self.orders[supply.order].plan

    def hand_over(self, supply: Supply) -> None:
        source, plan, order = supply.order or supply.id, self.plan_of(supply), self.orders.get(supply.order or "")
        stock = [] if plan is None else stock_of(plan, supply.tablets or [ZERO] * len(plan.products))
        planned = order.starts_on if order is not None and order.starts_on is not None else self.day
        segment = Segment(source, plan, max(self.day, planned), stock, 0 if supply.tablets else supply.days or 0)
        relation, _, courses = self.relate(source, supply)
        unsettled, replaced_by_decision = self.unsettled, self.replaced_by_decision
        own = [c for c in self.courses if any(s.source == source for s in c.segments)][-1:]
        if own and own[0].ended_why == "planned" and own[0].ended_on == self.day == own[0].supplies[-1].on:
            own[0].supplies.append(supply)  # of a plan that was over: for no day
            own[0].fed[supply.id] = len(own[0].segments) - 1
            self.given[source].append(supply)
            return
        course = courses[0] if relation in (Relation.CONTINUES, Relation.PART) else None
        is_over = plan is not None and source in self.first_taken and self.phase_of(segment) is None
        names_day = True
        if course is not None and is_over and not any(s.source == source for s in course.segments):
            names_day = False
            course = None  # of a plan that is over: for no day, and what it would go on with stays as it is
        self.given.setdefault(source, []).append(supply)
        if course is not None:
            self.end_decided(course, source, supply)
            last = course.segments[-1]
            first_on = max(self.day, last.not_before if last.source == source else segment.not_before)
            before = self.run_out(course, first_on)
            course.supplies.append(supply)
            if last.source == source:
                last.stock = [a + b for a, b in zip(last.stock, stock, strict=True)]
                segment = last
            else:
                course.segments.append(segment)
            course.fed[supply.id] = len(course.segments) - 1
            first_on = max(before, first_on)
            course.fill_days[supply.id] = max(0, (self.run_out(course, first_on) - first_on).days)
            return
        start_named = self.decided_start(source, supply) if names_day else None
        first_on = max(self.day, start_named or planned)
        segment.not_before = first_on
        names = [c.name for c in self.courses]
        day_name = f"{source}@{first_on.isoformat()}"
        possible = [source, day_name, *(f"{day_name}#{number}" for number in range(2, len(names) + 2))]
        name = next(name for name in possible if name not in names)
        course = Course(name, first_on, [segment], [supply], {supply.id: 0}, start_named=start_named)
        is_taken_before = source in self.first_taken and self.first_taken[source] <= self.day
        if not is_taken_before:
            self.first_taken[source] = first_on
        course.fill_days[supply.id] = (self.run_out(course) - first_on).days
        unknown = unsettled if relation is Relation.UNKNOWN else set()
        replaced = courses if relation is Relation.CHANGES else replaced_by_decision
        if replaced:
            course.ends = [other.name for other in replaced]
            decided = self.decided(source, supply).items()
            settled = {name for name, decision in decided if decision.kind is DecisionKind.BESIDE}
            unknown = unknown | {name for other in replaced for name in other.unknown} - settled
        for other in self.open():
            if other.name in unknown and other.name not in course.ends:
                course.unknown.add(other.name)
                other.unknown.add(course.name)
        self.courses.append(course)
        if first_on == self.day:
            self.begin(course)

    def end_decided(self, own: Course, source: str, supply: Supply) -> None:
        """End the courses that what is handed over takes the place of by a decision, while it continues another.

        What goes on beside it by a decision no longer takes its place. A dose that has not begun begins on the day that was told.
        """
        is_unknown = self.relate(source, supply, is_late=False)[0] is Relation.UNKNOWN
        decided = self.decided(source, supply, is_late=is_unknown)
        replacing = [d for name, d in decided.items() if d.kind is DecisionKind.REPLACES and name != own.name]
        starts = [decision.starts_on for decision in replacing if decision.starts_on is not None]
        is_own = own.first_on > self.day and any(segment.source == source for segment in own.segments)
        if starts and is_own and max(starts) != own.start_named:
            self.move_start(own, (max(starts) - own.first_on).days)
            own.start_named = max(starts)
        for name, decision in decided.items():
            for other in [c for c in self.courses if c.name == name]:
                if decision.kind is DecisionKind.REPLACES and other is not own:
                    self.ends_later = [
                        (on, c, [name for name in names if c is not own or name != other.name])
                        for on, c, names in self.ends_later
                    ]
                    own.ends = [*(name for name in own.ends if name != other.name), other.name]
                    first_on = max(self.day, own.first_on, decision.starts_on or self.day)
                    if first_on == self.day:
                        self.end(other, "replaced", own.name)
                    else:
                        self.ends_later.append((first_on, own, [other.name]))
                if decision.kind is DecisionKind.BESIDE:
                    other.ends = [name for name in other.ends if name != own.name]
                    self.ends_later = [
                        (on, c, [name for name in names if c is not other or name != own.name])
                        for on, c, names in self.ends_later
                    ]

    def object_of(self, decision: Decision, source: str) -> str:
        return decision.object if decision.subject == source else str(decision.subject)

    def decided(self, source: str, supply: Supply | None, is_late: bool = False) -> dict[str, Decision]:
        """Return the last decision about an order or recorded supply and each course, by the course's name.

        Of one day that which names the course itself counts before one that names an order that feeds it and others.
        A decision settles the latest hand-over before it and those after it; with `is_late` also an earlier one.
        """
        about = [d for d in self.decisions if d.kind in PAIRS and d.subject == source]
        about += [d for d in self.decisions if d.kind is DecisionKind.BESIDE and d.object == source]
        own = [c for c in self.courses if any(s.source == source for s in c.segments)]
        for course in own:
            if course.ended_on is not None and course.ended_why in {"replaced", "stopped"}:
                about = [d for d in about if d.on >= course.ended_on]
        if supply is not None and not is_late:
            about = [d for d in about if self.settles(d, supply, source)]
        latest: dict[str, Decision] = {}
        for decision in sorted(about, key=lambda d: (d.on, d.kind, d.subject or "", d.object, d.id or "")):
            name = self.object_of(decision, source)
            for course in self.named_by(name):
                last = latest.get(course.name)
                is_exact = last is not None and self.object_of(last, source) == course.name
                if last is None or last.on != decision.on or not is_exact or name == course.name:
                    latest[course.name] = decision
        return latest | self.decided(source, supply) if is_late else latest

    def settles(self, decision: Decision, supply: Supply, source: str) -> bool:
        own_supplies = [s for s in self.facts.supplies if (s.order or s.id) == source]
        if decision.since is not None and decision.subject == source:
            return any(s.id == decision.since and s.place <= supply.place for s in own_supplies)
        days = [s.on for s in own_supplies if s.status is not SupplyStatus.CANCELLED and s.on <= decision.on]
        return supply.on >= max(days, default=supply.on)

    def decided_start(self, source: str, supply: Supply) -> date | None:
        is_unknown = self.relate(source, supply, is_late=False)[0] is Relation.UNKNOWN
        days = [d.starts_on for d in self.decided(source, supply, is_late=is_unknown).values()]
        return max([day for day in days if day is not None], default=None)

    def named_by(self, name: str) -> list[Course]:
        """Return the open courses of a name, or fed by an order or supply of that name, oldest first."""
        if name == "all":
            return self.open()
        fed = [
            course
            for course in self.open()
            if name == course.name
            or any(segment.source == name for segment in course.segments)
            or any(supply.id == name for supply in course.supplies)
        ]
        return fed

    def ahead(self, course: Course) -> tuple[Reference, Course]:
        """Return copies of this state and of a course of it, or of one that is not in it yet, to count on."""
        ahead = self.twin()
        return ahead, next((c for c in ahead.courses if c.name == course.name), None) or twin_of(course)

    def twin(self) -> Reference:
        ahead = copy.copy(self)
        ahead.courses = [twin_of(course) for course in self.courses]
        ahead.ends_later = [(d, next(c for c in ahead.courses if c.name == o.name), n) for d, o, n in self.ends_later]
        ahead.first_taken, ahead.moved, ahead.days = self.first_taken.copy(), self.moved.copy(), self.days.copy()
        ahead.given = {source: supplies.copy() for source, supplies in self.given.items()}
        return ahead

    def run_out(self, course: Course, first_on: date | None = None) -> date:
        """Return the first day without tablets: of the present hole or the next, or of the next from a day on."""
        ahead, course = self.ahead(course)
        ahead.day = max(ahead.day, course.first_on)
        for _ in range(FURTHEST):
            ahead.take_dose(course)
            if not course.covered and course.without_since and (first_on is None or ahead.day >= first_on):
                return course.without_since
            ahead.day += ONE_DAY
        raise AssertionError("tablets without an end")

    def standing(self, course: Course) -> PlanPhase | None:
        """Return the doses where a course stands this morning."""
        ahead, course = self.ahead(course)
        ahead.day = max(ahead.day, course.first_on)
        ahead.take_dose(course)
        return course.phase

    def is_running_this_morning(self, course: Course) -> bool:
        ahead, course = self.ahead(course)
        ahead.take_dose(course)
        return ahead.runs(course)

    def live(self) -> list[Course]:
        """Return the courses that run or are planned."""
        return [c for c in self.open() if c.first_on > self.day or self.is_running_this_morning(c)]

    # --- questions ------------------------------------------------------------------------------------------------

    def relate(
        self, source: str, supply: Supply | None = None, is_late: bool = True
    ) -> tuple[Relation, How | None, list[Course]]:
        """Return the first row of the table of relations that holds, with the courses it is about."""
        own = [c for c in self.courses if any(s.source == source for s in c.segments)]
        mine = [c for c in own if c.ended_on is None]
        if mine:
            planned = self.planned_before(mine[-1], source) if supply is None else []
            if supply is None:
                settled = self.decided(source, None)
                planned = [c for c in planned if c.name not in settled]
            if planned:
                return Relation.UNKNOWN, How.OUTDATED, planned
            if not any(c.first_on > self.day or self.is_running_this_morning(c) for c in [*self.open()]):
                return Relation.CONTINUES, How.AFTER_GAP, mine[-1:]
            is_part = source in self.orders and self.owed(source) is not None
            return (Relation.PART if is_part else Relation.CONTINUES), How.OWN_ORDER, mine[-1:]
        answer = self.relate_new(source, own, self.decided(source, supply))
        if answer[0] is Relation.UNKNOWN and supply is not None and is_late:
            return self.relate_new(source, own, self.decided(source, supply, is_late=True))
        return answer

    def relate_new(
        self, source: str, own: list[Course], decisions: Mapping[str, Decision]
    ) -> tuple[Relation, How | None, list[Course]]:
        kinds = {name: PAIRS[decision.kind] for name, decision in decisions.items()}
        is_outdated = bool(own) and own[-1].ended_why in {"replaced", "stopped"}
        about = [c for c in self.open() if c in self.live() or c.name in kinds]
        self.unsettled, self.replaced_by_decision = set(), []
        if not about:
            return self.relate_to_nothing(source, own)
        rows: list[tuple[int, Relation, How, Course]] = []
        for course in about:
            if course.name in kinds:
                rows.append((3, kinds[course.name], How.DECIDED, course))
            elif is_outdated:
                rows.append((5, Relation.UNKNOWN, How.OUTDATED, course))
            else:
                rows.append((*self.row(source, course), course))
        self.unsettled = {course.name for _, relation, _, course in rows if relation is not Relation.BESIDE}
        takeovers = [row for row in rows if row[1] in (Relation.CONTINUES, Relation.CHANGES)]
        unknown = [row for row in rows if row[1] is Relation.UNKNOWN]
        first = min(takeovers or unknown or rows, key=lambda row: (row[0], row[1] is Relation.CHANGES))
        if first[:2] == (3, Relation.CHANGES):
            replaced = [row[3] for row in rows if row[:2] == first[:2]]
            tied = {name for c in replaced for name in c.ends}
            tied |= {row[3].name for row in takeovers if {c.name for c in replaced} & set(row[3].ends)}
            going_on = [row for row in takeovers if row[1] is Relation.CONTINUES and row[3].name not in tied]
            first = min(going_on, key=lambda row: row[0], default=first)
        named = [row[3] for row in rows if row[:3] == first[:3]]
        if takeovers and first[1] is Relation.CONTINUES:
            course = min(named, key=self.run_out)
            planned = [c for c in self.planned_before(course, source) if c.name not in kinds]
            return self.before_a_start(source, course, planned, kinds) if planned else (first[1], first[2], [course])
        if takeovers:
            beside = [row[3].name for row in rows if row[:2] == (3, Relation.BESIDE)]
            planned = [name for c in named if c.first_on > self.day for name in c.ends if name not in beside]
            named += [c for c in self.open() if c.name in planned and c not in named]
            waiting = [row[3] for row in rows if row[0] != 3 and row[3] not in named]
            waiting = [c for c in waiting if {n.name for n in named} & set(c.ends)]
            if not waiting:
                return first[1], first[2], named + [row[3] for row in takeovers if row[3] not in named]
            open_rows = [row for row in rows if row[0] != 3 and row[1] is not Relation.BESIDE]
            waiting += [row[3] for row in open_rows if row[3] not in (*named, *waiting)]
            self.replaced_by_decision = named if first[0] == 3 else []
            self.unsettled |= {c.name for c in waiting}
            return Relation.UNKNOWN, How.UNKNOWN, waiting
        return first[1], first[2], [row[3] for row in unknown] or named

    def planned_before(self, course: Course, source: str) -> list[Course]:
        """Return the courses that end another on a day to come, before anything more of it would be taken."""
        order = self.orders.get(source)
        days = [self.day, self.run_out(course) if self.needs_more(course) else self.plan_end(course)]
        if order is not None and order.starts_on is not None and not any(s.source == source for s in course.segments):
            days.append(order.starts_on)
        ends = [(c.first_on, c, c.ends) for c in self.open() if not c.is_begun] + self.ends_later
        return [c for on, c, names in ends if self.day < on <= max(days) and course.name in names and c in self.open()]

    def before_a_start(
        self, source: str, course: Course, planned: list[Course], decided: Mapping[str, Relation]
    ) -> tuple[Relation, How | None, list[Course]]:
        """Return the relation to what is planned to end the course that would be continued."""
        rows = []
        for other in planned:
            without = copy.copy(self)
            without.courses = [c for c in self.courses if c.name not in other.ends]
            rows.append(without.row(source, other))
        row = min(rows, key=lambda row: row[0])
        is_settled = course.name not in decided and len({relation for _, relation, _ in rows}) == 1
        if is_settled and row[1] is Relation.CHANGES:
            return row[1], row[2], [course, *planned]
        if is_settled and row[1] is Relation.CONTINUES:
            return row[1], row[2], planned[:1]
        self.unsettled = self.unsettled | {course.name, *(c.name for c in planned)}
        is_unknown = row[1] is Relation.UNKNOWN and course.name not in decided
        return Relation.UNKNOWN, row[2] if is_unknown else How.UNKNOWN, planned

    def relate_to_nothing(self, source: str, own: list[Course]) -> tuple[Relation, How | None, list[Course]]:
        paused = self.open()
        outdated = own[-1].ended_on if own and own[-1].ended_why in {"replaced", "stopped"} else None
        order = self.orders.get(source)
        if not own and not paused and order is not None:
            ends = sorted((c.ended_on, c.ended_why == "stopped") for c in self.courses if c.ended_on is not None)
            if ends and ends[-1][1] and ends[-1][0] >= (order.written_on or date.min):
                outdated = ends[-1][0]
        if outdated is not None and (paused or (self.day - outdated).days <= self.facts.habits.new_after):
            return Relation.UNKNOWN, How.OUTDATED, []
        if not paused:
            return Relation.NEW, None, []
        equal = [course for course in paused if self.is_equal(source, course)]
        last = max(equal or paused, key=lambda c: c.without_since or self.day)
        return (Relation.CONTINUES if equal else Relation.CHANGES), How.AFTER_GAP, [last]

    def is_equal(self, source: str, course: Course) -> bool:
        plan = self.plan_by(source)
        phase = self.standing(course)
        if plan is None or phase is None or plan.as_needed != course.as_needed:
            return False
        return plan.phases[0].mg == phase.mg

    def plan_by(self, source: str) -> Plan | None:
        order = self.orders.get(source)
        return order.plan if order is not None else next(s.plan for s in self.supplies if s.id == source)

    def prescriber_by(self, source: str) -> str | None:
        order = self.orders.get(source)
        return order.prescriber if order else next(s.prescriber for s in self.supplies if s.id == source)

    def row(self, source: str, course: Course) -> tuple[int, Relation, How]:
        """Return the first row from the sixth on that holds against one course."""
        order, plan, phase = self.orders.get(source), self.plan_by(source), self.standing(course)
        old = self.orders.get(course.segments[-1].source)
        as_needed = plan is not None and plan.as_needed
        prescriber = self.prescriber_by(source)
        is_same = prescriber is not None and prescriber == self.prescriber_by(course.segments[-1].source)
        is_equal = self.is_equal(source, course)
        if order is not None and order.replaces is not None:
            chain = [order.replaces]
            while chain[-1] in self.orders and len(chain) <= len(self.orders):
                chain.append(str(self.orders[chain[-1]].replaces))
            named = [c for c in self.named_by(order.replaces) if c in self.live()]
            if order.id not in chain and course in named:
                is_constant = is_equal and order.plan.is_constant and len(named) == 1
                return 6, Relation.CONTINUES if is_constant else Relation.CHANGES, How.SAID
        if order is not None and order.group is not None and old is not None and old.group == order.group:
            return 7, Relation.BESIDE, How.GROUP
        if order is not None and old is not None and is_same and not as_needed and not course.as_needed:
            is_one_day = order.written_on is not None and order.written_on == old.written_on
            if is_one_day and set(order.plan.strengths) != set(old.plan.strengths):
                return 8, Relation.BESIDE, How.TWO_STRENGTHS
        if is_equal and not (plan is not None and plan.is_constant and self.is_steady(course)):
            if is_same:
                return 9, Relation.CHANGES, How.SAME_PRESCRIBER
            return 10, Relation.UNKNOWN, How.UNKNOWN
        if is_equal:
            uncovered = self.run_out(course)
            has_end = not self.needs_more(course)
            lead = min(self.facts.habits.lead, self.margin(course))
            if is_same or (not has_end and (uncovered - self.day).days <= lead):
                return 9, Relation.CONTINUES, How.SAME_DOSE
            return 10, Relation.UNKNOWN, How.UNKNOWN
        if is_same and as_needed != course.as_needed:
            return 11, Relation.BESIDE, How.AS_NEEDED
        fixed = [c for c in self.live() if not c.as_needed]
        if is_same and not as_needed and plan is not None and phase is not None and fixed == [course]:
            is_active = old is not None and old.status is OrderStatus.ACTIVE
            if plan.phases[0].mg > phase.mg or plan.then_stop or not is_active:
                return 12, Relation.CHANGES, How.SAME_PRESCRIBER
            return 13, Relation.UNKNOWN, How.LOWER
        return 14, Relation.UNKNOWN, How.UNKNOWN

    def is_steady(self, course: Course) -> bool:
        """Say whether no segment that is taken, or still has tablets, changes its daily dose by plan from today on."""
        ahead, twin = self.ahead(course)
        ahead.day = max(ahead.day, course.first_on)
        segments = [copy.copy(s) for s in twin.segments if any(s.stock) or s.days]
        ahead.take_dose(twin)
        if not twin.covered:
            taken = [s for s in twin.segments if s.source in self.first_taken and s.not_before <= ahead.day]
            segments.append(taken[-1] if taken else twin.segments[0])
        return all(self.is_segment_steady(segment, ahead.day) for segment in segments)

    def is_segment_steady(self, segment: Segment, first_on: date) -> bool:
        ahead = self.twin()
        ahead.first_taken.setdefault(segment.source, first_on)
        total = 0 if segment.plan is None else sum(phase.days or 0 for phase in segment.plan.phases)
        phases = []
        for number in range(total + 10 if segment.plan is not None else 0):
            ahead.day = first_on + number * ONE_DAY
            phases.append(ahead.phase_of(segment))
        return len({None if phase is None else phase.mg for phase in phases}) <= 1

    def needs_more(self, course: Course) -> bool:
        """Say whether a course is without tablets before its plan ends, as it stands."""
        ahead, course = self.ahead(course)
        ahead.day = max(ahead.day, course.first_on)
        for _ in range(FURTHEST):
            ahead.end_by_itself(course)
            if course.ended_on is not None:
                return False
            ahead.take_dose(course)
            if not course.covered:
                return True
            ahead.day += ONE_DAY
        raise AssertionError("tablets without an end")

    def plan_end(self, course: Course) -> date:
        """Return the day on which a course comes to the end of its plan, as it stands."""
        ahead, course = self.ahead(course)
        ahead.day = max(ahead.day, course.first_on)
        while course.ended_on is None:
            ahead.take_dose(course)
            ahead.day += ONE_DAY
            ahead.end_by_itself(course)
        return course.ended_on

    def margin(self, course: Course) -> int:
        """Return the days that may be left of the last fill without an early refill."""
        supplies = [supply for supply in course.supplies if not self.is_back(supply)]
        parts = supplies[-1:]
        if parts and parts[0].order is not None:
            order = self.orders[parts[0].order]
            of_order = sorted([s for s in supplies if s.order == order.id], key=lambda s: s.place)
            days = [s.on for s in of_order]
            starts = [
                i
                for i in range(len(of_order))
                if i == 0 or (days[i] != days[i - 1] and not any(rest_of(order, of_order[:i])))
            ]
            parts = of_order[starts[-1] :]
        days = sum(course.fill_days[supply.id] for supply in parts)
        if self.facts.habits.days_left is not None:
            return min(self.facts.habits.days_left, days // 2)
        assert self.facts.habits.used_fraction is not None
        return max(int(days * (1 - self.facts.habits.used_fraction)), min(7, days // 2))

    def owed(self, order_id: str) -> tuple[Decimal, ...] | None:
        """Return what is owed of the fill begun, by product; None where nothing is."""
        order = self.orders[order_id]
        if order.status is not OrderStatus.ACTIVE:
            return None
        rest = rest_of(order, [s for s in self.given.get(order_id, []) if s in self.supplies])
        return rest if any(rest) else None

    def due(self, order_id: str) -> tuple[date, date]:
        """Return the day an active order is due, and the first day on which it would not be early."""
        order = self.orders[order_id]
        relation, _, courses = self.relate(order_id)
        hand_overs = [s for s in self.given.get(order_id, []) if s in self.supplies]
        if self.owed(order_id) is not None and relation in (Relation.PART, Relation.CONTINUES):
            interval = order.interval_days
            day = self.day if interval is None else max(s.on for s in hand_overs) + timedelta(interval)
            return day, day
        if order.starts_on is not None and not hand_overs:
            planned = order.starts_on - timedelta(self.facts.habits.lead)
            if planned > self.day:
                return planned, planned
        if relation is Relation.CONTINUES and self.needs_more(courses[0]):
            uncovered = self.run_out(courses[0])
            earliest = uncovered - timedelta(self.margin(courses[0]))
            due = max(uncovered - timedelta(self.facts.habits.lead), earliest)
            return due, max(earliest, order.written_on or earliest)
        return self.day, self.day

    def held_since(self) -> date | None:
        """Return the first day of the unbroken stretch of equal mg up to today, dose_since left aside."""
        ahead = self.twin()
        today = ahead.count_day()
        day = self.day
        while (before := self.days.get(day - ONE_DAY)) is not None and before.mg == today.mg:
            day -= ONE_DAY
        return day if today.mg else None

    def threads(self) -> list[ReferenceThread]:
        """Return each open course with its first uncovered day, followed through what replaces it without a hole."""
        rows: list[ReferenceThread] = []
        followed: set[str] = set()
        for course in sorted(self.open(), key=lambda c: c.first_on):
            if course.name not in followed:
                rows.append(self.follow(course.name, followed))
        return rows

    def follow(self, first: str, followed: set[str]) -> ReferenceThread:
        ahead, name = self.twin(), first
        for _ in range(FURTHEST):
            current = next(c for c in ahead.courses if c.name == name)
            if current.ended_on is not None and current.ended_by is None:
                return ReferenceThread(first, None, current.ended_on, current.as_needed)
            if current.ended_on is not None:
                name = str(current.ended_by)
                followed.add(name)
                continue
            day = ahead.day
            ahead.count_day()
            if current.first_on <= day and not current.covered and current.without_since is not None:  # noqa: SIM102 - the conditions are two rows of the table
                if current.ended_on is None or current.ended_on > day:
                    return ReferenceThread(first, current.without_since, None, current.as_needed)
        raise AssertionError("a thread without an end")


def twin_of(course: Course) -> Course:
    twin = copy.copy(course)
    twin.segments = [copy.copy(segment) for segment in course.segments]
    return twin


def groups_of(courses: Sequence[Course]) -> Iterator[list[Course]]:
    """Return the courses in groups that are tied by relations nobody knows."""
    left = list(courses)
    while left:
        group = [left.pop(0)]
        for member in group:
            for other in [c for c in left if c.name in member.unknown]:
                left.remove(other)
                group.append(other)
        yield group


def stock_of(plan: Plan, tablets: Sequence[Decimal]) -> list[Decimal]:
    return [count * (p.strength_mg or ZERO) for count, p in zip(tablets, plan.products, strict=True)]


def rest_of(order: Order, supplies: Sequence[Supply]) -> tuple[Decimal, ...]:
    """Return what the fill begun lacks, by product: a fill is one ordered quantity of each."""
    tablets_given = [sum((s.tablets or ())[place] for s in supplies) for place in range(len(order.plan.products))]
    quantities = [product.quantity for product in order.plan.products]
    fills = max(
        [ceil(count / quantity) for count, quantity in zip(tablets_given, quantities, strict=True) if quantity],
        default=0,
    )
    return tuple(fills * q - g if q else ZERO for g, q in zip(tablets_given, quantities, strict=True))


def days_between(first_on: date, last_on: date) -> Iterator[date]:
    for number in range((last_on - first_on).days + 1):
        yield first_on + timedelta(number)


def in_short(day: Day | ReferenceDay) -> tuple[Any, ...]:
    doses = {dose.course: dose.phase.doses for dose in day.doses} if isinstance(day, Day) else dict(day.doses)
    return day.mg, day.low, day.high, day.running, day.uncovered, doses
