"""The earlier supplies of `baclofen-case/1`: the look back of reviews that were recorded in that format.

Supplies stand end to end, and the latest line says what is taken. Kept as it is, so that recorded reviews replay. The order of
lines of one day does not matter: of several strengths they are one supply, of one strength both doses may be the one taken.
An order says one strength only: where it repeats the line of its strength, that line is what it continues.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import groupby, zip_longest
from typing import NamedTuple

from baclofen_rules.case import Fill, Order, Relation
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
    not_repeated: tuple[Fill, ...] = ()
    """Lines of the latest supply, of other tablets than the order repeats, that may still be at home."""


def look_back(
    history: tuple[Fill, ...] | None, on: date, restart_after: Decimal, new_after: Decimal, order: Order | None
) -> Past:
    """Return the look back of an order over the lines of a history."""
    if history is None:
        return Past(is_unknown=True)
    own = [fill for fill in history if fill.relation is Relation.SAME_COURSE]
    beside = [fill for fill in history if fill.relation is Relation.CONCURRENT] if len(own) < len(history) else []
    concurrent_mg = running_mg(beside, on) if beside else ZERO
    if not own:
        return Past(standing=Standing.NEW, concurrent_mg=concurrent_mg)
    lines, own = own, join_strengths(own, order) if len(own) > 1 else own
    last_day = [fill for fill in own if fill.dispensed_on == own[-1].dispensed_on]
    latest = max(last_day, key=lambda fill: (fill.mg_per_day, fill.days_supply)) if len(last_day) > 1 else last_day[0]
    end = cover_end(own)
    days = 0 if end is None else (end - on).days
    gap = max(-days, 0)
    paused = Standing.RESTART if gap >= restart_after else Standing.CONTINUING
    return Past(
        standing=Standing.NEW if gap > new_after else paused,
        latest=latest,
        previous_mg=latest.mg_per_day,
        previous_low_mg=min([fill.mg_per_day for fill in last_day]),
        held_days=(on - max([fill.dose_since or fill.dispensed_on for fill in last_day])).days,
        cover_end=end,
        left_days=max(days, 0),
        gap_days=gap,
        concurrent_mg=concurrent_mg,
        not_repeated=_lines_not_repeated(lines, last_day, on) if len(lines) > len(own) else (),
    )


def _lines_not_repeated(lines: list[Fill], last_day: list[Fill], on: date) -> tuple[Fill, ...]:
    """Return the other lines of the latest supply, where the order repeats one and their tablets may last beyond `on`."""
    end = cover_end(lines)
    if last_day[0] not in lines or end is None or end <= on:
        return ()
    return tuple(fill for fill in lines if fill.dispensed_on == last_day[0].dispensed_on and fill not in last_day)


def join_strengths(fills: Iterable[Fill], order: Order | None) -> list[Fill]:
    """Return the supplies by day; lines of one day that are all of other strengths are one with the sum of the doses.

    It lasts as long as the scarcest of its tablets. The line of which the order repeats strength and dose stands alone.
    """
    regimen = None if order is None else order.regimen
    repeated = None if order is None or regimen is None else (order.strength_mg, regimen.phases[0].mg_per_day)
    joined: list[Fill] = []
    for _, lines in groupby(sorted(fills, key=lambda fill: fill.dispensed_on), key=lambda fill: fill.dispensed_on):
        same_day = list(lines)
        strengths = {fill.strength_mg for fill in same_day}
        if None in strengths or len(strengths) < len(same_day) or len(same_day) == 1:
            joined += same_day
            continue
        own_line = [fill for fill in same_day if (fill.strength_mg, fill.mg_per_day) == repeated]
        if own_line:
            joined += own_line
            continue
        doses = zip_longest(*(fill.doses for fill in same_day), fillvalue=ZERO)
        joined.append(
            replace(
                same_day[0],
                doses=tuple(sum(parts, ZERO) for parts in doses),
                days_supply=min(fill.days_supply for fill in same_day),
                strength_mg=None,
                dose_since=max(fill.dose_since or fill.dispensed_on for fill in same_day),
            )
        )
    return joined


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
