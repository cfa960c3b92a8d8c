"""The present time: the database's, asked once by each interface and passed on to the actions as `now`.

Servers that share a database share its clock. One whose own clock is a minute off would date prints, codes and certificates otherwise than the
records: it changes nothing until its clock is put right.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import DateTimeField, Func
from django.utils import timezone

from dispensary.errors import DispensaryError, Problem

MOST_SKEW = timedelta(minutes=1)


class ClockSkew(DispensaryError):
    """The clocks of this server and of the database differ. Nothing was written."""

    code = "clock-skew"
    title = "The clock of this server is wrong"
    status = 503


def clock_expression() -> Func:
    """Return the database's present time as an expression: it costs a query that is made anyway no second one."""
    return Func(function="clock_timestamp", output_field=DateTimeField())


def read_clock(using: str = DEFAULT_DB_ALIAS) -> datetime:
    """Return the present time of the database, asked through the connection of this alias."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row: tuple[datetime] = cursor.fetchone()
    return row[0]


def skew_of(moment: datetime) -> timedelta:
    """Return by how much this server is ahead of the database, where that is more than a minute; else zero."""
    skew = timezone.now() - moment
    return skew if abs(skew) > MOST_SKEW else timedelta()


def refuse_skew(moment: datetime) -> None:
    """Raise `ClockSkew` where this server's clock is more than a minute from the database's."""
    if skew := skew_of(moment):
        raise ClockSkew(
            f"The clock of this server is {describe_skew(skew)}. Nothing was written.",
            Problem(
                "",
                "",
                "A clock within a minute of the database's",
                "Have whoever runs the server look at its time service.",
            ),
        )


def describe_skew(skew: timedelta) -> str:
    """Return a skew in words: "3 min ahead of the database's"."""
    seconds = abs(skew).total_seconds()
    size = f"{seconds / 86400:.0f} days" if seconds >= 2 * 86400 else f"{seconds / 60:.0f} min"
    return f"{size} {'ahead of' if skew > timedelta() else 'behind'} the database's"
