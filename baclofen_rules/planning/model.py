"""A proposed course, or why there is none."""

from collections.abc import Mapping
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


class CannotPlan(ValueError):
    """No course keeps the rules with these wishes: ``field``, what was ``given``, what is ``expected``."""

    def __init__(self, field: str, given: str, expected: str) -> None:
        super().__init__(f"{field}: {given}; {expected}")
        self.field, self.given, self.expected = field, given, expected


class Plan(NamedTuple):
    """A proposed course, with the tablets that it takes."""

    kind: Kind
    regimen: Regimen
    packed: Mapping[Decimal, Packing]
    """The tablets of each dose (mg) of the course."""
    profile: str
    digest: str
    """Of the profile whose rules it keeps."""

    @property
    def strengths(self) -> tuple[Decimal, ...]:
        """The tablet strengths it uses, largest first; more than one only where that saves a change or an uneven day."""
        return tuple(
            sorted({tablets.strength_mg for packing in self.packed.values() for tablets in packing}, reverse=True)
        )

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

        A plan with two strengths says in ``take`` which tablets are taken when.
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
        }
        return made if len(self.strengths) == 1 else {**made, "take": self.take}


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
