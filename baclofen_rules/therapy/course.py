"""One course of treatment: its segments with their tablets, counted forward as stretches of days with equal doses.

Days are ordinals (`date.toordinal`), amounts are whole nanograms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from baclofen_rules.therapy.model import PlanPhase, Supply
from baclofen_rules.therapy.segments import Left, Payer, Segment, find_payer, last_taken, pay_doses


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

    day: int
    is_planned: bool

    @property
    def uncovered(self) -> int | None:
        """The first uncovered day; None where the tablets reach the planned end."""
        return None if self.is_planned else self.day


class Snapshot(NamedTuple):
    """The tablets left of a course on the day that it was counted up to."""

    day: int
    uncovered_since: int | None
    segments: Sequence[tuple[Segment, Left]]
    """Those that matter from then on."""

    def moved_to(self, day: int) -> Snapshot:
        """Return what was left of a course that had not begun, to be begun on another day, where its segments stand now."""
        segments = [(segment, (stock, segment.first_taken, moved)) for segment, (stock, _, moved) in self.segments]
        return self._replace(day=day, segments=segments)

    def cover_end(self, first: int | None = None) -> CoverEnd:
        """Return where the tablets end: the present hole, or the first to come.

        With `first`, the first one that is not over before that day.
        """
        segments = [segment.standing_at(*left) for segment, left in self.segments]
        day, since = self.day, self.uncovered_since
        while True:
            payer = find_payer(segments, day)
            if payer.same <= 0:
                return CoverEnd(day, is_planned=True)
            if payer.covered:
                pay_doses(segments, payer, day, min(payer.covered, payer.same))
                day += min(payer.covered, payer.same)
                since = None
                continue
            since = day if since is None else since
            resumes = min([s.not_before for s in segments if s.not_before > day and any(s.stock)], default=None)
            if first is None or resumes is None or first < resumes:
                return CoverEnd(since, is_planned=False)
            for segment in segments:
                if segment.not_before <= day:
                    segment.empty()
            day = resumes


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
    start_named: date | None = None
    """The first day that the answer to its first hand-overs named."""

    @property
    def last_segment(self) -> Segment:
        return self.segments[-1]

    @property
    def is_open(self) -> bool:
        return self.ended_on is None

    @property
    def is_outdated(self) -> bool:
        """True when it was replaced or stopped, so that its orders no longer say what is taken."""
        return self.ended_why in (Ending.REPLACED, Ending.STOPPED)

    def is_open_on(self, day: int) -> bool:
        """Say whether a day lies between the first day and the end, and no other course stood in its place."""
        if day < self.first_on or (self.ended_on is not None and day >= self.ended_on):
            return False
        return not self.replaced_days or not any(first <= day < end for first, end in self.replaced_days)

    def was_over_on(self, day: int) -> bool:
        """Say whether it ended by its plan on a day on which more of it was handed over: for no day."""
        return self.ended_why is Ending.PLANNED and self.ended_on == day == self.supplies[-1].on.toordinal()

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
            self.start_named,
        )

    def snapshot(self) -> Snapshot:
        """Return what is left on the day that is counted next, without the days before."""
        segments = self.segments
        if len(segments) > 1:
            last = last_taken(segments, self.cursor)
            segments = [segment for segment in segments if segment is last or any(segment.stock)]
        return Snapshot(self.cursor, self.uncovered_since, [(segment, segment.left()) for segment in segments])

    def cover_end(self) -> CoverEnd:
        """Return where the tablets end, as the course stands: the present hole, or the first to come."""
        return self.snapshot().cover_end()

    @property
    def uncovered_since(self) -> int | None:
        """The first day of the hole that the course is in on the day that is counted next; None outside of one."""
        if not self.stretches or self.stretches[-1].end != self.cursor:
            return None
        return self.stretches[-1].uncovered_since

    def end(self, day: int, why: Ending) -> None:
        """End the course: `day` is the first without it."""
        self.ended_on, self.ended_why = day, why
        while self.stretches and self.stretches[-1].end > day:
            last = self.stretches.pop()
            if last.first < day:
                self.stretches.append(last._replace(end=day))

    def reopen(self, day: int) -> None:
        """Go on with the tablets that are left, from `day`; of what was not taken before its end, from its first day.

        A planned start that is still to come stays.
        """
        ended_on = day if self.ended_on is None else self.ended_on
        for segment in self.segments if self.first_on < day else ():
            if segment.first_taken is not None and segment.first_taken >= ended_on:
                segment.first_taken = None
        self.replaced_days = [*self.replaced_days, (ended_on, day)]
        self.ended_on = self.ended_why = self.replaced_by = None
        self.cursor = max(day, self.first_on)

    @property
    def standing_mg(self) -> Decimal | None:
        """mg of the day that is counted next, by the calendar where no tablets cover it; None where nobody knows."""
        phase = find_payer(self.segments, self.cursor).phase
        return None if phase is None else phase.mg

    def is_steady(self) -> bool:
        """Say whether the daily dose never changes by plan from the day that is counted next on, also not to nothing."""
        payer = find_payer(self.segments, self.cursor)
        return all(s.is_steady(self.cursor) for s in self.segments if s is payer.segment or any(s.stock))

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
        if self.ended_on is not None or day > until:
            return
        since = self.uncovered_since
        while day < until or since is not None or self.segments[-1].has_end:
            payer = find_payer(self.segments, day)
            if payer.same <= 0:
                self.end(day, Ending.PLANNED)
                return
            if since is not None and not payer.covered and day > since + new_after:
                self.end(day, Ending.LAPSED)
                return
            if day == until:
                return
            if payer.covered:
                since, end = None, day + min(payer.covered, payer.same, until - day)
                pay_doses(self.segments, payer, day, end - day)
            else:
                since = day if since is None else since
                end = min(self._pass_without(payer, day), until, since + new_after + 1)
            self._add(day, end, payer, since)
            self.cursor = day = end

    def _pass_without(self, payer: Payer, day: int) -> int:
        """Count what does not make a whole day as gone, and return the day that may have tablets again, or no doses."""
        for segment in self.segments:
            if segment.not_before <= day:
                segment.empty()
        resumes = [s.not_before for s in self.segments if s.not_before > day and any(s.stock)]
        return min([day + payer.same, *resumes])

    def _add(self, first: int, end: int, payer: Payer, uncovered_since: int | None) -> None:
        """Add days to the last stretch where they are like its own, and a stretch otherwise."""
        last = self.stretches[-1] if self.stretches else None
        if (
            last is not None
            and last.end == first
            and last.phase is payer.phase
            and last.segment is payer.segment
            and last.uncovered_since == uncovered_since
        ):
            first = self.stretches.pop().first
        self.stretches.append(Stretch(first, end, payer.phase, payer.segment, uncovered_since))
