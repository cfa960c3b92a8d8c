"""The earlier supplies of `baclofen-case/1`: the look back of reviews that were recorded in that format.

Supplies stand end to end, and the latest line says what is taken. Kept as it is, so that recorded reviews replay.
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from baclofen_rules.case import Fill, Relation
from baclofen_rules.supply import cover_end

ZERO = Decimal(0)


class Standing(StrEnum):
    """The standing of the patient with baclofen on the day of the review."""

    NEW = "new"
    """No earlier supply, or a gap beyond the look-back."""
    RESTART = "restart"
    """A gap long enough for tolerance to be lost."""
    CONTINUING = "continuing"


class Past(NamedTuple):
    """Earlier supplies: cover, gap, what is left, what was taken last."""

    is_unknown: bool = False
    standing: Standing | None = None
    """None when the history is unknown."""
    latest: Fill | None = None
    """The latest earlier supply of this course."""
    previous_mg: Decimal = ZERO
    """The most that was taken a day: what a fall is measured from."""
    previous_low_mg: Decimal = ZERO
    """The least that was taken a day: what a rise is measured from."""
    held_days: int = 0
    cover_end: date | None = None
    """The first day that earlier supplies of this course do not cover."""
    left_days: int = 0
    gap_days: int = 0
    concurrent_mg: Decimal = ZERO
    """Daily dose of other supplies that cover today."""


def look_back(history: tuple[Fill, ...] | None, on: date, restart_after: Decimal, new_after: Decimal) -> Past:
    """Return the look back over the lines of a history."""
    if history is None:
        return Past(is_unknown=True)
    own = [fill for fill in history if fill.relation is Relation.SAME_COURSE]
    concurrent_mg = running_mg([fill for fill in history if fill.relation is Relation.CONCURRENT], on)
    if not own:
        return Past(standing=Standing.NEW, concurrent_mg=concurrent_mg)
    latest = own[0]
    for fill in own:
        if fill.dispensed_on >= latest.dispensed_on:
            latest = fill
    end = cover_end(own)
    days = 0 if end is None else (end - on).days
    gap = max(-days, 0)
    paused = Standing.RESTART if gap >= restart_after else Standing.CONTINUING
    return Past(
        standing=Standing.NEW if gap > new_after else paused,
        latest=latest,
        previous_mg=latest.mg_per_day,
        previous_low_mg=latest.mg_per_day,
        held_days=(on - (latest.dose_since or latest.dispensed_on)).days,
        cover_end=end,
        left_days=max(days, 0),
        gap_days=gap,
        concurrent_mg=concurrent_mg,
    )


def running_mg(fills: list[Fill], on: date) -> Decimal:
    """The daily dose of concurrent supplies that cover ``on``.

    A supply fetched early runs on after its own days: when only such left-over tablets cover the day, the latest counts.
    """
    running = [fill for fill in fills if fill.dispensed_on <= on and (on - fill.dispensed_on).days < fill.days_supply]
    if not running:
        end = cover_end(fills)
        if end is not None and end > on:
            running = [max(fills, key=lambda fill: fill.dispensed_on)]
    return sum((fill.mg_per_day for fill in running), ZERO)
