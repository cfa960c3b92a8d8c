"""A hand-over as it was counted: its course before and after it, and the stock that it brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.therapy.asked import Asked, RelationToCourses
from baclofen_rules.therapy.course import Course, Snapshot
from baclofen_rules.therapy.model import Plan
from baclofen_rules.therapy.segments import Left, Segment


@dataclass(slots=True)
class Feeding:
    """A hand-over as it was counted: its relation, its course, and the course before and after it."""

    asked: Asked
    relation: RelationToCourses | None
    """None: on an order whose course was open, so that its tablets were added there."""
    course: Course
    segment: Segment
    day: int
    before: Snapshot | None
    """None: it opened the course."""
    left: Left
    """Of the segment after it."""
    _days: tuple[int, int] | None = None

    def days(self) -> tuple[int, int]:
        """Return the first day that it is for, and the first day that was uncovered after it."""
        if self._days is None:
            self._days = self._count_days()
        return self._days

    def move(self, first_on: int) -> None:
        """Let the days that it is for begin on another day, where its course stands now: it had not begun."""
        self.before = None if self.before is None else self.before.moved_to(first_on)
        stock, _, moved = self.left
        self.left = stock, self.segment.first_taken, moved
        self._days = None

    def _count_days(self) -> tuple[int, int]:
        first = max(self.day, self.segment.not_before)
        if self.before is not None:
            first = max(first, self.before.cover_end(first).day)
        return first, max(first, self._after().cover_end(first).day)

    def _after(self) -> Snapshot:
        """Return what was left of the course after it."""
        if self.before is None:
            return Snapshot(self.course.first_on, None, [(self.segment, self.left)])
        others = [(segment, left) for segment, left in self.before.segments if segment is not self.segment]
        return self.before._replace(segments=[*others, (self.segment, self.left)])


def stock_of(plan: Plan | None, tablets: Sequence[Decimal], days: int | None) -> list[int]:
    """Return the stock by product of some tablets, or of as many days from the first; days where nobody knows the dose."""
    if plan is None or not plan.phases:
        return [days or 0]
    if tablets and plan.tablet_nanograms is not None:
        return [int(count * nanograms) for count, nanograms in zip(tablets, plan.tablet_nanograms, strict=True)]
    left, total = days or 0, [0] * len(plan.products)
    for phase in plan.phases:
        lasts = left if phase.days is None or phase is plan.phases[-1] else min(left, phase.days)
        total = [stock + need * lasts for stock, need in zip(total, phase.needs, strict=True)]
        left -= lasts
    return total
