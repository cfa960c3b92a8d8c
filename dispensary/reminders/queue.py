"""The statements that claim, begin, finish and give back. Every time in them is the database's.

No UPDATE here tests `state` where it marks a row it already holds: a repeated partial-index predicate makes the planner
walk the lease index. A held row is known by its id and its lease's token; whoever takes it back clears the token.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.db import connection

from dispensary.models.reminders import LET_GO, ReminderKind
from dispensary.models.reminders import DeliveryOutcome as Outcome
from dispensary.models.reminders import ReminderState as State

REFUSALS = f"{Outcome.REFUSED}, {Outcome.UNDELIVERED}, {Outcome.BOUNCED}"
"""An address that ended like this is not tried again for the same reminder in the same round."""

CLAIM = f"""
UPDATE dispensary_reminder
   SET state = {State.LEASED}, lease_token = %s, lease_owner = %s, lease_until = clock_timestamp() + %s
 WHERE id = ANY (ARRAY(
        SELECT id FROM dispensary_reminder
         WHERE state = {State.SCHEDULED} AND due_at <= now()
         ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING id, lease_until
"""  # noqa: S608  (members of our own enums, so that partial indexes are found)

# One statement, one commit: finish the one before, begin the next. The fence: a send begins only if the lease outlives
# the channel's own time limit and the message is still true. No delivery back means: do not send. The row of the one
# before stays leased until its batch is booked: its end stands in the ledger, where whoever finds the lease run out looks.
HAND_OVER = f"""
WITH finished AS (
    UPDATE dispensary_delivery
       SET outcome = GREATEST(outcome, {Outcome.ACCEPTED}), provider_message_id = %(answered)s::text, finished_at = clock_timestamp()
     WHERE id = %(previous_delivery)s::bigint),
moved AS (
    UPDATE dispensary_reminder SET sending_since = clock_timestamp(), attempts = attempts + 1
     WHERE id = %(next)s::bigint AND lease_token = %(token)s::uuid
       AND lease_until > clock_timestamp() + %(send_timeout)s::float8 * interval '1 second'
       AND useful_until > clock_timestamp()
    RETURNING id, attempts, round)
INSERT INTO dispensary_delivery
       (reminder_id, medium, channel, attempt, round, key, contact_id, address_digest, provider_message_id, outcome, error,
        language, words_version, detailed, segments, started_at)
SELECT id, %(medium)s::text, %(channel)s::text, attempts, round, %(key)s::uuid, %(contact)s::uuid, %(digest)s::text, '',
       {Outcome.STARTED}, '', %(language)s::text, %(words)s::text, %(detailed)s::boolean, %(segments)s::smallint,
       clock_timestamp()
  FROM moved
    ON CONFLICT DO NOTHING
RETURNING id, attempt, extract(epoch FROM started_at)::float8
"""  # noqa: S608  (members of our own enums, so that partial indexes are found)

NUDGES = ", ".join(f"'{kind.value}'" for kind in ReminderKind if not kind.matters_for_safety)
"""Only these are held back by the limits of a day and a week, so that only for them what was sent before is looked up."""

# What a batch needs to be written: one row each, with the first address that may be used, if there is one. OFFSET 0 holds
# the planner to one row's patient, and to patient, then reminder, then delivery: with the statistics of tables not counted
# yet it walks all patients, or the whole ledger once for every row, which is the longer the more has been sent.
BATCH = f"""
SELECT r.id, r.public_id, r.kind, r.params, r.round, r.useful_until, r.despite_quiet, r.pharmacy_id, r.patient_id,
       coalesce(nullif(p.time_zone, ''), ph.time_zone), ph.time_zone, p.language, ph.language, ph.name, ph.phone,
       ph.quiet_from, ph.quiet_until, ph.message_at,
       c.id, c.medium, c.address, c.address_digest, c.detail_level,
       CASE WHEN r.kind IN ({NUDGES}) THEN ARRAY(
            SELECT d.started_at
              FROM unnest(others.recent) earlier,
                   LATERAL (SELECT started_at FROM dispensary_delivery
                             WHERE reminder_id = earlier AND outcome IN ({Outcome.STARTED}, {Outcome.ACCEPTED}, {Outcome.DELIVERED})
                               AND started_at > now() - interval '7 days' OFFSET 0) d) END,
       coalesce(others.go_first, false),
       EXISTS (SELECT 1 FROM dispensary_delivery d
                WHERE d.reminder_id = r.id AND d.round = r.round AND d.outcome IN ({REFUSALS})),
       clock_timestamp()
  FROM dispensary_reminder r
  JOIN LATERAL (SELECT * FROM dispensary_patient WHERE id = r.patient_id OFFSET 0) p ON true
  JOIN dispensary_pharmacy ph ON ph.id = r.pharmacy_id
  LEFT JOIN LATERAL (
       SELECT array_agg(id) FILTER (WHERE useful_until > now() - interval '7 days') AS recent,
              bool_or(due_at <= now() AND state IN ({State.SCHEDULED}, {State.LEASED})
                      AND (kind NOT IN ({NUDGES}) OR id < r.id)) AS go_first
         FROM dispensary_reminder
        WHERE r.kind IN ({NUDGES}) AND patient_id = r.patient_id AND id <> r.id) others ON true
  LEFT JOIN LATERAL (
       SELECT point.* FROM dispensary_contactpoint point
         JOIN dispensary_consent said
           ON said.patient_id = point.patient_id AND said.medium = point.medium AND said.answer = 'yes'
        WHERE point.patient_id = r.patient_id AND point.retired_at IS NULL AND point.fault = '' AND point.medium = ANY(%s)
          AND NOT EXISTS (SELECT 1 FROM dispensary_suppression s
                           WHERE s.medium = point.medium AND s.address_digest = point.address_digest)
          AND NOT EXISTS (SELECT 1 FROM dispensary_delivery d
                           WHERE d.reminder_id = r.id AND d.round = r.round AND d.outcome IN ({REFUSALS})
                             AND d.contact_id = point.id)
        ORDER BY point.preference, point.added_at, point.medium, point.id LIMIT 1) c ON true
 WHERE r.id = ANY(%s) AND r.lease_token = %s
 ORDER BY r.due_at, r.id
"""  # noqa: S608  (members of our own enums, so that partial indexes are found)

MARK = f"""
UPDATE dispensary_reminder
   SET state = %s, last_error = %s, due_at = coalesce(%s, due_at), {LET_GO}
 WHERE id = %s AND lease_token = %s
RETURNING id
"""  # noqa: S608  (likewise)

BOOK = f"""
UPDATE dispensary_reminder
   SET state = {State.SENT}, last_error = '', {LET_GO}
 WHERE id = ANY(%s) AND lease_token = %s
RETURNING id
"""  # noqa: S608  (likewise)

# Begun, and not gone: owed again, unless what ended its plan meanwhile could not take it back while it was on its way.
OWE_AGAIN = f"""
UPDATE dispensary_reminder r
   SET state = CASE WHEN plan.ended_at IS NULL THEN {State.SCHEDULED} ELSE {State.WITHDRAWN} END,
       last_error = %s, due_at = coalesce(%s, r.due_at), {LET_GO}
  FROM dispensary_reminderplan plan
 WHERE r.id = %s AND r.lease_token = %s AND plan.id = r.plan_id
RETURNING r.state
"""  # noqa: S608  (members of our own enums, so that partial indexes are found)

MARK_PREFIX = "mark "
"""The rows of these names are places to go on from, and no counters."""
COUNT = """
INSERT INTO dispensary_engineheartbeat (name, at, count) VALUES (%s, clock_timestamp(), %s)
    ON CONFLICT (name) DO UPDATE SET at = EXCLUDED.at, count = dispensary_engineheartbeat.count + EXCLUDED.count
RETURNING at
"""

TURN = """
INSERT INTO dispensary_engineheartbeat (name, at, count) VALUES (%s, clock_timestamp(), 1)
    ON CONFLICT (name) DO UPDATE SET at = EXCLUDED.at, count = dispensary_engineheartbeat.count + 1
         WHERE dispensary_engineheartbeat.at < clock_timestamp() - %s RETURNING at
"""
"""Whose turn it is to do something that happens only so often: a row comes back to one of all who ask."""

LOCK_PATIENT = """
SELECT 1 FROM dispensary_patient WHERE id = (SELECT patient_id FROM dispensary_reminder WHERE id = %s) FOR NO KEY UPDATE
"""

RELEASE = f"""
UPDATE dispensary_reminder
   SET state = {State.SCHEDULED}, {LET_GO}
 WHERE id = ANY(%s) AND lease_token = %s AND sending_since IS NULL
"""  # noqa: S608  (members of our own enums, so that partial indexes are found)

# Leased and run out: certainly unsent. Each dead worker sets its rows a little apart, so that one that kills its workers
# ends up alone and the others go on.
RECLAIM_UNSENT = f"""
UPDATE dispensary_reminder
   SET state = {State.SCHEDULED}, {LET_GO},
       lost_workers = lost_workers + 1,
       due_at = LEAST(useful_until - interval '1 millisecond',
                      CASE WHEN lost_workers < 2 THEN due_at
                           ELSE GREATEST(due_at, now()) + lost_workers * random() * interval '30 seconds' END)
 WHERE id = ANY (ARRAY(
        SELECT id FROM dispensary_reminder
         WHERE state = {State.LEASED} AND sending_since IS NULL AND lease_until < clock_timestamp()
         LIMIT 1000 FOR UPDATE SKIP LOCKED))
RETURNING id, lost_workers
"""  # noqa: S608  (members of our own enums, so that partial indexes are found)

IN_DOUBT = f"""
SELECT r.id, r.lease_token, d.id, d.channel
  FROM dispensary_reminder r
  LEFT JOIN dispensary_delivery d
         ON d.reminder_id = r.id AND d.round = r.round AND d.outcome IN ({Outcome.STARTED}, {Outcome.UNKNOWN})
 WHERE r.state = {State.LEASED} AND r.sending_since IS NOT NULL AND r.lease_until < clock_timestamp()
 ORDER BY r.lease_until LIMIT 200
"""  # noqa: S608  (members of our own enums, so that partial indexes are found)


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's claim on some reminders."""

    token: uuid.UUID
    ids: tuple[int, ...]
    until: datetime | None = None  # where nothing was claimed


@dataclass(frozen=True, slots=True)
class Begun:
    """An intent that has been committed: now, and only now, the provider may be called."""

    delivery: int
    attempt: int
    at: datetime
    to_spare: timedelta  # from now until the lease is too short to send under; negative when it is already


def run(statement: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
    """Run one statement and give its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


class _Kept(threading.local):
    """One cursor for each thread's connection: it knows how to write and read its values from the last time."""

    cursor: psycopg.Cursor[tuple[Any, ...]] | None = None


_kept = _Kept()


def _kept_cursor() -> psycopg.Cursor[tuple[Any, ...]]:
    connection.ensure_connection()
    raw = connection.connection
    if _kept.cursor is None or _kept.cursor.connection is not raw:
        raw.prepare_threshold = 0
        _kept.cursor = psycopg.Cursor(raw)
    return _kept.cursor


def run_prepared(statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    """The same as `run` for what is said again and again: planned once for each connection."""
    cursor = _kept_cursor()
    with connection.wrap_database_errors:
        return cursor.execute(statement, parameters, prepare=True).fetchall()


def hand_over(lease: Lease, parameters: dict[str, Any]) -> Begun | None:
    """Finish the one before and begin the next: one statement, one round trip, one commit.

    Prepared once for each connection, past Django's cursors, which plan every statement anew: that was half of what a
    message cost. Never inside `atomic()`, whose commit would come too late. What statement and commit took is counted
    against the lease, by our own watch.
    """
    if connection.in_atomic_block:
        raise RuntimeError("a hand-over is a transaction of its own")
    cursor = _kept_cursor()
    asked = time.monotonic()
    with connection.wrap_database_errors:
        try:
            cursor.execute(HAND_OVER, parameters, prepare=True)
        except psycopg.errors.UniqueViolation:  # a provider that gives two messages one number: then our key has to do
            cursor.execute(HAND_OVER, parameters | {"answered": ""}, prepare=True)
        row = cursor.fetchone()
    if row is None or lease.until is None:
        return None
    took = timedelta(seconds=time.monotonic() - asked)
    at = datetime.fromtimestamp(row[2], UTC)
    return Begun(row[0], row[1], at, lease.until - at - timedelta(seconds=parameters["send_timeout"]) - took)


def lock_patient(reminder: int) -> None:
    """Let no plan of its patient begin or end until this transaction ends. Before any other lock, as those do who end one."""
    run(LOCK_PATIENT, [reminder])


def owe_again(reminder: int, token: uuid.UUID, *, error: str = "", due_at: datetime | None = None) -> State | None:
    """Give back one that was begun and has not gone, to be sent later; withdrawn where its plan has ended meanwhile.

    In a transaction that began with `lock_patient`. `None` when somebody took it back.
    """
    rows = run(OWE_AGAIN, [error, due_at, reminder, token])
    return State(rows[0][0]) if rows else None


def claim(*, owner: str, count: int, lease: timedelta) -> Lease:
    """Take up to `count` due reminders, skipping those that others hold."""
    token = uuid.uuid4()
    rows = run_prepared(CLAIM, [token, owner, lease, count])
    return Lease(token, tuple(row[0] for row in rows), rows[0][1] if rows else None)


def release(lease: Lease, ids: Sequence[int]) -> None:
    """Give back what was not begun."""
    if ids:
        run(RELEASE, [list(ids), lease.token])


def book(lease: Lease, ids: Sequence[int]) -> set[int]:
    """Move what was accepted to its end, and give what was still ours."""
    return {row[0] for row in run_prepared(BOOK, [list(ids), lease.token])}


def mark(reminder: int, token: uuid.UUID, state: State, *, error: str = "", due_at: datetime | None = None) -> bool:
    """Move a held reminder on and let go of it. False when somebody took it back meanwhile."""
    return bool(run(MARK, [state, error, due_at, reminder, token]))


def count(happened: Mapping[str, int]) -> None:
    """Add to the counters; what has not happened makes no row."""
    for name, times in happened.items():
        if times:
            run(COUNT, [name, times])
