"""Courses of treatment, counted forward from what was handed over and decided.

Every event of the past is applied in order; between two events a course is a row of stretches, each with equal doses.
No loop runs over days, and a course is counted forward only when an event or a question touches it: the work grows with
events and phases. Days are ordinals (`date.toordinal`), amounts are whole nanograms in this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, count

from baclofen_rules.therapy.asked import Asked, RelationToCourses
from baclofen_rules.therapy.course import Course, Ending, Snapshot, Start
from baclofen_rules.therapy.events import Event, Kind, events_of, standing
from baclofen_rules.therapy.feeding import Feeding, stock_of
from baclofen_rules.therapy.fills import is_back
from baclofen_rules.therapy.model import ZERO, Decision, DecisionKind, Facts, Order, Relation, Supply
from baclofen_rules.therapy.relations import DecidedByOwn, decided_by_own, relation_to_courses
from baclofen_rules.therapy.segments import FAR, Segment, find_payer


@dataclass(slots=True)
class Courses:
    """All courses of a patient, counted forward event by event."""

    facts: Facts
    orders: dict[str, Order]
    decisions: tuple[Decision, ...]
    """Those that no newer one corrects, oldest first."""
    courses: list[Course] = field(default_factory=list)
    by_source: dict[str, list[Course]] = field(default_factory=dict)
    """The courses that an order or a recorded supply fed, in the order in which they were opened."""
    starts: list[Start] = field(default_factory=list)
    """Of days to come."""
    feedings: dict[str, Feeding] = field(default_factory=dict)
    """By supply."""
    asked: dict[str, Asked] = field(default_factory=dict)
    """By order that was handed over."""
    day: int = 0
    applied: list[Decision] = field(default_factory=list)
    """Those that were about an open course on the morning of their day."""

    @classmethod
    def counted(cls, facts: Facts) -> Courses:
        """Return the courses as they stand on the morning of today, with everything of today applied."""
        state = cls(facts, {order.id: order for order in facts.orders}, standing(facts.decisions))
        today = facts.today.toordinal()
        for event in events_of(facts, state.decisions):
            state.go_to(event.day)
            state.apply(event)
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
            {},
            [
                Start(start.on, clones[start.course.name], [clones[other.name] for other in start.replaced])
                for start in self.starts
            ],
            self.feedings,
            self.asked,
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
        return 0 if since is None or find_payer(course.segments, self.day).covered else max(0, self.day - since)

    def cover_end(self, course: Course) -> int | None:
        """Return the first day that a course has no tablets for, as it stands; None where its plan ends before."""
        course.advance(self.day, self.facts.habits.new_after)
        return course.cover_end().uncovered

    def named(self, name: str) -> list[Course]:
        """Return the open courses of that name, or that an order or supply of that name feeds, oldest first."""
        return [course for course in self.open_courses() if course.is_fed_by(name)]

    def fed_by(self, source: str) -> Course | None:
        """Return the latest course that an order or a recorded supply fed; an open one first."""
        fed = self.by_source.get(source, [])
        for course in reversed(fed):
            course.advance(self.day, self.facts.habits.new_after)
            if course.ended_on is None:
                return course
        return fed[-1] if fed else None

    def runs(self, course: Course, day: int) -> bool:
        """Say whether a course runs on a day that is counted: open, and covered or not long without tablets."""
        if not course.is_open_on(day):
            return False
        stretch = None if course.as_needed else course.stretch_on(day)
        if stretch is None or stretch.uncovered_since is None:
            return True
        return day - stretch.uncovered_since < self.facts.habits.restart_after

    def apply(self, event: Event) -> None:
        """Apply an event whose day has been reached."""
        if isinstance(event.what, Supply):
            if event.kind in (Kind.HAND_OVER, Kind.UNDONE_HAND_OVER):
                self.hand_over(event.what)
            else:
                self.take_back(event.what)
        elif event.what is None:
            self.die()
        elif event.kind in (Kind.DECISION, Kind.STOP):
            self.decide(event.what)
        else:
            self.decide_later(event.what)

    def _begin(self, course: Course, replaced_courses: Sequence[Course]) -> None:
        """Let a course take the place of others, if it has not ended before."""
        new_after = self.facts.habits.new_after
        course.advance(self.day, new_after)
        for replaced in replaced_courses if course.is_open else ():
            replaced.advance(self.day, new_after)
            if replaced.is_open:
                replaced.end(self.day, Ending.REPLACED)
                replaced.replaced_by = course

    def _targets(self, name: str) -> list[Course]:
        return self.open_courses() if name == "all" else self.named(name)

    def stop(self, decision: Decision) -> None:
        """End the courses that a decision stops."""
        for course in self._targets(decision.object):
            course.end(self.day, Ending.STOPPED)

    def decide_later(self, decision: Decision) -> None:
        """Apply a decision about what was handed over on its day, where nothing of that name was open in the morning."""
        if decision.object != "all" and decision not in self.applied:
            self.decide(decision)

    def die(self) -> None:
        """End every course."""
        for course in self.open_courses():
            course.end(self.day, Ending.DIED)

    def decide(self, decision: Decision) -> None:
        """Apply a decision about courses that are open."""
        courses = self._targets(decision.object)
        if courses:
            self.applied.append(decision)
        if decision.kind is DecisionKind.STOPPED:
            self.stop(decision)
        elif decision.kind is DecisionKind.COUNTED:
            self._count(decision, courses)
        elif decision.kind is DecisionKind.MOVED:
            for course in courses:
                self._move(course, decision.days or 0)
        elif decision.mg is not None:
            for course in courses:  # the amount is of all courses of an order
                course.reported.append((self.day, decision.mg if course is courses[-1] else ZERO))

    def _count(self, decision: Decision, courses: Sequence[Course]) -> None:
        """Put what was counted in the place of the stock: of several courses of an order the latest has it. One never taken begins."""
        tablets = decision.tablets or ()
        order = self.orders.get(decision.object)
        if order is not None and self.fed_by(order.id) is None:
            if any(tablets):
                self.hand_over(Supply(f"{order.id} counted {decision.on}", decision.on, order.id, tablets))
            return
        for course in courses:
            for segment in course.segments:
                if course is courses[-1] or segment.source == decision.object:
                    segment.empty()
        for course in courses[-1:]:
            fed = [segment for segment in course.segments if segment.source == decision.object]
            segment = (fed or course.segments)[-1]
            counted = (*tablets, *[ZERO] * len(segment.stock))[: len(segment.stock)]
            segment.stock = stock_of(segment.plan, counted, None)

    def _move(self, course: Course, days: int) -> None:
        """Move the dates of a plan; one that has not begun begins so much later, or sooner."""
        if course.first_on <= self.day:
            for segment in course.segments:
                if segment.first_taken is not None:
                    segment.moved += days
            return
        first_on = max(self.day, course.first_on + days)
        self.starts = [
            start._replace(on=first_on) if start.course is course and start.on == course.first_on else start
            for start in self.starts
        ]
        course.first_on = course.cursor = first_on
        for segment in course.segments:
            is_first = segment.first_taken is None or segment.first_taken > self.day  # else its order was taken before
            segment.not_before, segment.first_taken = first_on, first_on if is_first else segment.first_taken
        for supply in course.supplies:
            self.feedings[supply.id].move(first_on)

    def take_back(self, supply: Supply) -> None:
        """Take what came back out of stock; a course of which everything came back falls away from that day."""
        feeding = self.feedings[supply.id]
        course, segment = feeding.course, feeding.segment
        course.advance(self.day, self.facts.habits.new_after)
        if supply.returned_tablets is None:
            back = stock_of(segment.plan, supply.tablets or (), supply.days)
        else:
            back = stock_of(segment.plan, supply.returned_tablets, None)
        segment.stock = [max(0, left - returned) for left, returned in zip(segment.stock, back, strict=True)]
        self._fall_away(course)

    def _fall_away(self, course: Course) -> None:
        """End a course that runs, or ended as planned, of which all came back; what it replaced goes on if nothing else began."""
        is_over = course.ended_why is Ending.PLANNED
        if not (course.is_open or is_over) or not all(is_back(supply, self.day) for supply in course.supplies):
            return
        course.end(course.ended_on or self.day, Ending.RETURNED)
        again = [replaced for replaced in course.replaces if replaced.replaced_by is course]
        if is_over and any(c.first_on >= (course.ended_on or 0) for c in self.courses if c not in again):
            return
        for replaced in again:
            replaced.reopen(self.day)
            for segment in replaced.segments:
                if segment.first_taken is None and segment.source in self.asked:  # where its order stands meanwhile
                    segment.first_taken = self._segment(self.asked[segment.source], self.day).first_taken
            self._fall_away(replaced)
        for replaced in again:
            if replaced.first_on <= self.day:
                self._begin(replaced, replaced.replaces)

    def hand_over(self, supply: Supply) -> None:
        """Add the tablets of a hand-over to its order's open course, or open one as its relation says.

        What was planned for the day had begun before where the frozen relation names it, or does not name its own course.
        """
        asked = self._asked(supply)
        own = self.fed_by(asked.id)
        if self.starts and supply.relation is not None:
            named = [s for s in self.starts if s.on == self.day and s.course.name in supply.relation.to]
            if named or (own is not None and own.is_open and own.name not in supply.relation.to):
                self.go_to(self.day, inclusive=True)
                own = self.fed_by(asked.id)
        before: Snapshot | None = None
        if own is not None and own.last_segment.source == asked.id and (own.is_open or own.was_over_on(self.day)):
            relation, course = None, own
            if self.decisions and own.is_open:
                self._keep_decided(course, decided_by_own(self, own, asked, supply), True)
            before = course.snapshot()
        else:
            relation = relation_to_courses(self, asked, supply)
            courses = relation.to if relation.relation in (Relation.PART, Relation.CONTINUES) else ()
            if courses and (courses[0] is own or self._segment(asked, self.day).goes_on_at(self.day)):
                course = courses[0]
                decided = DecidedByOwn(relation.ends, relation.decided_beside)
                self._keep_decided(course, decided, course is own)
                before = course.snapshot()
                if course.last_segment.source != asked.id:
                    self._go_on_with(course, asked)
            else:
                course = self._open(asked, relation)
        segment = course.last_segment
        course.supplies.append(supply)
        stock = stock_of(segment.plan, supply.tablets or (), supply.days)
        segment.stock = [left + more for left, more in zip(segment.stock, stock, strict=True)]
        self.feedings[supply.id] = Feeding(asked, relation, course, segment, self.day, before, segment.left())

    def _asked(self, supply: Supply) -> Asked:
        if supply.order is None:
            return Asked.of_recorded(supply)
        if supply.order not in self.asked:
            self.asked[supply.order] = Asked.of_order(self.orders[supply.order])
        return self.asked[supply.order]

    def _keep_decided(self, course: Course, decided: DecidedByOwn, is_own: bool) -> None:
        """Keep what a person said of an open course when more of it is handed over.

        It takes the place of some courses, of each on the day that was named for it. Where it is `is_own`, of the order in
        question, and has not begun, it begins on the last of those days. Those beside it no longer take its place.
        """
        named = max([day for day in decided.ends.values() if day is not None], default=None)
        if is_own and named is not None and named != course.start_named and course.first_on > self.day:
            self._move(course, named.toordinal() - course.first_on)
            course.start_named = named
        self._keep_starts(course, tuple(decided.ends))
        course.replaces = [*(other for other in course.replaces if other not in decided.ends), *decided.ends]
        for other, day in decided.ends.items():
            self._start(course, max(self.day, course.first_on, 0 if day is None else day.toordinal()), [other])
        for other in decided.beside:
            course.decided_beside.add(other.name)
            other.decided_beside.add(course.name)
            other.replaces = [replaced for replaced in other.replaces if replaced is not course]
            self._keep_starts(other, [course])

    def _keep_starts(self, course: Course, without: Sequence[Course]) -> None:
        """Keep the planned starts of a course but for the place of some courses that it no longer takes then."""
        self.starts = [
            start._replace(replaced=[replaced for replaced in start.replaced if replaced not in without])
            if start.course is course
            else start
            for start in self.starts
        ]

    def _go_on_with(self, course: Course, asked: Asked) -> None:
        """Let a course go on with the tablets of another order, from today or its planned start."""
        starts_on = self.day if asked.starts_on is None else max(self.day, asked.starts_on.toordinal())
        course.segments.append(self._segment(asked, starts_on))
        fed = self.by_source.get(asked.id, [])
        self.by_source[asked.id] = [other for other in self.courses if other is course or other in fed]

    def _open(self, asked: Asked, relation: RelationToCourses) -> Course:
        planned = relation.starts_on or asked.starts_on
        first_on = self.day if planned is None else max(self.day, planned.toordinal())
        names = {course.name for course in self.courses}
        day_name = f"{asked.id}@{date.fromordinal(first_on)}"
        possible_names = chain((asked.id, day_name), (f"{day_name}#{number}" for number in count(2)))
        name = next(name for name in possible_names if name not in names)
        segment = self._segment(asked, first_on)
        if segment.first_taken is None:
            segment.first_taken = first_on
        course = Course(name, first_on, asked.as_needed, [segment], first_on, start_named=relation.starts_on)
        course.replaces = list(relation.to if relation.relation is Relation.CHANGES else relation.ends)
        for other, is_unknown in relation.beside.items():
            if is_unknown:
                course.unknown.add(other.name)
                other.unknown.add(name)
        for other in relation.decided_beside:
            course.decided_beside.add(other.name)
            other.decided_beside.add(name)
        self.courses.append(course)
        self.by_source.setdefault(asked.id, []).append(course)
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
            for course in self.by_source.get(asked.id, [])
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
            stock=stock_of(asked.plan, (), None),
            first_taken=min([s.first_taken for s in earlier if s.first_taken is not None], default=None),
            moved=earlier[-1].moved if earlier else 0,
        )
