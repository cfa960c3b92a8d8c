"""The tablets and the changes of a course, and how it is written in a finding."""

from decimal import ROUND_CEILING, Decimal
from itertools import pairwise

from baclofen_rules.order import Order
from baclofen_rules.regimen import Phase, Regimen
from baclofen_rules.text import format_amount
from baclofen_rules.words import count_days, format_doses


def count_tablets(regimen: Regimen, strength_mg: Decimal | None, days: int | None) -> Decimal | None:
    """Return the tablets of the first days of a course, in whole ones."""
    if strength_mg is None or days is None:
        return None
    mg, left = Decimal(0), days
    for phase in regimen.phases:
        lasts = left if phase.days is None else min(left, phase.days)
        mg += phase.mg_per_day * lasts
        left -= lasts
    return (mg / strength_mg).to_integral_value(rounding=ROUND_CEILING)


def find_changes(regimen: Regimen) -> list[tuple[int, Decimal, Decimal]]:
    """Return the phases that another dose follows, by number, with the milligrams of a day before and after."""
    levels = [phase.mg_per_day for phase in regimen.phases]
    return [(at, before, after) for at, (before, after) in enumerate(pairwise(levels), start=1) if before != after]


def is_taper(regimen: Regimen, changes: list[tuple[int, Decimal, Decimal]]) -> bool:
    """Return whether a course falls and then stops, or falls at least twice and ends below its beginning."""
    falls = [change for change in changes if change[2] < change[1]]
    if regimen.then_stop:
        return bool(falls)
    return len(falls) > 1 and regimen.phases[-1].mg_per_day < regimen.phases[0].mg_per_day


def write_course(regimen: Regimen) -> str:
    parts = [f"{format_doses(phase)}{_write_length(phase)}" for phase in regimen.phases]
    return "; then ".join(parts) + ("; then stop" if regimen.then_stop else "")


def _write_length(phase: Phase) -> str:
    return ", open end" if phase.days is None else f" for {count_days(phase.days)}"


def write_tablets(regimen: Regimen, order: Order) -> str:
    needed = count_tablets(regimen, order.strength_mg, regimen.total_days)
    return "" if needed is None else f" = {format_amount(needed)} tablets"


def write_quantity(order: Order) -> str:
    return "not given" if order.quantity is None else f"{format_amount(order.quantity)} tablets"
