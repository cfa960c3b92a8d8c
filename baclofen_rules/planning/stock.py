"""The tablets a plan is made of: which doses they give, and which tablets make a dose."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from itertools import combinations_with_replacement, product
from typing import Final, NamedTuple

ZERO: Final = Decimal(0)
MOST_TIMES: Final = 4
"""Doses a day up to which mixed days are looked for."""


class Tablets(NamedTuple):
    """So many tablets of one strength, taken at one time."""

    strength_mg: Decimal
    number: Decimal


Packing = tuple[Tablets, ...]
"""The tablets of one dose, largest strength first."""


class Stock(NamedTuple):
    """One strength, or two that are used together."""

    strengths: tuple[Decimal, ...]
    """Milligrams, largest first."""
    units: tuple[Decimal, ...]
    """The smallest part of each strength that is taken: the tablet, or its half (mg)."""
    largest_dose: Decimal
    """The most that may be taken at one time (mg)."""

    @classmethod
    def of(cls, units: Mapping[Decimal, Decimal], largest_dose: Decimal) -> "Stock":
        """A stock of the strengths in ``units``, each with its smallest part."""
        strengths = tuple(sorted(units, reverse=True))
        return cls(strengths, tuple(units[strength] for strength in strengths), largest_dose)

    @property
    def is_mixed(self) -> bool:
        return len(self.strengths) > 1

    def pack(self, dose: Decimal) -> Packing | None:
        """The tablets that make a dose: without halves if that can be, then as few as can be. None where nothing does."""
        if not self.is_mixed:
            return None if dose % self.units[0] else (Tablets(self.strengths[0], dose / self.strengths[0]),)
        return min(self._packings(dose), key=_packing_cost, default=None)

    def _packings(self, dose: Decimal) -> Iterator[Packing]:
        for parts in product(*(range(int(dose / unit) + 1) for unit in self.units)):
            if sum((part * unit for part, unit in zip(parts, self.units, strict=True)), ZERO) == dose:
                taken = zip(self.strengths, self.units, parts, strict=True)
                yield tuple(Tablets(strength, unit * part / strength) for strength, unit, part in taken if part)

    def split(self, total: Decimal, fewest: int, times: int) -> tuple[Decimal, ...] | None:
        """A day's total as doses that the tablets give, as even as can be, the larger ones later in the day."""
        if self.is_mixed:
            even = _most_even_days(self)[times].get(total) if times <= MOST_TIMES else None
            return even if even is not None and len(even) >= fewest else None
        unit = self.units[0]
        units = int(total / unit)
        if units * unit != total or not units:
            return None
        times = min(times, units)
        small, larger = divmod(units, times)
        doses = (small * unit,) * (times - larger) + ((small + 1) * unit,) * larger
        return None if times < fewest or doses[-1] > self.largest_dose else doses

    def totals(self, most: Decimal, times: int) -> list[Decimal]:
        """Daily totals up to ``most`` that could be split into at most so many doses, and nothing; lowest first."""
        if self.is_mixed:
            return [ZERO, *sorted(total for total in _most_even_days(self)[min(times, MOST_TIMES)] if total <= most)]
        return [level * self.units[0] for level in range(int(most / self.units[0]) + 1)]


@lru_cache(maxsize=256)
def _most_even_days(stock: Stock) -> list[dict[Decimal, tuple[Decimal, ...]]]:
    """For each number of doses a day, the most even day of every total; with fewer doses where no other gives it."""
    grain = min(stock.units) / 2
    sizes = [grain * size for size in range(1, int(stock.largest_dose / grain) + 1)]
    sizes = [dose for dose in sizes if stock.pack(dose) is not None]
    days: list[dict[Decimal, tuple[Decimal, ...]]] = [{}]
    for times in range(1, MOST_TIMES + 1):
        evenest: dict[Decimal, tuple[Decimal, ...]] = {}
        for doses in combinations_with_replacement(sizes, times):
            best = evenest.get(total := sum(doses, ZERO))
            if best is None or doses[-1] - doses[0] < best[-1] - best[0]:
                evenest[total] = doses
        days.append({**days[-1], **evenest})
    return days


def halves(packing: Packing) -> int:
    """Return the number of tablets of a dose that are broken."""
    return sum(bool(tablets.number % 1) for tablets in packing)


def _packing_cost(packing: Packing) -> tuple[int, Decimal, int]:
    return halves(packing), sum((tablets.number for tablets in packing), ZERO), len(packing)
