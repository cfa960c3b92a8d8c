"""Keyset pages of orders: "next" continues after the last row shown, so no order is skipped when earlier ones leave the list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from dispensary.errors import InvalidInput, Problem

Listed = TypeVar("Listed", bound=Model)
"""Orders, or their summaries."""

ROWS = 50
"""Orders on a page."""

_TIME = "%Y%m%dT%H%M%S%f"


@dataclass(frozen=True, slots=True)
class Place:
    """The sort key of an order; `pk` decides between orders that came in at the same moment."""

    turn_on: date
    """The day on which it is its turn: today where it is due."""
    received_at: datetime
    pk: UUID

    @classmethod
    def of(cls, order: Any) -> Self:
        """Return the place of an order that was fetched with the annotation `turn_on`."""
        return cls(order.turn_on, order.received_at, order.pk)

    @classmethod
    def parse(cls, name: str, text: str) -> Self:
        """Read a place from a page's address. Raises InvalidInput on any other text."""
        try:
            turn_on, moment, pk = text.split("_")
            return cls(
                date.fromisoformat(turn_on),
                datetime.strptime(moment, _TIME).replace(tzinfo=UTC),
                UUID(hex=pk),
            )
        except ValueError as error:
            problem = Problem(name, text[:80], "the address of a page's own link", "Start again from the queue.")
            raise InvalidInput("There is no such page of the queue.", problem) from error

    def __str__(self) -> str:
        return f"{self.turn_on:%Y%m%d}_{self.received_at.astimezone(UTC).strftime(_TIME)}_{self.pk.hex}"

    def after(self, order_by: tuple[str, ...]) -> Q:
        """Return the condition for the orders that follow this place in a list sorted like that."""
        condition, equal = Q(), dict[str, Any]()
        for column in order_by:
            name = column.removeprefix("-")
            lookup = "lt" if column.startswith("-") else "gt"
            condition |= Q(**equal, **{f"{name}__{lookup}": getattr(self, name)})
            equal[name] = getattr(self, name)
        return condition

    def before(self, order_by: tuple[str, ...]) -> Q:
        """Return the condition for the orders that precede this place in a list sorted like that."""
        return self.after(reverse(order_by))


@dataclass(frozen=True, slots=True)
class Page(Generic[Listed]):
    """Some orders of a list, and the places from which the pages beside it are read ("" where there is none)."""

    orders: list[Listed]
    total: int
    """Orders on all pages."""
    first: int
    """Number of the first order shown, from 1."""
    previous: str
    next: str

    @property
    def last(self) -> int:
        return self.first + len(self.orders) - 1


def reverse(order_by: tuple[str, ...]) -> tuple[str, ...]:
    """Return the same columns in the opposite direction."""
    return tuple(column[1:] if column.startswith("-") else f"-{column}" for column in order_by)


def read_page(
    orders: QuerySet[Listed], order_by: tuple[str, ...], parameters: Mapping[str, str], total: int
) -> Page[Listed]:
    """Read the page that the parameter `after` or `before` names; the first one where neither does or nothing is left there.

    The columns of `order_by` must tell all orders apart. Raises InvalidInput on a place that no page gave.
    """
    rows: list[Listed] = []
    if text := parameters.get("after"):
        rows = list(orders.filter(Place.parse("after", text).after(order_by)).order_by(*order_by)[:ROWS])
    elif text := parameters.get("before"):
        preceding = orders.filter(Place.parse("before", text).before(order_by)).order_by(*reverse(order_by))
        rows = list(preceding[:ROWS])[::-1]
        if len(rows) < ROWS:  # orders have come in or left since: a whole first page, not a part of it
            rows = []
    skipped = orders.filter(Place.of(rows[0]).before(order_by)).count() if rows else 0
    rows = rows or list(orders.order_by(*order_by)[:ROWS])
    return Page(
        rows,
        total,
        first=skipped + 1,
        previous=str(Place.of(rows[0])) if skipped else "",
        next=str(Place.of(rows[-1])) if skipped + len(rows) < total else "",
    )
