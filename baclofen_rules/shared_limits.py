"""The numbers that several rules share: the section ``terms`` of a profile."""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.profiles.limits import Bands, by_age, number


@dataclass(frozen=True, slots=True)
class SharedLimits:
    """Numbers that several rules share."""

    max_mg_per_day: Bands[Decimal] = by_age("mg/day", 1, 1000)
    start_mg_per_day: Bands[Decimal] = by_age("mg/day", 1, 1000)
    start_mg_per_kg_per_day: Bands[Decimal] = by_age("mg/kg/day", 0.01, 10)
    start_rounding: Decimal = number("fraction", 0, 1)
    restart_after_days: Decimal = number("days", 1, 365)
    new_after_days: Decimal = number("days", 1, 3650)
    stop_free_mg_per_day: Decimal = number("mg/day", 0, 30)
    """The daily dose that may end without a taper."""
    refill_lead_days: Decimal = number("days", 1, 60)
    """Days before the first uncovered day on which a refill is due."""
    second_call_days: Decimal = number("days", 0, 30)
    """Days before the first uncovered day of the second call."""
    missed_after_days: Decimal = number("days", 0, 30)
    """Days after the first uncovered day of the call about a missed collection."""
    watch_after_stop_days: Decimal = number("days", 0, 90)
    """Days for which a stopped course stays on the withdrawal-risk list."""
