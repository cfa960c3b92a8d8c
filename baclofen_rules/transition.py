"""A change of the daily dose."""

from decimal import Decimal
from typing import NamedTuple

from baclofen_rules.text import format_amount


class Transition(NamedTuple):
    """A change of daily dose, in milligrams; ``held_days`` is how long the dose before it lasted, None if unknown."""

    before: Decimal
    after: Decimal
    held_days: int | None
    name: str

    @property
    def change(self) -> Decimal:
        return self.after - self.before

    def __str__(self) -> str:
        return f"{self.name}: {format_amount(self.before)} to {format_amount(self.after)} mg a day"
