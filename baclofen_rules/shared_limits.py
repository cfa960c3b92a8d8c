"""The numbers that several rules share: the section ``terms`` of a profile."""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.profiles.limits import Bands, by_age, codes, number


@dataclass(frozen=True, slots=True)
class SharedLimits:
    """Numbers that several rules share."""

    max_mg_per_day: Bands[Decimal] = by_age("mg/day", 1, 1000, words="daily maximum")
    start_mg_per_day: Bands[Decimal] = by_age("mg/day", 1, 1000, words="highest starting dose a day")
    start_mg_per_kg_per_day: Bands[Decimal] = by_age(
        "mg/kg/day", 0.01, 10, words="highest starting dose a day by weight"
    )
    start_rounding: Decimal = number(
        "fraction", 0, 1, words="part by which a starting dose by weight may be rounded up"
    )
    restart_after_days: Decimal = number(
        "days", 1, 365, words="days without tablets after which treatment starts again"
    )
    new_after_days: Decimal = number("days", 1, 3650, words="days without tablets after which a patient counts as new")
    stop_free_mg_per_day: Decimal = number("mg/day", 0, 30, words="daily dose that may end without a taper")
    planned_taper_days: Decimal = number(
        "days", 7, 120, words="days of a taper to nothing that is planned without a wish"
    )
    planned_long_taper_days: Decimal = number("days", 7, 180, words="days of a planned taper after a long treatment")
    long_treatment_days: Decimal = number("days", 7, 365, words="days from which a treatment is a long one")
    gentle_from_mg_per_day: Decimal = number(
        "mg/day", 1, 100, words="daily dose from which on down a planned step is a part of it"
    )
    gentle_part: Decimal = number(
        "fraction", 0.1, 1, words="largest part of the daily dose that such a step takes away"
    )
    hold_days: Decimal = number("days", 1, 60, words="days for which the dose before is held where symptoms came back")
    refill_lead_days: Decimal = number(
        "days", 1, 60, words="days before the first uncovered day on which a refill is due"
    )
    second_call_days: Decimal = number("days", 0, 30, words="days before the first uncovered day of the second call")
    missed_after_days: Decimal = number(
        "days", 0, 30, words="days after the first uncovered day of the call about a missed collection"
    )
    ask_again_after_days: Decimal = number(
        "days", 1, 3650, words="days for which a fact that is not known is not asked again"
    )
    ask_again_soon_after_days: Decimal = number("days", 1, 365, words="the same for facts that may change within weeks")
    ask_medicines_again_after_days: Decimal = number("days", 1, 365, words="the same for the list of other medicines")
    override_holds_days: Decimal = number(
        "days", 1, 3650, words="days for which an override holds for who goes on as before"
    )
    grave_override_holds_days: Decimal = number(
        "days", 1, 3650, words="the same for rules of which two pharmacists sign"
    )
    see_again_after_days: Decimal = number(
        "days", 1, 365, words="days after which a finding that was answered and is milder is acknowledged again"
    )
    childbearing_from_years: Decimal = number(
        "years", 8, 20, words="age from which pregnancy and breast-feeding are asked for"
    )
    childbearing_to_years: Decimal = number("years", 45, 70, words="last age at which they are asked for")
    watch_after_stop_days: Decimal = number(
        "days", 0, 90, words="days for which a stopped course stays on the withdrawal-risk list"
    )
    two_signatures: tuple[str, ...] | None = codes(
        words="rules whose overrides two pharmacists sign, where a pharmacy asks for it"
    )
