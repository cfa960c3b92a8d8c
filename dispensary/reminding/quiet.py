"""Quiet hours and wall-clock time.

A reminder is intended in the patient's wall time; the instant is derived. Three rules decide every odd night:

* a wall time that happens twice means the first of the two; one that does not exist is read with the offset before the
  gap, and so lands later by the gap (RFC 5545 section 3.3.5, PEP 495 with fold=0);
* the quiet window is half-open, ``[start, end)``, and may cross midnight;
* leaving the window means going to its end *as a wall time*, resolved anew, and looking again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

LONGEST_WINDOW = timedelta(hours=18)
EVENING_GUARD = timedelta(minutes=15)
_DAY = timedelta(days=1)
_STEP = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A daily window ``[start, end)`` of wall time in which no message leaves. ``start == end`` means none.

    Raises ``ValueError`` for a window above 18 hours: what is left would be too short to promise anything.
    """

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError("quiet hours are wall times without a zone")
        if self.length > LONGEST_WINDOW:
            raise ValueError(f"quiet hours from {self.start:%H:%M} to {self.end:%H:%M} exceed 18 hours")

    @property
    def length(self) -> timedelta:
        anchor = date(2000, 1, 1)
        span = datetime.combine(anchor, self.end) - datetime.combine(anchor, self.start)
        return span % _DAY

    def covers(self, wall: time) -> bool:
        """Is this wall time inside the window?"""
        if self.start <= self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end


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
    """When a message due at ``due`` may really leave: after the window if it is still true then, else before it.

    ``on_its_day``: where the end of the window falls on a later day than ``due``, before it, if that is still ahead.
    ``None`` when neither fits: a person has to call.
    """
    late = next_allowed(max(due, now), zone, quiet)
    early = prev_allowed(max(due, now), zone, quiet)
    moved = late.astimezone(zone).date() > due.astimezone(zone).date()
    if late < useful_until and not (on_its_day and moved and early >= now):
        return late
    return early if now <= early < useful_until else None
