"""Quantity, days' supply and run-out date; cover over several supplies.

Every count errs towards running out early: a day that the tablets cover only in part is not covered.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal
from operator import attrgetter
from typing import NamedTuple, Protocol

from baclofen_rules.regimen import Phase, Regimen


def tablets_per_dose(dose_mg: Decimal, strength_mg: Decimal) -> Decimal:
    """Return the tablets of ``strength_mg`` that make one dose."""
    return dose_mg / strength_mg


def tablets_for(phases: Iterable[Phase], strength_mg: Decimal) -> Decimal:
    """Tablets of ``strength_mg`` for the phases whose length is known."""
    return sum((phase.mg_per_day * phase.days for phase in phases if phase.days is not None), Decimal(0)) / strength_mg


def tablets_needed(regimen: Regimen, strength_mg: Decimal) -> Decimal | None:
    """Tablets of ``strength_mg`` for the whole course; None when it has an open end."""
    return None if regimen.phases[-1].days is None else tablets_for(regimen.phases, strength_mg)


def days_supply(regimen: Regimen, strength_mg: Decimal | None, quantity: Decimal | None) -> int | None:
    """Whole days that ``quantity`` tablets last, never more than the course has.

    Without strength or quantity it is the length of the course; None when that has an open end.
    """
    if strength_mg is None or quantity is None:
        return regimen.total_days
    left, days = quantity * strength_mg, 0
    for phase in regimen.phases:
        lasts = int((left / phase.mg_per_day).to_integral_value(rounding=ROUND_FLOOR))
        if phase.days is None or lasts < phase.days:
            return days + lasts
        left -= phase.mg_per_day * phase.days
        days += phase.days
    return days


class HandedOver(Protocol):
    """Any hand-over: the day it happened and how many days it lasts."""

    @property
    def dispensed_on(self) -> date: ...

    @property
    def days_supply(self) -> int: ...


class Supply(NamedTuple):
    """One hand-over: the day it happened and how many days it lasts."""

    dispensed_on: date
    days_supply: int


def cover_end(supplies: Iterable[HandedOver]) -> date | None:
    """The first day that is not covered; None without any supply.

    Supplies are taken in date order and one that comes early is added to what is left; the first starts at its own date.
    """
    end: date | None = None
    for supply in sorted(supplies, key=attrgetter("dispensed_on")):
        begins = supply.dispensed_on if end is None or supply.dispensed_on > end else end
        end = begins + timedelta(days=supply.days_supply)
    return end


def run_out_on(first_day: date, days: int, carried_days: int = 0) -> date:
    """The first day not covered by ``days`` from ``first_day`` on top of ``carried_days`` still at home."""
    return first_day + timedelta(days=days + carried_days)
