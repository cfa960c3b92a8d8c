"""The fields of an order that the therapy reads and the case of the rule book does not have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from baclofen_rules.checked import InvalidCase, Place
from dispensary.errors import InvalidInput, Problem

_FIELDS = ("starts_on", "max_mg_per_day", "interval_days", "group")


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """Planned start, most of a day, least days between supplies, and the sender's group; None is what is not said."""

    starts_on: date | None
    max_mg_per_day: Decimal | None
    interval_days: int | None
    group: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the stated fields as they are written into the log."""
        return {
            name: str(value) if isinstance(value, date | Decimal) else value
            for name, value in asdict(self).items()
            if value is not None
        }


def split_order(order: Mapping[str, Any]) -> tuple[dict[str, Any], OrderTerms]:
    """Return the part of an order that the rule book's case reads, and the rest, checked.

    Raises `InvalidInput` with the JSON path of what is wrong.
    """
    fields = Place({name: order.get(name) for name in _FIELDS}, "prescription").fields(frozenset(_FIELDS))
    try:
        terms = OrderTerms(
            starts_on=fields.get("starts_on", lambda at: at.day("a date YYYY-MM-DD")),
            max_mg_per_day=fields.get(
                "max_mg_per_day",
                lambda at: at.amount("mg a day above 0, at most 1000000", Decimal("0.000001"), Decimal(1000000)),
            ),
            interval_days=fields.get(
                "interval_days", lambda at: at.whole("a whole number of days from 1 to 3650", 1, 3650)
            ),
            group=fields.get("group", lambda at: at.text(300)),
        )
    except InvalidCase as error:
        problem = Problem(error.path, error.given[:120], error.expected)
        raise InvalidInput(f"The order cannot be read at {error.path}.", problem) from error
    return {name: value for name, value in order.items() if name not in _FIELDS}, terms
