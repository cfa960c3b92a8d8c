"""A proposed course, or why there is none."""

from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from baclofen_rules.regimen import Regimen, plain
from baclofen_rules.sentences import say_directions
from baclofen_rules.supply import tablets_for

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
    strength_mg: Decimal
    """The one strength of the whole course."""
    profile: str
    digest: str
    """Of the profile whose rules it keeps."""

    @property
    def tablets(self) -> dict[Decimal, Decimal]:
        """Whole tablets by strength (mg), for all phases of known length."""
        needed = tablets_for(self.regimen.phases, self.strength_mg)
        return {self.strength_mg: needed.to_integral_value(rounding=ROUND_CEILING)}

    @property
    def sentence(self) -> str:
        """The directions in one sentence, which reads back as the same course."""
        return say_directions(self.regimen)

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON, amounts as strings; ``phases`` and ``then_stop`` fit into a prescription of a case."""
        return {
            "format": FORMAT,
            "kind": str(self.kind),
            "phases": [
                {"doses": [plain(dose) for dose in phase.doses], "unit": str(phase.unit), "days": phase.days}
                for phase in self.regimen.phases
            ],
            "then_stop": self.regimen.then_stop,
            "days": self.regimen.total_days,
            "tablets": [
                {"strength_mg": plain(strength), "quantity": plain(quantity)}
                for strength, quantity in self.tablets.items()
            ],
            "sentence": self.sentence,
            "profile": {"name": self.profile, "digest": self.digest},
        }
