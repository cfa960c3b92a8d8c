"""Answers of a therapy: days, doses, threads, relations, due days and hand-overs, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from baclofen_rules.therapy.course import Ending
from baclofen_rules.therapy.model import How, PlanPhase, Relation, hour_of

HAND_OVER = "hand-over"
"""The id of the supply that is in question."""


class Dose(NamedTuple):
    """The part of one course in a day: its phase, and the tablets it is made of. As needed: the most of the day."""

    course: str
    source: str
    """The order, or the recorded supply, that the tablets come from."""
    phase: PlanPhase
    strengths: tuple[Decimal | None, ...]
    as_needed: bool

    def tablets(self) -> tuple[tuple[Decimal, ...], ...] | None:
        """Return the tablets of each dose, by product; None where a strength is unknown."""
        if None in self.strengths:
            return None
        return tuple(
            tuple(dose / strength for dose in doses)
            for doses, strength in zip(self.phase.doses, self.strengths, strict=True)
            if strength is not None
        )


class SingleDose(NamedTuple):
    """One dose of a day, of tablets of one strength."""

    time: str | None
    """None where the order does not say."""
    mg: Decimal
    strength_mg: Decimal | None


@dataclass(frozen=True, slots=True)
class Day:
    """The doses of a patient on one day."""

    mg: Decimal | None
    """mg of the fixed doses that tablets cover; None where the record cannot tell."""
    low: Decimal
    """The least that can be true."""
    high: Decimal | None
    """The most that can be true; None where nobody knows a dose."""
    running: tuple[str, ...]
    """Names of the courses that run."""
    uncovered: tuple[str, ...]
    """Names of the fixed courses that are open without tablets."""
    doses: tuple[Dose, ...]
    """Of the courses that have tablets."""

    @property
    def fixed_doses(self) -> tuple[SingleDose, ...]:
        """The single doses of the day without those as needed, by time; as written where an order does not say all."""
        return self.fixed_doses_at({})

    def fixed_doses_at(self, usual_times: Mapping[int, Sequence[str]]) -> tuple[SingleDose, ...]:
        """Return the same with the usual times of so many doses a day where an order says none."""
        doses = [
            SingleDose(time, amount, strength)
            for dose in self.doses
            if not dose.as_needed
            for index, (amounts, strength) in enumerate(zip(dose.phase.doses, dose.strengths, strict=True))
            for amount, time in zip(amounts, dose.phase.times_at(index, usual_times), strict=True)
        ]
        if any(dose.time is None for dose in doses):
            return tuple(doses)
        return tuple(sorted(doses, key=lambda dose: hour_of(dose.time or "")))


class DayStretch(NamedTuple):
    """Days that are all equal, both ends included."""

    first_on: date
    last_on: date
    day: Day


class DoseStretch(NamedTuple):
    """Days of one hand-over with equal doses, both ends included. As needed: without an end."""

    first_on: date
    last_on: date | None
    dose: Dose


@dataclass(frozen=True, slots=True)
class Thread:
    """A course with what replaces it without a hole: one continuity of supply."""

    course: str
    """The course it begins with."""
    last_course: str
    first_uncovered: date | None
    """The first day without tablets, in the past where today has none; None where the plan ends before."""
    ends_on: date | None
    """The first day after a planned end, or a stop to come, that the tablets reach."""
    is_end_announced: bool
    """False where the plan that ends is of an order that was replaced since."""
    as_needed: bool
    refill_due_on: date | None
    """None where no refill is due before the end, and for instalments."""
    mg: Decimal | None
    """mg a day of the therapy on the last covered day."""

    @property
    def more_needed(self) -> bool:
        return self.first_uncovered is not None


@dataclass(frozen=True, slots=True)
class CourseView:
    """One course as it stands today."""

    name: str
    as_needed: bool
    mg: Decimal | None
    """mg of its last covered day before today, or of its first day; as needed the most of a day; None where unknown."""
    since: date
    """Its first day."""
    first_uncovered: date | None
    prescriber: str | None
    source: str
    """The order, or the recorded supply, that feeds it last."""
    strengths: tuple[Decimal | None, ...]
    replaces: tuple[str, ...]
    """Names of the courses whose place it is planned to take."""


@dataclass(frozen=True, slots=True)
class EndedCourse:
    """A course that ended: `on` is the first day without it."""

    course: str
    on: date
    why: Ending
    mg: Decimal | None
    """mg a day of the therapy on its last covered day, or where it has none on the day before its end."""
    as_needed: bool
    low: Decimal
    """The least that was taken of it on that day."""


@dataclass(frozen=True, slots=True)
class OrderRelation:
    """The relation of an order to what is taken, before any answer, with the amounts that rules compare with."""

    relation: Relation
    how: How | None
    to: tuple[str, ...]
    """Names of the courses it is about."""
    beside: tuple[str, ...]
    """Names of the courses that go on beside what would be handed over."""
    decided_beside: tuple[str, ...]
    """Those of which a person decided that."""
    previous_low: Decimal
    previous_high: Decimal | None
    """The least and the most of the courses it is about on their last covered day before today.

    Of one that is only planned, those of what it is to replace.
    """
    uncovered_on: date | None
    """The first day without tablets of those courses; None where there are none, or where their plan ends before."""
    gap_days: int
    left_days: int
    held_since: date | None
    """The first day of the dose that those courses give."""
    kept_days: int
    """The most days of the last fill that may be left when a refill is not early."""
    fill_days: int
    """The days of the last fill."""
    previous_doses: tuple[Decimal, ...]
    """The doses in mg of the first of those courses on that day, all products together."""
    previous_strength_mg: Decimal | None
    """The strength they were made of; None where there were several, or where it is unknown."""
    last_supply_on: date | None
    """The day of the last hand-over to the first of those courses."""
    began_today: bool
    """Whether those courses began today."""


class QueueState(StrEnum):
    """The state of an order in the queue, as far as it follows from the therapy."""

    DONE = "done"
    BLOCKED = "blocked"
    WAITING = "waiting"
    OWING = "owing"
    NOT_YET = "not-yet"
    NOT_DUE = "not-due"
    DUE = "due"


@dataclass(frozen=True, slots=True)
class Due:
    """The days on which an order is due at the counter."""

    state: QueueState
    due_on: date | None
    earliest_on: date | None
    """The first day on which it may be handed over without being early."""


class SupplyDays(NamedTuple):
    """The days that one hand-over is for: from `starts_on` up to, but not including, `run_out_on`."""

    starts_on: date
    run_out_on: date

    @property
    def days(self) -> int:
        """Days by which the hand-over moves the first uncovered day; 0 is allowed."""
        return (self.run_out_on - self.starts_on).days


class SupplyType(StrEnum):
    """HL7 v3 ActPharmacySupplyType."""

    EMERGENCY = "EM"
    FIRST_FILL = "FF"
    FIRST_FILL_PART = "FFP"
    REFILL = "RF"
    REFILL_PART = "RFP"
