"""The limits of a profile for one patient, as the planners need them: mg a day, mg a dose, days."""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal
from itertools import combinations
from typing import Any

from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.planning.model import CannotPlan
from baclofen_rules.planning.stock import Stock
from baclofen_rules.profiles import Profile
from baclofen_rules.profiles.limits import Bands
from baclofen_rules.rulebook import rulebook
from baclofen_rules.rules import (
    dose_per_weight,
    frequency,
    measurable_dose,
    older_adult,
    renal,
    single_dose,
    strength,
    taper_duration,
    taper_interval,
    taper_step,
    titration_interval,
    titration_step,
)
from baclofen_rules.text import format_amount

ZERO = Decimal(0)


class Bounds:
    """The limits of a profile for one patient; for an unknown age the strictest of all ages.

    ``egfr`` in mL/min/1.73 m2 and ``dialysis`` count where they are known.
    """

    def __init__(
        self,
        profile: Profile,
        on: date,
        age: Decimal | None,
        weight: Decimal | None,
        *,
        egfr: Decimal | None = None,
        dialysis: bool = False,
    ) -> None:
        self.profile, self.on, self.age, self.weight = profile, on, age, weight
        self.egfr, self.dialysis = egfr, dialysis
        if profile.medicine.name != BACLOFEN:
            raise CannotPlan("profile", f"{profile.name}, about {profile.medicine.name}", f"a profile of {BACLOFEN}")
        self.book = rulebook(profile, on)

    def list_usable_strengths(self, strengths: Sequence[Decimal]) -> list[Decimal]:
        """Return the strengths in stock that the profile knows. Raises CannotPlan where there is none."""
        listed = self.book.limits_of(strength.RULE).strengths_mg
        usable = [strength_mg for strength_mg in dict.fromkeys(strengths) if strength_mg in listed]
        if not usable:
            stock = ", ".join(format_amount(strength_mg) for strength_mg in strengths) or "none"
            raise CannotPlan(
                "strengths", f"{stock} mg", f"{' or '.join(format_amount(strength_mg) for strength_mg in listed)} mg"
            )
        return usable

    def find_smallest_dose(self, strength_mg: Decimal) -> Decimal:
        """Return the smallest dose that a tablet gives: half of it where it may be halved."""
        return strength_mg / 2 if strength_mg in self.book.limits_of(measurable_dose.RULE).halvable_mg else strength_mg

    def list_stocks(self, strengths: Sequence[Decimal], whole_tablets: bool, together: int) -> list[Stock]:
        """Return a stock of each strength alone, then of every choice of up to ``together`` of them."""
        units = {
            strength_mg: strength_mg if whole_tablets else self.find_smallest_dose(strength_mg)
            for strength_mg in self.list_usable_strengths(strengths)
        }
        choices = [choice for count in range(1, together + 1) for choice in combinations(units, count)]
        return [
            Stock.of({strength_mg: units[strength_mg] for strength_mg in choice}, self.max_single_mg)
            for choice in choices
        ]

    @property
    def stop_free_mg(self) -> Decimal:
        """The daily dose that may end without a taper."""
        return self.book.terms.stop_free_mg_per_day

    def planned_days(self, treated_days: int | None) -> int:
        """Return the days of a taper to nothing where no other length was wished, after so many days of treatment."""
        terms = self.book.terms
        is_long = treated_days is not None and treated_days > terms.long_treatment_days
        return whole(terms.planned_long_taper_days if is_long else terms.planned_taper_days)

    @property
    def needs_slow_rise(self) -> bool:
        """True where a rise takes the slow step or interval: an older patient, or impaired kidneys."""
        is_older = self.age is not None and self.age >= self.book.limits_of(older_adult.RULE).from_years
        return is_older or self.renal_limit_mg is not None

    @property
    def renal_limit_mg(self) -> Decimal | None:
        """The daily dose for impaired kidneys: on dialysis or with a severely low eGFR the most, with a moderately low one the
        first that needs an override. None where the kidneys are not known to be impaired."""
        limits = self.book.limits_of(renal.RULE)
        if self.dialysis or (self.egfr is not None and self.egfr < limits.severe_below_egfr):
            return limits.low_dose_mg_per_day
        if self.egfr is not None and self.egfr < limits.moderate_below_egfr:
            return limits.high_dose_mg_per_day
        return None

    def exceeds_renal_limit(self, mg_per_day: Decimal) -> bool:
        """Return whether a daily dose needs an override for impaired kidneys."""
        limits = self.book.limits_of(renal.RULE)
        limit_mg = self.renal_limit_mg
        if limit_mg is None:
            return False
        return mg_per_day > limit_mg if limit_mg == limits.low_dose_mg_per_day else mg_per_day >= limit_mg

    @property
    def max_fall_mg(self) -> Decimal:
        """The largest step down, mg a day."""
        return self.book.limits_of(taper_step.RULE).max_fall_mg_per_day

    @property
    def min_fall_days(self) -> int:
        """The fewest days between two steps down."""
        return whole(self.book.limits_of(taper_interval.RULE).min_days)

    @property
    def min_taper_days(self) -> int:
        """The fewest days of a taper to nothing."""
        return whole(self._limit_at_age(self.book.limits_of(taper_duration.RULE).min_days, max) or ZERO)

    @property
    def max_rise_mg(self) -> Decimal:
        """The largest step up, mg a day."""
        bands = self.book.limits_of(titration_step.RULE).max_rise_mg_per_day
        step = self._limit_at_age(bands, min)
        step = step if step is not None else min(limit for _, limit in bands.rows if limit is not None)
        slow = self.book.limits_of(older_adult.RULE).slow_rise_mg_per_day
        return min(step, slow) if self.needs_slow_rise and slow is not None else step

    @property
    def min_rise_days(self) -> int:
        """The fewest days between two steps up."""
        days = whole(self._limit_at_age(self.book.limits_of(titration_interval.RULE).min_days, max) or ZERO)
        slow = self.book.limits_of(older_adult.RULE)
        if self.needs_slow_rise and slow.slow_rise_mg_per_day is None:
            return max(days, whole(slow.slow_interval_days))
        return days

    @property
    def max_start_mg(self) -> Decimal:
        """The highest daily dose at a start. Raises CannotPlan where it goes by an unknown weight."""
        terms = self.book.terms
        fixed = self._limit_at_age(terms.start_mg_per_day, min)
        per_kg = self._limit_at_age(terms.start_mg_per_kg_per_day, min)
        if fixed is not None:
            return fixed
        if per_kg is None:
            return self.max_mg_for_age
        if self.weight is None:
            raise CannotPlan("weight", "unknown", "the weight in kg: the start goes by it at this age")
        return per_kg * self.weight * (1 + terms.start_rounding)

    @property
    def max_mg_for_age(self) -> Decimal:
        """The daily maximum of the age. Raises CannotPlan for an age without one."""
        bands = self.book.terms.max_mg_per_day
        most = self._limit_at_age(bands, min)
        if most is None:
            age = "unknown" if self.age is None else f"{format_amount(self.age)} years"
            with_limit = [ages.low for ages, limit in bands.rows if limit is not None]
            older = [low for low in with_limit if self.age is not None and low > self.age]
            expected = f"{format_amount(older[0])} years or more" if older else "another profile"
            raise CannotPlan("age", age, f"{expected}: the profile {self.profile.name} has no daily maximum here")
        return most

    @property
    def max_mg(self) -> Decimal:
        """The highest daily dose of a plan: the maximum of the age, that of the weight where it is known, and what the
        largest single doses of a day add up to. With an unknown age it is what no age may pass."""
        bands = self.book.terms.max_mg_per_day
        most = self._limit_at_age(bands, max) if self.age is None else bands.nearest(self.age)
        per_kg = self.book.limits_of(dose_per_weight.RULE).max_mg_per_kg_per_day.at(self.age)
        by_weight = None if per_kg is None or self.weight is None else per_kg * self.weight
        by_doses = self.max_single_mg * self.doses_allowed()[1]
        return min([limit for limit in (most, by_weight, by_doses) if limit is not None])

    def doses_allowed(self) -> tuple[int, int]:
        """Return the fewest and the most doses a day; with an unknown age the patient keeps their own times."""
        limits = self.book.limits_of(frequency.RULE)
        fewest, most = self._limit_at_age(limits.min_per_day, max), self._limit_at_age(limits.max_per_day, max)
        return whole(fewest or Decimal(1)), whole(most or Decimal(24))

    @property
    def max_single_mg(self) -> Decimal:
        """The largest dose at one time."""
        return self.book.limits_of(single_dose.RULE).max_mg

    def _limit_at_age(self, bands: Bands[Decimal], strictest: Any) -> Decimal | None:
        if self.age is not None:
            return bands.at(self.age)
        limits = [limit for _, limit in bands.rows if limit is not None]
        return strictest(limits) if limits else None


def whole(days: Decimal) -> int:
    """Return whole days, rounded up."""
    return int(days.to_integral_value(rounding=ROUND_CEILING))
