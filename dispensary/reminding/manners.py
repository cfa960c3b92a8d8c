"""In whose time, and in which hours, a message may leave."""

from __future__ import annotations

from datetime import time
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dispensary.reminding.quiet import CAUTIOUS, QuietHours

_MINUTES = [time(minute // 60, minute % 60) for minute in range(24 * 60)]


@lru_cache(maxsize=4096)
def manners(zone_name: str, pharmacy_zone: str, quiet_from: time, quiet_until: time) -> tuple[ZoneInfo, QuietHours]:
    """The patient's zone and quiet hours. Cautious ones where the window leaves no time to write; where the zone is unknown,
    the hours that both the pharmacy's own and the cautious ones leave.
    """
    zone, known = _zone(zone_name), True
    if zone is None:
        zone, known = _zone(pharmacy_zone) or ZoneInfo("UTC"), False
    try:
        quiet = QuietHours(quiet_from, quiet_until)
    except ValueError:
        return zone, CAUTIOUS
    return zone, quiet if known else cautious(quiet)


class _Narrow(QuietHours):
    """What two windows leave may be less than one window may leave alone."""

    def __post_init__(self) -> None:
        """Any length."""


def cautious(quiet: QuietHours) -> QuietHours:
    """The longest stretch of the day that is awake by these quiet hours and by the cautious ones; else the cautious ones."""
    best, run = [], []
    for wall in _MINUTES:
        run = [] if CAUTIOUS.covers(wall) or quiet.covers(wall) else [*run, wall]
        best = max(best, run, key=len)
    if not best:
        return CAUTIOUS
    after = _MINUTES[_MINUTES.index(best[-1]) + 1]  # never midnight: the cautious hours end in the evening
    return _Narrow(start=after, end=best[0])


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
