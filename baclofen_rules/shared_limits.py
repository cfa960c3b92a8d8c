"""The numbers that several rules share: the section ``terms`` of a profile."""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.profiles.limits import Bands, by_age, codes, number


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
    planned_taper_days: Decimal = number("days", 7, 120)
    """The days of a taper to nothing that is planned without a wish."""
    planned_long_taper_days: Decimal = number("days", 7, 180)
    """The same after a long treatment."""
    long_treatment_days: Decimal = number("days", 7, 365)
    """The days from which a treatment is a long one."""
    gentle_from_mg_per_day: Decimal = number("mg/day", 1, 100)
    """The daily dose from which on a planned step down is a part of it."""
    gentle_part: Decimal = number("fraction", 0.1, 1)
    """The largest part of the daily dose that a planned step takes away there."""
    hold_days: Decimal = number("days", 1, 60)
    """The days for which the dose before is held where symptoms came back."""
    refill_lead_days: Decimal = number("days", 1, 60)
    """Days before the first uncovered day on which a refill is due."""
    second_call_days: Decimal = number("days", 0, 30)
    """Days before the first uncovered day of the second call."""
    missed_after_days: Decimal = number("days", 0, 30)
    """Days after the first uncovered day of the call about a missed collection."""
    ask_again_after_days: Decimal = number("days", 1, 3650)
    """Days for which a fact that was asked and is not known is not asked again."""
    ask_again_soon_after_days: Decimal = number("days", 1, 365)
    """The same for what may change within weeks."""
    ask_medicines_again_after_days: Decimal = number("days", 1, 365)
    """The same for the list of other medicines."""
    override_holds_days: Decimal = number("days", 1, 3650)
    """Days for which an override holds for who goes on as before."""
    grave_override_holds_days: Decimal = number("days", 1, 3650)
    """The same for the rules of ``two_signatures``."""
    see_again_after_days: Decimal = number("days", 1, 365)
    """Days after which a finding that stays one step milder, and was answered, is acknowledged again."""
    childbearing_from_years: Decimal = number("years", 8, 20)
    """The age from which pregnancy and breast-feeding are asked for."""
    childbearing_to_years: Decimal = number("years", 45, 70)
    """The last such age."""
    watch_after_stop_days: Decimal = number("days", 0, 90)
    """Days for which a stopped course stays on the withdrawal-risk list."""
    two_signatures: tuple[str, ...] | None = codes()
    """Codes of the rules whose overrides two pharmacists sign, where a pharmacy asks for it; None: of no rule."""
