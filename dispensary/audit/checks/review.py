"""Daily review of the log: counts, and entries that need a person's attention.

It counts, and picks out what rules on electronic records want reviewed: refused sign-ins and
accesses, changed access and settings, overrides, late entries, writers that are not the application, interference.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from psycopg import Connection

from dispensary.actors import Actor
from dispensary.audit.log.database import raw_connection
from dispensary.audit.log.events import Event
from dispensary.audit.log.writer import SITE, Subject, record
from dispensary.models import Pharmacy

MANY_REFUSALS = 5
"""Refused sign-ins from one station, or refused accesses of one person, in a day that ask for attention."""

LATE = dt.timedelta(minutes=5)
"""An entry recorded so much later than it says to have happened, or before it, is pointed out."""

_ALWAYS = (
    Event.INTERFERENCE,
    Event.ERASED,
    Event.RETIRED,
    Event.INCARNATION_OPENED,
    Event.KEY_ROTATED,
    Event.ACCESS_CHANGED,
    Event.PROFILE_CHANGED,
    Event.SETTINGS_CHANGED,
    Event.OVERRIDE_ALONE,
    Event.RECORD_BROKEN_INTO,
)
_DAY = "l.pharmacy = %(pharmacy)s AND l.recorded_at >= %(since)s AND l.recorded_at < %(until)s"
_NEWEST = "(array_agg(l.entry_id ORDER BY l.seq DESC NULLS LAST))[1]"
_COUNTS = f"SELECT l.action, l.outcome, count(*) FROM audit.line l WHERE {_DAY} GROUP BY 1, 2 ORDER BY 1, 2"  # noqa: S608  (our own constants)
_OVERRIDES = f"""
    SELECT l.actor, count(*) FROM audit.line l WHERE {_DAY} AND l.action = 'override.signed' GROUP BY 1 ORDER BY 2 DESC, 1"""  # noqa: S608  (our own constants)
_REFUSED = f"""
    SELECT l.action, CASE WHEN l.action = 'auth.refused' THEN coalesce(l.station, l.subject_id) ELSE l.actor END, count(*), max(l.seq), {_NEWEST}
    FROM audit.line l WHERE {_DAY} AND l.action IN ('auth.refused', 'access.refused', 'signature.refused')
    GROUP BY 1, 2 HAVING count(*) >= {MANY_REFUSALS} ORDER BY 3 DESC"""  # noqa: S608  (our own constants)
_ODD = f"""
    SELECT l.seq, l.entry_id, l.action, l.actor FROM audit.line l
    WHERE {_DAY} AND l.action = ANY (%(always)s) ORDER BY l.seq"""  # noqa: S608  (our own constants)
_LATE = f"""
    SELECT l.seq, l.entry_id, l.action, l.recorded_at - l.occurred_at FROM audit.line l
    WHERE {_DAY} AND l.recorded_at - l.occurred_at NOT BETWEEN -%(late)s::interval AND %(late)s::interval ORDER BY l.seq"""  # noqa: S608  (our own constants)
_WRITERS = f"SELECT l.db_role, count(*), max(l.seq), {_NEWEST} FROM audit.line l WHERE {_DAY} GROUP BY 1 ORDER BY 1"  # noqa: S608  (our own constants)


@dataclass(frozen=True, slots=True)
class Point:
    """One entry that needs attention: the reason in words, its number in its log, and its key."""

    why: str
    seq: int
    entry: UUID


@dataclass(frozen=True, slots=True)
class Day:
    """A day of one pharmacy's log."""

    pharmacy: UUID
    since: dt.datetime
    until: dt.datetime
    counts: dict[str, int]
    overrides: dict[str, int]
    writers: dict[str, int]
    points: tuple[Point, ...]

    def body(self) -> dict[str, Any]:
        """Return the body of the entry that records this review."""
        return {
            "since": self.since,
            "until": self.until,
            "counts": self.counts,
            "overrides": self.overrides,
            "writers": self.writers,
            "points": [{"why": point.why, "seq": point.seq} for point in self.points],
        }


def review_day(
    connection: Connection[Any],
    pharmacy: UUID,
    since: dt.datetime,
    until: dt.datetime,
    *,
    writers: tuple[str, ...] = (),
) -> Day:
    """Review what was recorded from `since` until before `until`.

    `writers` are the database roles that may write; an entry by another one is pointed out.
    """
    values = {
        "pharmacy": pharmacy, "since": since, "until": until, "late": LATE, "always": [event.value for event in _ALWAYS],
    }  # fmt: skip
    counts = {
        action if outcome == "success" else f"{action} ({outcome})": count
        for action, outcome, count in connection.execute(_COUNTS, values).fetchall()
    }
    by_role = connection.execute(_WRITERS, values).fetchall()
    points = [
        Point(f"{action} by {actor}", seq, entry)
        for seq, entry, action, actor in connection.execute(_ODD, values).fetchall()
    ]
    points += [
        Point(f"{action} of {who}, {count} times", seq, entry)
        for action, who, count, seq, entry in connection.execute(_REFUSED, values).fetchall()
    ]
    points += [
        Point(f"{action} recorded {_describe_delay(late)} it is said to have happened", seq, entry)
        for seq, entry, action, late in connection.execute(_LATE, values).fetchall()
    ]
    if writers:
        points += [
            Point(f"{count} entries written by {role}", seq, entry)
            for role, count, seq, entry in by_role
            if role not in writers
        ]
    return Day(
        pharmacy, since, until, counts, dict(connection.execute(_OVERRIDES, values).fetchall()),
        {role: count for role, count, _, _ in by_role}, tuple(sorted(points, key=lambda point: point.seq)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PharmacyDay:
    """The reviewed day of one pharmacy, or of the site itself."""

    name: str
    day: dt.date
    counted: Day


def review_pharmacies(day: dt.date | None, *, writers: tuple[str, ...], now: dt.datetime) -> Iterator[PharmacyDay]:
    """Review a day of every pharmacy and of the site itself, and record each review.

    None: yesterday.
    A day is one of the pharmacy's own time zone. `writers` as in `review_day`.
    """
    pharmacies = [(pharmacy.pk, pharmacy.name, pharmacy.time_zone) for pharmacy in Pharmacy.objects.order_by("name")]
    for pharmacy_id, name, time_zone in (*pharmacies, (SITE, "The site itself", "UTC")):
        zone = ZoneInfo(time_zone)
        reviewed = day or now.astimezone(zone).date() - dt.timedelta(days=1)
        since, until = (
            dt.datetime.combine(date, dt.time(), tzinfo=zone).astimezone(dt.UTC)
            for date in (reviewed, reviewed + dt.timedelta(days=1))
        )
        counted = review_day(raw_connection("default"), pharmacy_id, since, until, writers=writers)
        yield PharmacyDay(name, reviewed, counted)
        with transaction.atomic():
            record(
                Event.LOG_REVIEWED,
                pharmacy=pharmacy_id,
                by=Actor.system("review", pharmacy_id),
                now=now,
                subject=Subject("day", reviewed.isoformat()),
                body=counted.body(),
            )


def _describe_delay(late: dt.timedelta) -> str:
    minutes = abs(late) // dt.timedelta(minutes=1)
    return f"{minutes} minutes {'after' if late > dt.timedelta() else 'before'}"
