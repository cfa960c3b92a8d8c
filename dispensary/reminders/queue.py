"""Calls of the statements in `queue.sql`: claim, begin, finish and give back reminders; counters and turns."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from django.db import IntegrityError, connection, transaction

from dispensary.models.keys import uuid7
from dispensary.models.reminders import ReminderState as State
from dispensary.statements import load_statements

SQL = load_statements(Path(__file__).with_name("queue.sql"))


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


class _ConnectionCursor(threading.local):
    """One cursor for each thread's connection, which keeps its prepared statements and adapters."""

    cursor: psycopg.Cursor[tuple[Any, ...]] | None = None


_connection_cursor = _ConnectionCursor()


def _prepared_cursor() -> psycopg.Cursor[tuple[Any, ...]]:
    connection.ensure_connection()
    raw = connection.connection
    if _connection_cursor.cursor is None or _connection_cursor.cursor.connection is not raw:
        if raw.prepare_threshold is not None:  # the site keeps statements prepared: no pooler mixes them up
            raw.prepare_threshold = 0
        _connection_cursor.cursor = psycopg.Cursor(raw)
    return _connection_cursor.cursor


def run_prepared(statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    """The same as `run` for what is said again and again: planned once for each connection."""
    cursor = _prepared_cursor()
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
    cursor = _prepared_cursor()
    asked = time.monotonic()
    with connection.wrap_database_errors:
        try:
            cursor.execute(SQL["hand_over"], parameters, prepare=True)
        except psycopg.errors.UniqueViolation:  # a provider that gives two messages one number: then our key has to do
            cursor.execute(SQL["hand_over"], parameters | {"answered": ""}, prepare=True)
        row = cursor.fetchone()
    if row is None or lease.until is None:
        return None
    took = timedelta(seconds=time.monotonic() - asked)
    at = datetime.fromtimestamp(row[2], UTC)
    return Begun(row[0], row[1], at, lease.until - at - timedelta(seconds=parameters["send_timeout"]) - took)


def begin_together(lease: Lease, parameters: dict[str, Any]) -> dict[int, Begun] | None:
    """Begin several reminders that leave as one message, in one commit. `None` where one of them must not be sent.

    Not hand over hand: what was accepted before has been finished.
    """
    asked = time.monotonic()
    try:
        with transaction.atomic():
            rows = run(SQL["begin_together"], parameters)
            if len(rows) < len(parameters["ids"]) or lease.until is None:
                return None
            by_reminder = {reminder: delivery for reminder, delivery, *_ in rows}
            lead, *others = [by_reminder[reminder] for reminder in parameters["ids"]]
            run(SQL["name_lead"], [lead, others])
    except IntegrityError:  # one of them has a send alive already
        return None
    left = lease.until - timedelta(seconds=parameters["send_timeout"] + time.monotonic() - asked)
    at = datetime.fromtimestamp(rows[0][3], UTC)
    return {reminder: Begun(delivery, attempt, at, left - at) for reminder, delivery, attempt, _at in rows}


def lock_patient(reminder: int) -> None:
    """Lock the patient of a reminder, so that no plan begins or ends meanwhile. Before any other lock."""
    run(SQL["lock_patient"], [reminder])


def return_begun(reminder: int, token: uuid.UUID, *, error: str = "", due_at: datetime | None = None) -> State | None:
    """Give back one that was begun and has not gone, to be sent later; withdrawn where its plan has ended meanwhile.

    In a transaction that began with `lock_patient`. `None` when somebody took it back.
    """
    rows = run(SQL["return_begun"], [error, due_at, reminder, token])
    return State(rows[0][0]) if rows else None


def claim(*, owner: str, count: int, lease: timedelta) -> Lease:
    """Take up to `count` due reminders, skipping those that others hold, and what else is due at their addresses."""
    token = uuid.uuid4()
    rows = run_prepared(SQL["claim_due"], [token, owner, lease, count])
    ids, until = [row[0] for row in rows], rows[0][1] if rows else None
    if len(ids) == count:  # otherwise all that is due is here, or another worker's
        ids += [row[0] for row in run(SQL["claim_together"], [token, owner, until, ids, count])]
    return Lease(token, tuple(ids), until)


def copy_for_readers(lease: Lease, reminder: int, readers: Sequence[uuid.UUID]) -> None:
    """Owe a reminder of the lease to further readers, each by a copy of its own; twice is once."""
    with transaction.atomic():
        lock_patient(reminder)
        run(
            SQL["copy_for_readers"],
            {
                "reminder": reminder,
                "token": lease.token,
                "public_ids": [uuid7() for _reader in readers],
                "readers": list(readers),
            },
        )


def release(lease: Lease, ids: Sequence[int]) -> None:
    """Give back what was not begun."""
    if ids:
        run(SQL["release_unsent"], [list(ids), lease.token])


def book(lease: Lease, ids: Sequence[int]) -> set[int]:
    """Move what was accepted to its end, and give what was still ours."""
    return {row[0] for row in run_prepared(SQL["book_sent"], [list(ids), lease.token])}


def mark(reminder: int, token: uuid.UUID, state: State, *, error: str = "", due_at: datetime | None = None) -> bool:
    """Move a held reminder on and let go of it. False when somebody took it back meanwhile."""
    return bool(run(SQL["move_reminder"], [state, error, due_at, reminder, token]))


def count(happened: Mapping[str, int]) -> None:
    """Add to the counters; what has not happened makes no row."""
    for name, times in happened.items():
        if times:
            run(SQL["add_to_counter"], [name, times])


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn taken at a time of the database's clock; `position` is where the last one stopped."""

    at: datetime
    position: int


def take_turn(name: str, every: timedelta) -> Turn | None:
    """Return the turn to one of all who ask, when the last one is at least `every` ago; else `None`."""
    rows = run(SQL["take_turn"], [name, every])
    return Turn(*rows[0]) if rows else None
