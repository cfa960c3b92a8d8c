"""The comparison of two courses, the tablets of a course, and how both are written in a finding."""

from decimal import ROUND_CEILING, Decimal

from baclofen_rules.order import Order
from baclofen_rules.regimen import Phase, Regimen
from baclofen_rules.text import format_amount
from baclofen_rules.words import count_days, format_doses


def find_difference(text: Regimen, structured: Regimen) -> str | None:
    """Return the first difference: the dose of a day, the length, or the end. A text without length or end says nothing of it."""
    if text.phases == structured.phases:
        last = other = text.phases[-1].days
    else:
        written, ordered = _levels(text), _levels(structured)
        if [level for level, _ in written] != [level for level, _ in ordered]:
            return "dose"
        if any(days != other for (_, days), (_, other) in zip(written[:-1], ordered[:-1], strict=True)):
            return "dose"
        last, other = written[-1][1], ordered[-1][1]
    if last is not None and other is not None and last != other:
        return "length"
    if last is not None and text.then_stop is not None and structured.then_stop is not None:
        return None if text.then_stop == structured.then_stop else "end"
    return "end" if text.then_stop and structured.then_stop is False else None


def _levels(regimen: Regimen) -> list[tuple[tuple[Decimal, ...], int | None]]:
    """Doses (in mg, sorted) and days; neighbouring phases with the same doses are one."""
    levels: list[tuple[tuple[Decimal, ...], int | None]] = []
    for phase in regimen.phases:
        scale = phase.largest_dose / max(phase.doses)
        key = tuple(sorted(dose * scale for dose in phase.doses))
        if levels and levels[-1][0] == key:
            before = levels.pop()[1]
            days = None if phase.days is None or before is None else before + phase.days
            levels.append((key, days))
        else:
            levels.append((key, phase.days))
    return levels


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
