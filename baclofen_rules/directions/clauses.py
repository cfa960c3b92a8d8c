"""The parts of directions as they are written: numbers, doses, times of day, clauses and steps.

Nothing is worked out here: amounts stay as they are written, so that a fault of the order is found before one of the amounts.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from .tokens import Kind, Token


class Number(NamedTuple):
    """A number as it is written."""

    value: Decimal
    start: int
    end: int
    is_figure: bool
    """Whether it is written in figures only, without a part such as 1/2."""


class Dose(NamedTuple):
    """The dose of one time as it is written: milligrams, tablets, or both; and its place."""

    start: int
    end: int
    mg: Decimal | None = None
    tablets: Decimal | None = None
    tablet_mg: Decimal | None = None
    """The strength in "two 10 mg tablets"."""
    is_bare: bool = False
    """Whether no unit is written."""


class Often(NamedTuple):
    """A frequency: how often in a day."""

    times: int
    start: int
    end: int
    text: str
    kind: Kind


class Moment(NamedTuple):
    """A time of day."""

    minutes: int
    is_clock: bool
    start: int
    end: int
    text: str
    joined: str
    """ "and", a comma or a slash before it; empty where nothing joins it to the one before."""


class Cap(NamedTuple):
    """ "At most 30 mg a day"."""

    dose: Dose
    start: int
    end: int


@dataclass
class Clause:
    """One day's dosing, and how long."""

    start: int
    end: int = 0
    joined: bool = True
    """Whether a word such as "then" stands before it, and not only a comma."""
    items: list[Dose | Moment] = field(default_factory=list)
    often: list[Often] = field(default_factory=list)
    scheme: Token | None = None
    scheme_has_unit: bool = False
    once: Token | None = None
    total: Token | None = None
    """ "a day" or "daily" behind a dose."""
    shared: Token | None = None
    shared_times: int | None = None
    numbered: int | None = None
    """The count in "3 doses a day (10 mg, 5 mg, 10 mg)"."""
    stated_total: tuple[Dose, int, int] | None = None
    meals: Token | None = None
    prn: Token | None = None
    up_to: Token | None = None
    days: int | None = None
    length: tuple[int, int] | None = None
    span: tuple[int, int | None, int, int] | None = None
    waits: bool = False
    is_closed: bool = False
    """Whether its length stands behind its doses: what follows is another clause."""
    change: Token | None = None
    until_finished: bool = False

    @property
    def doses(self) -> list[Dose]:
        """The doses in the order they are written."""
        return [item for item in self.items if isinstance(item, Dose)]

    @property
    def moments(self) -> list[Moment]:
        """The times of day in the order they are written."""
        return [item for item in self.items if isinstance(item, Moment)]

    @property
    def has_end(self) -> bool:
        """Return whether it says how long it lasts."""
        return self.days is not None or (self.span is not None and self.span[1] is not None)

    @property
    def is_empty(self) -> bool:
        """Return whether it holds nothing of a dosing yet."""
        return not (self.items or self.often or self.scheme or self.prn or self.total)


@dataclass
class Step:
    """ "Reduce by 10 mg a day every week": a change that is repeated."""

    start: int
    end: int
    change: Token
    amount: Dose
    ways: list[bool]
    """For each word that says so: whether the amount is of each dose (True) or of the day (False)."""
    days: int
    to_zero: bool = False
    total: Dose | None = None
    level: Clause | None = None
    """The dosing at which the steps end, where no total is named."""

    def end_at_zero(self) -> None:
        """Let the steps go down to nothing."""
        self.to_zero = True


class Text(NamedTuple):
    """The clauses of a text and how it ends."""

    strengths: list[Dose]
    clauses: list[Clause | Step]
    caps: list[Cap]
    stops: bool
    continues: bool
    is_dated: bool
