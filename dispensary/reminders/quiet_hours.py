"""Quiet hours and wall-clock time.

A reminder is intended in the patient's wall time; the instant is derived. Three rules decide every odd night:

* a wall time that happens twice means the first of the two; one that does not exist is read with the offset before the
  gap, and so lands later by the gap (RFC 5545 section 3.3.5, PEP 495 with fold=0);
* the quiet window is half-open, ``[start, end)``, and may cross midnight;
* leaving the window means going to its end *as a wall time*, resolved anew, and looking again.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dispensary.models.pharmacy import QuietHours

EVENING_GUARD = timedelta(minutes=15)
_DAY = timedelta(days=1)
_STEP = timedelta(minutes=15)
_MINUTES = [time(minute // 60, minute % 60) for minute in range(24 * 60)]


CAUTIOUS = QuietHours(time(19), time(10))
"""Used when the patient's own zone is unknown: only 10:00 to 19:00 of the pharmacy's day is safe to assume awake."""


def resolve(day: date, wall: time, zone: tzinfo) -> datetime:
    """The instant, in UTC, of a wall time: the first of two, and later by the gap where it does not exist."""
    return datetime.combine(day, wall, tzinfo=zone).astimezone(UTC)


def is_quiet(instant: datetime, zone: tzinfo, quiet: QuietHours) -> bool:
    """Does this instant fall into the window, read in the zone?"""
    return quiet.covers(instant.astimezone(zone).time())


def next_allowed(instant: datetime, zone: tzinfo, quiet: QuietHours) -> datetime:
    """The instant itself when it is outside the window, else the end of that window. In UTC."""
    moment = instant.astimezone(UTC)
    while True:
        local = moment.astimezone(zone)
        if not quiet.covers(local.time()):
            return moment
        crosses = quiet.end <= quiet.start and local.time() >= quiet.start
        end_day = local.date() + _DAY if crosses else local.date()
        end = resolve(end_day, quiet.end, zone)
        if end <= moment:  # we are in the second pass of an hour that happens twice
            end = datetime.combine(end_day, quiet.end.replace(fold=1), tzinfo=zone).astimezone(UTC)
        moment = end if end > moment else moment + _STEP


def prev_allowed(instant: datetime, zone: tzinfo, quiet: QuietHours) -> datetime:
    """The instant itself when it is outside the window, else a quarter of an hour before that window began. In UTC."""
    moment = instant.astimezone(UTC)
    local = moment.astimezone(zone)
    if not quiet.covers(local.time()):
        return moment
    start_day = local.date() if local.time() >= quiet.start else local.date() - _DAY
    before = min(resolve(start_day, quiet.start, zone), moment) - EVENING_GUARD
    while is_quiet(before, zone, quiet):  # the start of the window fell into an hour that happens twice
        before -= _STEP
    return before


def place(
    due: datetime, useful_until: datetime, now: datetime, zone: tzinfo, quiet: QuietHours, *, on_its_day: bool = False
) -> datetime | None:
    """Return when a message due at ``due`` may leave: after the window if still useful then, else before it.

    ``on_its_day``: where the end of the window falls on a later day than ``due``, before it, if that is still ahead.
    ``None`` when neither fits: a person has to call.
    """
    late = next_allowed(max(due, now), zone, quiet)
    early = prev_allowed(max(due, now), zone, quiet)
    moved = late.astimezone(zone).date() > due.astimezone(zone).date()
    if late < useful_until and not (on_its_day and moved and early >= now):
        return late
    return early if now <= early < useful_until else None


@lru_cache(maxsize=4096)
def manners(zone_name: str, pharmacy_zone: str, quiet_from: time, quiet_until: time) -> tuple[ZoneInfo, QuietHours]:
    """The patient's zone and quiet hours. Cautious ones where the window leaves no time to write; where the zone is unknown,
    the hours that both the pharmacy's own and the cautious ones leave.
    """
    zone, is_known = _zone(zone_name), True
    if zone is None:
        zone, is_known = _zone(pharmacy_zone) or ZoneInfo("UTC"), False
    try:
        quiet = QuietHours(quiet_from, quiet_until)
    except ValueError:
        return zone, CAUTIOUS
    return zone, quiet if is_known else cautious(quiet)


class _Narrow(QuietHours):
    """Quiet hours of two windows joined; no limit of length."""

    def __post_init__(self) -> None:
        """Any length."""


def cautious(quiet: QuietHours) -> QuietHours:
    """The longest stretch of the day that is awake by these quiet hours and by the cautious ones; else the cautious ones."""
    best: list[time] = []
    run: list[time] = []
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
