"""A proposed course, or why there is none."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from baclofen_rules.planning.stock import Packing, Tablets
from baclofen_rules.regimen import Phase, Regimen, Window
from baclofen_rules.sentences import say_directions
from baclofen_rules.supply import tablets_for
from baclofen_rules.text import format_amount

FORMAT: Final = "baclofen-plan/1"


class Kind(StrEnum):
    """Which way a plan goes."""

    TAPER = "taper"
    TITRATION = "titration"


class Pace(StrEnum):
    """The speed of a taper."""

    FAST = "fast"
    """The fewest steps in the fewest days that the profile allows."""
    GENTLE = "gentle"
    """Small even steps over the days that the profile plans with."""
    SLOW = "slow"
    """The same over twice the days."""


class Cost(NamedTuple):
    """The burden of a plan for the patient."""

    days: int | None
    """None where the last dose goes on."""
    changes: int
    """Days on which the dose changes, the end included."""
    halves: int
    """Doses that want a broken tablet, over all days of known length."""
    left_over: Decimal
    """Tablets that are left of whole ones."""

    def to_json(self) -> dict[str, Any]:
        return {**self._asdict(), "left_over": format_amount(self.left_over)}


class CannotPlan(ValueError):
    """No course keeps the rules with these wishes: ``field``, what was ``given``, what is ``expected``.

    ``least`` is the least of the field that makes a plan, where that is an amount.
    """

    def __init__(self, field: str, given: str, expected: str, least: Decimal | int = 0) -> None:
        super().__init__(f"{field}: {given}; {expected}")
        self.field, self.given, self.expected, self.least = field, given, expected, least


class Plan(NamedTuple):
    """A proposed course, with the tablets that it takes."""

    kind: Kind
    regimen: Regimen
    packed: Mapping[Decimal, Packing]
    """The tablets of each dose (mg) of the course."""
    profile: str
    digest: str
    """Of the profile whose rules it keeps."""
    pace: Pace = Pace.GENTLE
    longest_supply_days: int | None = None
    """The days that one supply may last; a longer plan is handed over in parts."""

    @property
    def cost(self) -> Cost:
        """Return what the plan asks of the patient."""
        phases = self.regimen.phases
        halves = sum(
            phase.days * sum(any(tablets.number % 1 for tablets in self.packed[dose]) for dose in phase.doses)
            for phase in phases
            if phase.days is not None
        )
        taken = sum((tablets_for(self.part(strength).phases, strength) for strength in self.strengths), Decimal(0))
        return Cost(
            days=self.regimen.total_days,
            changes=len(phases) - (self.kind is Kind.TITRATION) + bool(self.regimen.then_stop),
            halves=halves,
            left_over=sum(self.tablets.values(), Decimal(0)) - taken,
        )

    @property
    def supplies(self) -> list[tuple[Window, ...]]:
        """The windows of each supply, none longer than the longest; a window is cut where it must be."""
        longest = self.longest_supply_days
        windows = self.regimen.windows()
        if longest is None or self.regimen.total_days is None:
            return [tuple(windows)]
        supplies: list[list[Window]] = [[]]
        room = longest
        for window in windows:
            first, last = window.from_day, window.to_day
            while last is not None and first <= last:
                days = min(room, last - first + 1)
                supplies[-1].append(Window(replace(window.phase, days=days), first, first + days - 1))
                first, room = first + days, room - days
                if not room:
                    supplies.append([])
                    room = longest
        return [tuple(supply) for supply in supplies if supply]

    @property
    def strengths(self) -> tuple[Decimal, ...]:
        """The tablet strengths it uses, largest first; more than one only where that saves a change or an uneven day."""
        doses = {dose for phase in self.regimen.phases for dose in phase.doses}
        return tuple(sorted({tablets.strength_mg for dose in doses for tablets in self.packed[dose]}, reverse=True))

    def part(self, strength_mg: Decimal) -> Regimen:
        """Return the doses taken of one strength, in the phases that use it."""
        phases = [(self._amounts(phase, strength_mg), phase.days) for phase in self.regimen.phases]
        return Regimen(tuple(Phase(doses, days) for doses, days in phases if doses), self.regimen.then_stop)

    def _amounts(self, phase: Phase, strength_mg: Decimal) -> tuple[Decimal, ...]:
        taken = [tablets for dose in phase.doses for tablets in self.packed[dose] if tablets.strength_mg == strength_mg]
        return tuple(tablets.number * tablets.strength_mg for tablets in taken)

    @property
    def tablets(self) -> dict[Decimal, Decimal]:
        """Whole tablets by strength (mg), for all phases of known length."""
        needed = {strength: tablets_for(self.part(strength).phases, strength) for strength in self.strengths}
        return {strength: count.to_integral_value(rounding=ROUND_CEILING) for strength, count in needed.items()}

    @property
    def sentence(self) -> str:
        """The directions in one sentence, which reads back as the same course."""
        return say_directions(self.regimen)

    @property
    def take(self) -> list[str]:
        """Which tablets on which days, a sentence a phase; then, for two strengths, what must not be mixed up."""
        lines = []
        for window in self.regimen.windows():
            doses = [
                " and ".join(_say_tablets(tablets) for tablets in self.packed[dose]) for dose in window.phase.doses
            ]
            times = window.phase.times
            if times is not None:
                doses = [f"{dose}{_WHEN[time or '']}" for dose, time in zip(doses, times, strict=True)]
            lines.append(f"{_say_days(window)}: {', then '.join(doses)}.")
        if len(self.strengths) > 1:
            larger, smaller = self.strengths[0], self.strengths[-1]
            lines.append(
                f"Two strengths: keep the packs apart. A {format_amount(larger)} mg tablet is {format_amount(round(larger / smaller, 2))} times "
                f"a {format_amount(smaller)} mg tablet. Each strength wants a prescription of its own."
            )
        return lines

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON, amounts as strings; ``phases`` and ``then_stop`` fit into a prescription of a case.

        A taper, and a plan with two strengths, says in ``take`` which tablets are taken when; one that is longer than a supply
        may be, in ``supplies`` what is handed over when.
        """
        made: dict[str, Any] = {
            "format": FORMAT,
            "kind": str(self.kind),
            "phases": [
                {"doses": [format_amount(dose) for dose in phase.doses], "unit": str(phase.unit), "days": phase.days}
                for phase in self.regimen.phases
            ],
            "then_stop": self.regimen.then_stop,
            "days": self.regimen.total_days,
            "tablets": [
                {"strength_mg": format_amount(strength), "quantity": format_amount(quantity)}
                for strength, quantity in self.tablets.items()
            ],
            "sentence": self.sentence,
            "profile": {"name": self.profile, "digest": self.digest},
            "cost": self.cost.to_json(),
        }
        if self.kind is Kind.TAPER or len(self.strengths) > 1:
            made["take"] = self.take
        if len(self.supplies) > 1:
            made["supplies"] = [
                {"from_day": supply[0].from_day, "to_day": supply[-1].to_day, "tablets": self._tablets_of(supply)}
                for supply in self.supplies
            ]
        return made

    def _tablets_of(self, supply: tuple[Window, ...]) -> list[dict[str, str]]:
        plan = self._replace(regimen=Regimen(tuple(window.phase for window in supply)))
        return [
            {"strength_mg": format_amount(strength), "quantity": format_amount(quantity)}
            for strength, quantity in plan.tablets.items()
            if quantity
        ]


_WHEN: Final = {
    "morning": " in the morning",
    "midday": " at midday",
    "evening": " in the evening",
    "bedtime": " at bedtime",
    "": "",
}


def _say_tablets(tablets: Tablets) -> str:
    count = tablets.number
    many = "tablet" if count <= 1 else "tablets"
    number = "half a" if count == Decimal("0.5") else format_amount(count)
    return f"{number} {many} of {format_amount(tablets.strength_mg)} mg"


def _say_days(window: Window) -> str:
    if window.to_day is None:
        return f"From day {window.from_day}"
    return (
        f"Day {window.from_day}" if window.to_day == window.from_day else f"Days {window.from_day} to {window.to_day}"
    )
