"""Fills of ordered quantities: what is owed, how long the last fill lasts, and when the next is due."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import ceil
from operator import attrgetter
from typing import TYPE_CHECKING

from baclofen_rules.therapy.model import ZERO, Habits, Order, OrderStatus, Supply, SupplyStatus

if TYPE_CHECKING:
    from baclofen_rules.therapy.course import Course
    from baclofen_rules.therapy.courses import Courses


def owes(order: Order | None, supplies: Sequence[Supply]) -> tuple[Decimal, ...] | None:
    """Return the tablets of the fill begun that are still to be handed over, by product; None where none are."""
    if order is None or order.status is not OrderStatus.ACTIVE:
        return None
    rest = _rest(order, [s for s in supplies if s.order == order.id and s.status is not SupplyStatus.CANCELLED])
    return rest if any(rest) else None


def _rest(order: Order, supplies: Sequence[Supply]) -> tuple[Decimal, ...]:
    """Return the tablets that the fill begun lacks, by product, after some hand-overs; 0 where the quantity is unknown."""
    begun = fills_begun(order, supplies)
    return tuple(
        begun * quantity - count if quantity else ZERO for count, quantity in _against_quantities(order, supplies)
    )


def fills_begun(order: Order, supplies: Sequence[Supply]) -> int:
    """Return how many ordered quantities some hand-overs have begun; where none is known, each hand-over is one."""
    fills = [ceil(count / quantity) for count, quantity in _against_quantities(order, supplies) if quantity]
    return max(fills, default=len(supplies))


def _against_quantities(order: Order, supplies: Sequence[Supply]) -> list[tuple[Decimal, Decimal | None]]:
    """Return the tablets handed over with the quantity ordered, by product."""
    return [
        (sum([s.tablets[index] for s in supplies if s.tablets], ZERO), product.quantity)
        for index, product in enumerate(order.plan.products)
    ]


def days_kept(state: Courses, course: Course) -> int:
    """Return the most days of the last fill of a course that may be left when a refill is not early."""
    return days_kept_of(fill_days(state, course), state.facts.habits)


def days_kept_of(days: int, habits: Habits) -> int:
    """Return the most days of a fill that may be left when a refill is not early: whole days, rounded down."""
    if habits.days_left is not None:
        return min(habits.days_left, days // 2)
    share = Decimal(1) - (habits.used_fraction or ZERO)
    return max(int(days * share), min(7, days // 2))


def fill_days(state: Courses, course: Course) -> int:
    """Return the days of the last fill that a course was given: of all parts of one ordered quantity."""
    supplies = [s for s in course.supplies if s.status is not SupplyStatus.RETURNED or not is_back(s, state.day)]
    if not supplies:
        return 0
    parts: Sequence[Supply] = supplies[-1:]
    order_id = supplies[-1].order
    if order_id is not None:
        of_order = sorted([s for s in supplies if s.order == order_id], key=attrgetter("on", "number", "id"))
        parts = _last_fill(state.orders[order_id], of_order)
    return sum([last - first for first, last in (state.feedings[supply.id].days() for supply in parts)])


def _last_fill(order: Order, supplies: Sequence[Supply]) -> Sequence[Supply]:
    """Return the hand-overs of an order from the one that began its last fill; those of one day are one."""
    for index in range(len(supplies) - 1, 0, -1):
        if supplies[index].on != supplies[index - 1].on and not any(_rest(order, supplies[:index])):
            return supplies[index:]
    return supplies


def is_back(supply: Supply, day: int) -> bool:
    """Say whether all of a hand-over had come back by a day."""
    if supply.status is not SupplyStatus.RETURNED or supply.returned_on is None or supply.returned_on.toordinal() > day:
        return False
    return supply.returned_tablets is None or supply.returned_tablets == supply.tablets


def refill_due_from(state: Courses, course: Course, uncovered: int) -> int:
    """Return the day from which a refill of a course is due whose first uncovered day is known."""
    return max(uncovered - state.facts.habits.lead, uncovered - days_kept(state, course))


def is_refill_due(state: Courses, course: Course) -> bool:
    """Say whether no more is left of a course than a refill is due with; not where it needs none."""
    uncovered = state.cover_end(course)
    return uncovered is not None and refill_due_from(state, course, uncovered) <= state.day
