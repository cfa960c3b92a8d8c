"""The segments of a course, each with its tablets, and which of them the doses of a day come from.

Days are ordinals (`date.toordinal`), amounts are whole nanograms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from baclofen_rules.therapy.model import Order, Plan, PlanPhase

FAR = date.max.toordinal()
"""The end of a stretch, or of a count, that goes on until told otherwise."""
ONE_DAY = (1,)
"""What a day takes of a supply whose dose nobody knows: its stock is counted in days."""


Left = tuple[list[int], int | None, int]
"""What was left of a segment on a day: its stock, its first day and the days by which it was moved."""


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

    def left(self) -> Left:
        """Return what is left of the segment."""
        return self.stock, self.first_taken, self.moved

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

    def goes_on_at(self, day: int) -> bool:
        """Say whether its plan is not over on a day."""
        return self.at(day, self.first_taken)[1] > 0

    def is_steady(self, day: int) -> bool:
        """Say whether the daily dose never changes by plan from a day on, also not to nothing."""
        first_taken = day if self.first_taken is None else self.first_taken
        phase, same = self.at(day, first_taken)
        while phase is not None and 0 < same < FAR:
            day += same
            following, same = self.at(day, first_taken)
            if same == 0 or following is None or following.mg != phase.mg:
                return False
        return True

    def days_of_stock(self, phase: PlanPhase | None) -> int:
        """Return the whole days that the tablets left suffice for: of each product, the whole day's dose."""
        needs = ONE_DAY if phase is None else phase.needs
        if len(needs) == 1:
            return self.stock[0] // needs[0]
        return min([left // need for left, need in zip(self.stock, needs, strict=True)])

    def take(self, phase: PlanPhase | None, days: int) -> None:
        """Take the doses of some days off the stock."""
        needs = ONE_DAY if phase is None else phase.needs
        if len(needs) == 1:
            self.stock = [self.stock[0] - needs[0] * days]
            return
        self.stock = [left - need * days for left, need in zip(self.stock, needs, strict=True)]

    def empty(self) -> None:
        """Count what is left as gone: it does not make a whole day."""
        self.stock = [0] * len(self.stock)


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


def find_payer(segments: Sequence[Segment], day: int) -> Payer:
    """Return the first segment that has the whole day's doses; without one, the last that was taken."""
    for index, segment in enumerate(segments):
        if segment.not_before > day or not any(segment.stock):
            continue
        phase, same = segment.at(day, day if segment.first_taken is None else segment.first_taken)
        covered = segment.days_of_stock(phase) if same > 0 else 0
        if covered:
            for earlier in segments[:index]:
                if earlier.not_before > day and any(earlier.stock):
                    same = min(same, earlier.not_before - day)
            return Payer(index, segment, phase, covered, same)
    segment = last_taken(segments, day)
    phase, same = segment.at(day, segment.first_taken)
    if same <= 0 and any(s.not_before > day and any(s.stock) for s in segments):
        same = FAR
    return Payer(len(segments), segment, phase, 0, same)


def last_taken(segments: Sequence[Segment], day: int) -> Segment:
    """Return the last segment that doses were taken from up to a day; the first where none were."""
    taken = [s for s in segments if s.first_taken is not None and s.not_before <= day]
    return taken[-1] if taken else segments[0]


def pay_doses(segments: Sequence[Segment], payer: Payer, day: int, days: int) -> None:
    """Take the doses of some days; what was left of the segments before does not make a whole day, and is gone."""
    if payer.place:
        for segment in segments[: payer.place]:
            if segment.not_before <= day:
                segment.empty()
    if payer.segment.first_taken is None:
        for segment in segments:  # tablets of one order that were handed over later go on where its regimen stands
            if segment.first_taken is None and segment.source == payer.segment.source:
                segment.first_taken = day
    payer.segment.take(payer.phase, days)
