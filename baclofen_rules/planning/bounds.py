"""A profile's numbers for one patient, as a planner needs them."""

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal
from itertools import combinations
from typing import Any

from baclofen_rules.planning.model import CannotPlan
from baclofen_rules.planning.stock import Stock
from baclofen_rules.profiles import Profile
from baclofen_rules.profiles.limits import Bands
from baclofen_rules.rulebook import rulebook
from baclofen_rules.rules import (
    dose_per_weight,
    frequency,
    measurable_dose,
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
    """The profile's numbers for one patient; an unknown age gets the strictest of all ages."""

    def __init__(self, profile: Profile, on: date, age: Decimal | None, weight: Decimal | None) -> None:
        self.profile, self.on, self.age, self.weight = profile, on, age, weight
        self.book = rulebook(profile, on)

    def usable(self, strengths: Sequence[Decimal]) -> list[Decimal]:
        """The strengths in stock that the profile knows."""
        listed = self.book.limits_of(strength.RULE).strengths_mg
        usable = [strength_mg for strength_mg in dict.fromkeys(strengths) if strength_mg in listed]
        if not usable:
            stock = ", ".join(format_amount(strength_mg) for strength_mg in strengths) or "none"
            raise CannotPlan(
                "strengths", f"{stock} mg", f"{' or '.join(format_amount(strength_mg) for strength_mg in listed)} mg"
            )
        return usable

    def grid(self, strength_mg: Decimal) -> Decimal:
        """The smallest dose that the tablet gives."""
        return strength_mg / 2 if strength_mg in self.book.limits_of(measurable_dose.RULE).halvable_mg else strength_mg

    def stocks(self, strengths: Sequence[Decimal], whole_tablets: bool, together: int) -> list[Stock]:
        """Each strength alone, then every choice of up to ``together`` of them."""
        units = {
            strength_mg: strength_mg if whole_tablets else self.grid(strength_mg)
            for strength_mg in self.usable(strengths)
        }
        chosen = [few for count in range(1, together + 1) for few in combinations(units, count)]
        return [Stock.of({strength_mg: units[strength_mg] for strength_mg in few}, self.single) for few in chosen]

    @property
    def fall(self) -> Decimal:
        return self.book.limits_of(taper_step.RULE).max_fall_mg_per_day

    @property
    def fall_days(self) -> int:
        return whole(self.book.limits_of(taper_interval.RULE).min_days)

    @property
    def taper_days(self) -> int:
        return whole(self._at(self.book.limits_of(taper_duration.RULE).min_days, max) or ZERO)

    @property
    def rise(self) -> Decimal:
        bands = self.book.limits_of(titration_step.RULE).max_rise_mg_per_day
        step = self._at(bands, min)
        return step if step is not None else min(limit for _, limit in bands.rows if limit is not None)

    @property
    def rise_days(self) -> int:
        return whole(self._at(self.book.limits_of(titration_interval.RULE).min_days, max) or ZERO)

    @property
    def start(self) -> Decimal:
        """The highest daily dose to begin with."""
        terms = self.book.terms
        fixed = self._at(terms.start_mg_per_day, min)
        per_kg = self._at(terms.start_mg_per_kg_per_day, min)
        if fixed is not None:
            return fixed
        if per_kg is None:
            return self.most
        if self.weight is None:
            raise CannotPlan("weight", "unknown", "the weight in kg: the start goes by it at this age")
        return per_kg * self.weight * (1 + terms.start_rounding)

    @property
    def most(self) -> Decimal:
        """The daily maximum."""
        most = self._at(self.book.terms.max_mg_per_day, min)
        if most is None:
            age = "unknown" if self.age is None else f"{format_amount(self.age)} years"
            raise CannotPlan("age", age, "an age for which the profile has a daily maximum")
        return most

    @property
    def top(self) -> Decimal:
        """The highest daily dose of a plan: the maximum of the age, that of the weight where it is known, and what the
        largest single doses of a day add up to. With an unknown age it is what no age may pass."""
        bands = self.book.terms.max_mg_per_day
        most = self._at(bands, max) if self.age is None else bands.nearest(self.age)
        per_kg = (
            None if self.age is None else self.book.limits_of(dose_per_weight.RULE).max_mg_per_kg_per_day.at(self.age)
        )
        by_weight = None if per_kg is None or self.weight is None else per_kg * self.weight
        by_doses = self.single * self.doses_allowed()[1]
        return min([limit for limit in (most, by_weight, by_doses) if limit is not None])

    def doses_allowed(self) -> tuple[int, int]:
        """The fewest and the most doses a day; with an unknown age the patient keeps their own times."""
        limits = self.book.limits_of(frequency.RULE)
        fewest, most = self._at(limits.min_per_day, max), self._at(limits.max_per_day, max)
        return whole(fewest or Decimal(1)), whole(most or Decimal(24))

    @property
    def single(self) -> Decimal:
        return self.book.limits_of(single_dose.RULE).max_mg

    def _at(self, bands: Bands[Decimal], strictest: Any) -> Decimal | None:
        if self.age is not None:
            return bands.at(self.age)
        limits = [limit for _, limit in bands.rows if limit is not None]
        return strictest(limits) if limits else None


def whole(days: Decimal) -> int:
    """Whole days, rounded up."""
    return int(days.to_integral_value(rounding=ROUND_CEILING))
