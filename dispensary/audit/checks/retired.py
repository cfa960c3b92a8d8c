"""Rows whose entries left the log by a retirement that two people signed.

Of an entry that left only its link stays: number, key and time. A dispense names its entry by key. Any other row is taken for one whose entry left
when it was made, by its own key (UUID version 7) or the time that it bears, no later than the last entry of its pharmacy that left; a row that
somebody put in past the actions with an older key cannot be told from those.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection as application_connection
from django.db.models import Model
from django.db.models.functions import Coalesce
from psycopg import Connection

from dispensary.audit.checks.live import grants_about
from dispensary.audit.evidence import verify
from dispensary.audit.log.database import LogRow
from dispensary.models import AccessToken, Override, PriorSupply, SecondSignature

LEEWAY = dt.timedelta(minutes=5)
"""How far the clock of the machine that makes keys may be ahead of the database's [D]."""

_PHARMACY: Mapping[type[Model], Any] = {
    PriorSupply: "patient__pharmacy_id",
    Override: Coalesce("prescription__pharmacy_id", "prior_supply__patient__pharmacy_id"),
    SecondSignature: Coalesce("override__prescription__pharmacy_id", "override__prior_supply__patient__pharmacy_id"),
    AccessToken: "user__dispensary_staff__pharmacy_id",
}
_LAST_GONE = """
    SELECT max(l.recorded_at) FROM audit.link l WHERE l.log_id = %s AND l.seq <= %s AND NOT EXISTS (
        SELECT FROM audit.entry e WHERE e.entry_id = l.entry_id AND e.recorded_at = l.recorded_at)"""
_NAMED = """
    SELECT t.id::text FROM {table} t JOIN audit.link l ON l.entry_id = t.audit_entry
    JOIN unnest(%(logs)s::uuid[], %(lasts)s::bigint[]) AS r(log_id, last) ON r.log_id = l.log_id AND l.seq <= r.last
    WHERE t.id = ANY (%(keys)s::uuid[]) AND NOT EXISTS (
        SELECT FROM audit.entry e WHERE e.entry_id = l.entry_id AND e.recorded_at = l.recorded_at)
    AND NOT EXISTS (SELECT FROM {table} o WHERE o.audit_entry = t.audit_entry AND o.id <> t.id)"""


@dataclass(frozen=True, slots=True)
class RetiredRange:
    """The beginning of a pharmacy's log that left it: entries up to `last`, the last of them recorded at `until`."""

    log_id: UUID
    pharmacy: UUID
    last: int
    until: dt.datetime


def read_retired(
    connection: Connection[Any], logs: Iterable[LogRow], retention: Sequence[verify.Key]
) -> Iterator[RetiredRange]:
    """Yield the ranges that left their logs, as far as two of the people with the keys `retention` signed for it."""
    for log in logs:
        grants = grants_about(connection, log, retention)
        last = max((grant.last for grant in grants if grant.action == verify.RETIRED and not grant.doubt), default=0)
        (until,) = connection.execute(_LAST_GONE, [log.log_id, last]).fetchone() or (None,)
        if until is not None:
            yield RetiredRange(log.log_id, log.pharmacy, last, until)


def find_retired_rows(model: type[Model], moment: str, keys: Sequence[str], ranges: Sequence[RetiredRange]) -> set[str]:
    """Return the rows (by key, as text) whose entries left.

    `moment` is the column with the row's entry (`audit_entry`: a row counts that names it alone), or with its time, or "" for the time in its key.
    """
    if not (keys and ranges):
        return set()
    if moment == "audit_entry":
        values: dict[str, Any] = {
            "keys": keys, "logs": [part.log_id for part in ranges], "lasts": [part.last for part in ranges],
        }  # fmt: skip
        with application_connection.cursor() as cursor:
            cursor.execute(_NAMED.format(table=model._meta.db_table), values)
            return {key for (key,) in cursor.fetchall()}
    ends: dict[UUID, dt.datetime] = {}
    for part in ranges:
        ends[part.pharmacy] = max(part.until + LEEWAY, ends.get(part.pharmacy, part.until))
    rows = model._default_manager.filter(pk__in=keys)
    return {
        str(key)
        for key, pharmacy, column in rows.values_list("pk", _PHARMACY.get(model, "pharmacy_id"), moment or "pk")
        if pharmacy in ends and (at := column if moment else _time_of(key)) is not None and at <= ends[pharmacy]
    }


def _time_of(key: UUID) -> dt.datetime | None:
    return dt.datetime.fromtimestamp((key.int >> 80) / 1000, dt.UTC) if key.version == 7 else None
