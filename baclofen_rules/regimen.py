"""Dose, phase and regimen: the doses of day n.

A regimen is the whole planned course, phases in order; a phase is a stretch of days with one day's dosing. Amounts
are exact decimals. Doses keep the unit they were written in, because mixing up milligrams and micrograms is the very
error that the ``unit`` rule looks for; sums are given in milligrams.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

MICROGRAMS_IN_A_MILLIGRAM = Decimal(1000)


class Unit(StrEnum):
    """The unit a dose is written in."""

    MG = "mg"
    MICROGRAM = "microgram"


UNIT_WORDS = {
    "mg": Unit.MG,
    "milligram": Unit.MG,
    "milligrams": Unit.MG,
    "microgram": Unit.MICROGRAM,
    "micrograms": Unit.MICROGRAM,
    "ug": Unit.MICROGRAM,
    "µg": Unit.MICROGRAM,
    "μg": Unit.MICROGRAM,
    "mcg": Unit.MICROGRAM,
}


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of days with the same doses each day.

    ``doses`` are one day's doses in the order they are taken, in ``unit``; ``days`` is how long the phase lasts, or
    None for an open end; ``times`` names the time of each dose (morning, midday, evening, bedtime, or HH:MM), None where
    that is not said. Raises ValueError for no dose, a dose that is not a positive amount, fewer days than one, or a time
    too many or too few.
    """

    doses: tuple[Decimal, ...]
    days: int | None
    unit: Unit = Unit.MG
    times: tuple[str | None, ...] | None = field(default=None, compare=False)
    mg_per_day: Decimal = field(init=False, repr=False, compare=False)
    """The day's sum in milligrams."""
    largest_dose: Decimal = field(init=False, repr=False, compare=False)
    """The largest single dose in milligrams."""
    smallest_dose: Decimal = field(init=False, repr=False, compare=False)
    """The smallest single dose in milligrams."""
    is_even: bool = field(init=False, repr=False, compare=False)
    """Whether every dose of the day is the same."""

    def __post_init__(self) -> None:
        if not self.doses:
            raise ValueError("a phase has at least one dose a day")
        if not all(isinstance(dose, Decimal) and dose.is_finite() and dose > 0 for dose in self.doses):
            raise ValueError("a dose is a Decimal above zero")
        if self.days is not None and (isinstance(self.days, bool) or self.days < 1):
            raise ValueError("a phase lasts at least one day")
        if self.times is not None and len(self.times) != len(self.doses):
            raise ValueError("a phase names as many times as it has doses")
        scale = MICROGRAMS_IN_A_MILLIGRAM if self.unit is Unit.MICROGRAM else Decimal(1)
        object.__setattr__(self, "mg_per_day", sum(self.doses, Decimal(0)) / scale)
        object.__setattr__(self, "largest_dose", max(self.doses) / scale)
        object.__setattr__(self, "smallest_dose", min(self.doses) / scale)
        object.__setattr__(self, "is_even", self.smallest_dose == self.largest_dose)

    @property
    def doses_mg(self) -> tuple[Decimal, ...]:
        """One day's doses in milligrams, in the order they are taken."""
        if self.unit is Unit.MG:
            return self.doses
        return tuple(dose / MICROGRAMS_IN_A_MILLIGRAM for dose in self.doses)

    @property
    def times_per_day(self) -> int:
        """The number of doses a day."""
        return len(self.doses)


class Window(NamedTuple):
    """A phase with its place in the course: day 1 is the first day, ``to_day`` is None for an open end."""

    phase: Phase
    from_day: int
    to_day: int | None


@dataclass(frozen=True, slots=True)
class Regimen:
    """The whole planned course.

    ``then_stop`` is True when the medicine ends after the last phase (a taper to zero), False when it goes on, and
    None where that is not said. Only the last phase may have an open end; ValueError otherwise, and for no phase at all.
    """

    phases: tuple[Phase, ...]
    then_stop: bool | None = None
    total_days: int | None = field(init=False, repr=False, compare=False)
    """Days from the first to the last phase; None when the last phase has an open end."""

    def __post_init__(self) -> None:
        if not self.phases:
            raise ValueError("a regimen has at least one phase")
        if any(phase.days is None for phase in self.phases[:-1]):
            raise ValueError("only the last phase may have an open end")
        days = [phase.days for phase in self.phases if phase.days is not None]
        object.__setattr__(self, "total_days", sum(days) if len(days) == len(self.phases) else None)

    @property
    def highest_mg_per_day(self) -> Decimal:
        """The highest day's sum over all phases, in milligrams."""
        return max(phase.mg_per_day for phase in self.phases)

    def windows(self) -> Iterator[Window]:
        """Each phase with its first and last day, counted from day 1."""
        day = 1
        for phase in self.phases:
            if phase.days is None:
                yield Window(phase, day, None)
            else:
                yield Window(phase, day, day + phase.days - 1)
                day += phase.days

    def on_day(self, day: int) -> Phase | None:
        """The phase of day ``day`` (the first day is 1); None after the end. Raises ValueError below 1."""
        if day < 1:
            raise ValueError("days of a course are counted from 1")
        for window in self.windows():
            if window.to_day is None or day <= window.to_day:
                return window.phase
        return None

    def from_day(self, day: int) -> "Regimen":
        """Return what is left of the regimen on a day; 1 is the first.

        One that is not said to stop goes on with its last phase, past its planned days. Raises ValueError after the end
        of one that stops.
        """
        if day <= 1:
            return self
        windows = list(self.windows())
        phases = []
        for window in windows:
            days = None if window.to_day is None else window.to_day - max(day, window.from_day) + 1
            if window is windows[-1] and not self.then_stop:
                days = None
            if days is None or days > 0:
                phases.append(Phase(window.phase.doses, days, window.phase.unit, window.phase.times))
        return Regimen(tuple(phases), self.then_stop)


def find_difference(text: Regimen, structured: Regimen) -> str | None:
    """Return the first difference: the dose of a day, the length, or the end. A text without length or end says nothing of it."""
    if text.phases == structured.phases:
        last = other = text.phases[-1].days
    else:
        written, ordered = _levels(text), _levels(structured)
        if [level for level, _ in written] != [level for level, _ in ordered]:
            return "dose"
        if any(days != other for (_, days), (_, other) in zip(written[:-1], ordered[:-1], strict=True)):
            return "dose"
        last, other = written[-1][1], ordered[-1][1]
    if last is not None and other is not None and last != other:
        return "length"
    if last is not None and text.then_stop is not None and structured.then_stop is not None:
        return None if text.then_stop == structured.then_stop else "end"
    return "end" if text.then_stop and structured.then_stop is False else None


def _levels(regimen: Regimen) -> list[tuple[tuple[Decimal, ...], int | None]]:
    """Doses (in mg, sorted) and days; neighbouring phases with the same doses are one."""
    levels: list[tuple[tuple[Decimal, ...], int | None]] = []
    for phase in regimen.phases:
        scale = phase.largest_dose / max(phase.doses)
        key = tuple(sorted(dose * scale for dose in phase.doses))
        if levels and levels[-1][0] == key:
            before = levels.pop()[1]
            days = None if phase.days is None or before is None else before + phase.days
            levels.append((key, days))
        else:
            levels.append((key, phase.days))
    return levels
