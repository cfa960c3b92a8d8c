"""Why directions are asked back, and where in the text the doubt lies."""

from enum import StrEnum


class Why(StrEnum):
    """What kind of doubt it is. A gap or an overlap is a fault of the course, the rest is not understood."""

    NOT_UNDERSTOOD = "not-understood"
    NO_STRENGTH = "no-strength"
    GAP = "gap"
    OVERLAP = "overlap"
    OPEN_END = "open-end"


class Doubt(Exception):
    """Raised while reading, never to the caller: the part from ``start`` to ``end`` needs the answer to ``ask``."""

    def __init__(self, start: int, end: int, ask: str, why: Why = Why.NOT_UNDERSTOOD) -> None:
        super().__init__(ask)
        self.start = start
        self.end = end
        self.ask = ask
        self.why = why
