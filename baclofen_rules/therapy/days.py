"""The days of a therapy, between two of which nothing differs but where an event, a phase or the tablets end."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence, Set
from datetime import date
from decimal import Decimal
from functools import cached_property

from baclofen_rules.therapy.answers import Day, DayStretch, Dose
from baclofen_rules.therapy.course import Course, Ending
from baclofen_rules.therapy.courses import Courses
from baclofen_rules.therapy.model import ZERO, Facts, OrderStatus
from baclofen_rules.therapy.segments import FAR


class TherapyDays:
    """The days of a therapy: what is taken on each, since when, and when that changes."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.today = facts.today
        self._orders = {order.id: order for order in facts.orders}
        self._now = Courses.counted(facts)
        self._days: dict[int, Day] = {}

    @cached_property
    def _ahead(self) -> Courses:
        return self._now.forecast()

    @cached_property
    def _ahead_by_name(self) -> dict[str, Course]:
        return {course.name: course for course in self._ahead.courses}

    # --- days -----------------------------------------------------------------------------------------------------

    def day(self, day: date) -> Day:
        """Return what is taken on a day, past or to come, if nothing else happens but what is planned."""
        return self._day(day.toordinal())

    def stretches(self, first_on: date, last_on: date) -> list[DayStretch]:
        """Return the days of a period, both ends included, as stretches of equal days."""
        stretches: list[DayStretch] = []
        for first, end in self._spans(first_on.toordinal(), last_on.toordinal() + 1):
            day = self._day(first)
            span = DayStretch(date.fromordinal(first), date.fromordinal(end - 1), day)
            if stretches and stretches[-1].day == day:
                stretches[-1] = stretches[-1]._replace(last_on=span.last_on)
            else:
                stretches.append(span)
        return stretches

    @cached_property
    def _marks(self) -> list[int]:
        """The days on which anything can differ from the day before."""
        restart = self.facts.habits.restart_after
        marks = set()
        for course in self._ahead.courses:
            marks.add(course.first_on)
            marks.update(day for days in course.replaced_days for day in days)
            marks.update(since for since, _ in course.reported)
            for stretch in course.stretches:
                marks.update((stretch.first, stretch.end))
                if stretch.uncovered_since is not None:
                    marks.add(stretch.uncovered_since + restart)
        return sorted(marks)

    def _spans(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        marks = [mark for mark in self._marks if first < mark < end]
        yield from zip([first, *marks], [*marks, end], strict=True)

    def _day(self, day: int) -> Day:
        if day not in self._days:
            self._days[day] = self._count_day(day)
        return self._days[day]

    def _count_day(self, day: int) -> Day:
        rows = [(course, course.stretch_on(day)) for course in self._ahead.courses if course.is_open_on(day)]
        running = [course for course, _ in rows if self._ahead.runs(course, day)]
        mg: Decimal | None = ZERO
        doses = []
        uncovered = []
        for course, stretch in rows:
            if stretch is None:
                continue
            if stretch.uncovered_since is not None:
                if not course.as_needed:
                    uncovered.append(course.name)
                continue
            if stretch.phase is None:
                mg = None
                continue
            segment = stretch.segment
            strengths = () if segment.plan is None else segment.plan.strengths
            doses.append(Dose(course.name, segment.source, stretch.phase, strengths, course.as_needed))
            if not course.as_needed and mg is not None:
                mg += stretch.phase.mg
        low, high, is_unknown = self._bounds(running, day)
        return Day(
            mg=None if is_unknown else mg,
            low=low,
            high=high,
            running=tuple(course.name for course in running),
            uncovered=tuple(uncovered),
            doses=tuple(doses),
        )

    def _bounds(self, running: Sequence[Course], day: int) -> tuple[Decimal, Decimal | None, bool]:
        """Return the least and the most of a day, and whether two courses run of which nobody knows how they stand."""
        groups = _groups(running)
        bounds = [[self._bounds_of(course, day) for course in group] for group in groups]
        low = sum((min(least for least, _ in group) for group in bounds), ZERO)
        high = sum_known([most for group in bounds for _, most in group])
        return low, high, len(groups) < len(running)

    def _bounds_of(self, course: Course, day: int) -> tuple[Decimal, Decimal | None]:
        """Return the least and the most of one course that runs on a day."""
        stretch = course.stretch_on(day)
        phase = None if stretch is None else stretch.phase
        if phase is None:
            return ZERO, None
        is_covered = stretch is not None and stretch.uncovered_since is None
        low = phase.mg if is_covered and not course.as_needed else ZERO
        high = phase.mg
        reports = [mg for since, mg in course.reported if since <= day]
        if reports:
            low = reports[-1] if course.as_needed and is_covered else min(low, reports[-1])
            high = max(high, reports[-1])
        return low, high

    def low_of(self, course: str, day: date) -> Decimal:
        """Return the least that one course gives on a day; 0 where it does not run."""
        return sum((self._bounds_of(c, day.toordinal())[0] for c in self._ahead.courses if c.name == course), ZERO)

    @cached_property
    def held_since(self) -> date | None:
        """The first day of the unbroken stretch of equal mg up to today; None where nothing fixed is taken today."""
        return self._held_since(lambda day: self._day(day).mg, self.today.toordinal(), self._ahead.courses)

    def _held_since(self, mg_on: Callable[[int], Decimal | None], until: int, courses: Sequence[Course]) -> date | None:
        """Return the first day of the stretch of equal mg that a day belongs to; None where that is nothing.

        A recorded supply that begins one of the courses on that day may say an earlier one.
        """
        mg = mg_on(until)
        if not mg:
            return None
        since = until
        for mark in reversed(self._marks[: bisect_right(self._marks, until)]):
            since = mark
            if mg_on(mark - 1) != mg:
                break
        stated_days = [
            course.supplies[0].dose_since.toordinal()
            for course in courses
            if course.first_on == since and course.supplies and course.supplies[0].dose_since is not None
        ]
        return date.fromordinal(min([since, *stated_days]))

    @cached_property
    def next_change(self) -> date | None:
        """The next day, inside cover, on which the fixed doses differ by plan, also to nothing; None without one."""
        return next(iter(self.changes(after=self.today)), None)

    def changes(self, after: date) -> list[date]:
        """Return the days after a day, inside cover, on which the fixed doses differ by plan, also to nothing."""
        return [day for day in self._marks_after(after) if self._differs_by_plan(day, frozenset())]

    def announced_changes(self, after: date) -> list[date]:
        """Return the changes after a day of which the patient is told: not those of an order that was replaced since."""
        changes = []
        for day in self._marks_after(after):
            courses = self._ahead.courses
            withdrawn = {c.name for c in courses if self._is_of_replaced_order(c, day.toordinal())}
            if self._differs_by_plan(day, withdrawn):
                changes.append(day)
        return changes

    def _marks_after(self, day: date) -> list[date]:
        first = bisect_right(self._marks, day.toordinal())
        return [date.fromordinal(mark) for mark in self._marks[first:] if mark < FAR]

    def _differs_by_plan(self, day: date, ignored: Set[str]) -> bool:
        """Say whether the fixed doses of a day differ from the day before: not by courses that go without tablets."""
        before, then = self._day(day.toordinal() - 1), self.day(day)
        if not before.mg or then.mg is None:
            return False
        left_out = {*ignored, *then.uncovered}
        return _fixed_doses(before, left_out) != _fixed_doses(then, left_out)

    def _is_of_replaced_order(self, course: Course, day: int) -> bool:
        """Say whether a course goes on, or ends on a day, by the plan of an order that was replaced since."""
        order = course.last_segment.order
        if order is None or order.status is not OrderStatus.REPLACED:
            return False
        return course.ended_on != day or course.ended_why is Ending.PLANNED


def sum_known(amounts: Sequence[Decimal | None]) -> Decimal | None:
    """Return the sum of some amounts; None where one of them is unknown."""
    known_amounts = [amount for amount in amounts if amount is not None]
    return sum(known_amounts, ZERO) if len(known_amounts) == len(amounts) else None


def _groups(courses: Sequence[Course]) -> list[list[Course]]:
    """Return courses in groups: those of one group stand, directly or through others, in a relation that nobody knows."""
    left, groups = list(courses), []
    while left:
        group = [left.pop()]
        for member in group:
            near = [course for course in left if course.name in member.unknown]
            group += near
            left = [course for course in left if course not in near]
        groups.append(group)
    return groups


def _fixed_doses(day: Day, left_out: Set[str]) -> list[tuple[tuple[Decimal, ...], ...]]:
    """Return the fixed doses of a day by course and product, without those of some courses."""
    return [dose.phase.doses for dose in day.doses if not dose.as_needed and dose.course not in left_out]
