"""Shares, rates and counts of the desk with their 95 % intervals, as words; few cases stay counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dispensary.audit.checks.counts import DWELL_EDGES

Z = 1.96
"""The quantile of 95 % intervals."""
FEWEST = 10
"""Cases below which no share is given: its interval would be wider than half of everything."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, with the Wilson interval of its percentage."""

    part: int
    whole: int

    @property
    def is_stated(self) -> bool:
        return FEWEST <= self.whole >= self.part

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval as fractions."""
        n, p = self.whole, self.part / self.whole
        centre, spread = p + Z * Z / (2 * n), Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        scale = 1 + Z * Z / n
        return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)

    def is_above(self, edge: float, fewest: int) -> bool:
        """Return whether the whole interval lies above an edge, of so many cases at least."""
        return self.whole >= fewest and self.interval[0] > edge

    def __str__(self) -> str:
        if not self.is_stated:
            return f"{self.part} of {self.whole}"
        low, high = (round(100 * edge) for edge in self.interval)
        return f"{round(100 * self.part / self.whole)} % ({low} to {high}), {self.part} of {self.whole}"


@dataclass(frozen=True, slots=True)
class Rate:
    """A number for every hundred of something, which may be above a hundred."""

    number: int
    per: int
    unit: str

    def __str__(self) -> str:
        return f"{100 * self.number / self.per:.1f} for 100 {self.unit}"


def findings_for_one_change(changed: Share) -> str:
    """Return how many findings it takes until one changes something, in words with its interval; "" for too few."""
    if not changed.is_stated:
        return ""
    low, high = changed.interval
    if not changed.part:
        return f"one change in at least {math.floor(1 / high)} findings"
    return f"one change in {round(1 / high)} to {round(1 / low)} findings"


def describe_median(dwell: Mapping[str, int]) -> str:
    """Return the class of the median time on the page in words, pages left open not counted; "" where there are too few."""
    by_class = sorted((int(first), number) for first, number in dwell.items() if int(first) < DWELL_EDGES[-1])
    whole = sum(number for _, number in by_class)
    if whole < FEWEST:
        return ""
    passed = 0
    for first, number in by_class:
        passed += number
        if 2 * passed >= whole:
            return f"median {first} to {next(edge for edge in DWELL_EDGES if edge > first)} s"
    raise AssertionError("a median is one of the classes")


def count_interval(number: int) -> tuple[int, int]:
    """Return the 95 % interval of a count (Poisson, Byar's approximation), rounded outward."""
    low = 0.0 if number == 0 else number * (1 - 1 / (9 * number) - Z / (3 * math.sqrt(number))) ** 3
    upper = number + 1
    high = upper * (1 - 1 / (9 * upper) + Z / (3 * math.sqrt(upper))) ** 3
    return math.floor(low), math.ceil(high)
