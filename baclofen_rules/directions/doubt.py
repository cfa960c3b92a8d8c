"""Doubts about directions: the reason and the place in the text."""

from enum import StrEnum

from baclofen_rules.regimen import Regimen


class Why(StrEnum):
    """The kind of a doubt. A gap or an overlap is a fault of the course, the rest is not understood.

    The kinds of ``CONTRADICTIONS`` are about a word that no course of baclofen tablets by mouth on every day contains.
    """

    NOT_UNDERSTOOD = "not-understood"
    NO_STRENGTH = "no-strength"
    GAP = "gap"
    OVERLAP = "overlap"
    OPEN_END = "open-end"
    FORBIDS = "forbids"
    ROUTE = "route"
    OTHER_MEDICINE = "other-medicine"
    FORM = "form"
    UNIT = "unit"
    RHYTHM = "rhythm"


CONTRADICTIONS = frozenset({Why.FORBIDS, Why.ROUTE, Why.OTHER_MEDICINE, Why.FORM, Why.UNIT, Why.RHYTHM})


class Doubt(Exception):
    """Raised while reading, never to the caller: the part from ``start`` to ``end`` needs the answer to ``ask``."""

    def __init__(self, start: int, end: int, ask: str, why: Why = Why.NOT_UNDERSTOOD) -> None:
        super().__init__(ask)
        self.start = start
        self.end = end
        self.ask = ask
        self.why = why
        self.regimen: Regimen | None = None
        """The doses as far as they are read, where only their days are in doubt."""
