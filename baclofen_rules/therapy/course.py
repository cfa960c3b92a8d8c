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

from baclofen_rules.therapy.model import Order, Plan, PlanPhase, Supply

FAR = date.max.toordinal()
"""The end of a stretch, or of a count, that goes on until told otherwise."""
ONE_DAY = (1,)
"""What a day takes of a supply whose dose nobody knows: its stock is counted in days."""


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


class Snapshot(NamedTuple):
    """What was left of a course on the day that it was counted up to."""

    day: int
    uncovered_since: int | None
    segments: Sequence[tuple[Segment, tuple[list[int], int | None, int]]]
    """Those that matter from then on, each with its stock, its first day and the days by which it was moved."""

    def moved_to(self, day: int) -> Snapshot:
        """Return what was left of a course that had not begun, to be begun on another day."""
        return self._replace(day=day, segments=[(s, (stock, day, moved)) for s, (stock, _, moved) in self.segments])

    def cover_end(self, first: int | None = None) -> CoverEnd:
        """Return where the tablets end: the present hole, or the first to come.

        With `first`, the first one that is not over before that day.
        """
        segments = [segment.standing_at(*left) for segment, left in self.segments]
        ahead = Course("", self.day, False, segments, self.day)
        day, since = self.day, self.uncovered_since
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


@dataclass(slots=True, eq=False)
class Segment:
    """The part of a course that one order, or one recorded supply, feeds."""

    source: str
    plan: Plan | None
    prescriber: str | None
    order: Order | None
    not_before: int
    stock: list[int]
    """Left by product; for an unknown dose the days left. Never changed in place: copies share it."""
    first_taken: int | None = None
    """The day that counts as day 1 of its regimen."""
    moved: int = 0

    def clone(self) -> Segment:
        """Return a copy that can be counted forward without touching this one."""
        return self.standing_at(self.stock, self.first_taken, self.moved)

    def standing_at(self, stock: list[int], first_taken: int | None, moved: int) -> Segment:
        """Return a copy with another stock and position."""
        return Segment(self.source, self.plan, self.prescriber, self.order, self.not_before, stock, first_taken, moved)

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

    def snapshot(self) -> Snapshot:
        """Return what is left on the day that is counted next, without the days before."""
        last = self._last_taken(self.cursor)
        segments = [(s, (s.stock, s.first_taken, s.moved)) for s in self.segments if s is last or any(s.stock)]
        return Snapshot(self.cursor, self.uncovered_since, segments)

    def cover_end(self) -> CoverEnd:
        """Return where the tablets end, as the course stands: the present hole, or the first to come."""
        return self.snapshot().cover_end()

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
        """Go on with the tablets that are left, from `day`; of what was not taken before its end, from its first day."""
        ended_on = day if self.ended_on is None else self.ended_on
        for segment in self.segments:
            if segment.first_taken is not None and segment.first_taken >= ended_on:
                segment.first_taken = None
        self.replaced_days = [*self.replaced_days, (ended_on, day)]
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
