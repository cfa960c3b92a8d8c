"""Reads from a copy of the database that follows it: for reports and exports, never for what decides a dispense or stands in the log.

A site names the copy's alias in `DISPENSARY["replica"]`, and `dispensary.replica.ReplicaRouter` in `DATABASE_ROUTERS`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections

from dispensary.conf import conf

T = TypeVar("T")
logger = logging.getLogger(__name__)
_LOOKS, _PAUSE = 5, 0.1  # seconds between looks at a copy that is behind: one that works has caught up by then
_alias: ContextVar[str | None] = ContextVar("replica_alias", default=None)


class ReplicaRouter:
    """Sends the reads of `read_from_replica` to the copy, and nothing else."""

    def db_for_read(self, model: object, **hints: object) -> str | None:
        """Return the copy's alias within `read_from_replica`; None elsewhere."""
        return _alias.get()

    def allow_relation(self, first: object, second: object, **hints: object) -> bool:
        """Allow rows of both sides together: the copy's rows are the same rows."""
        return True

    def allow_migrate(self, db: str, *args: object, **hints: object) -> bool | None:
        """Refuse to migrate the copy, which follows by itself."""
        return False if db == conf().replica else None


def read_from_replica(read: Callable[[], T], *, at_most: timedelta) -> tuple[T, timedelta | None]:
    """Return what `read` makes of the copy's rows, and by how much they are behind; of the primary's and None where the copy cannot serve.

    It cannot where there is none, where it does not answer, is more than `at_most` behind, or ends the read. `read` returns values: a
    row of the copy would be saved to it. With `at_most` zero it reads all that was committed before.
    """
    alias = conf().replica
    if not alias:
        return read(), None
    try:
        lag = measure_lag(alias)
        if lag is not None and lag <= at_most:
            token = _alias.set(alias)
            try:
                return read(), lag
            finally:
                _alias.reset(token)
        logger.warning("The replica is too far behind; the primary is read instead.")
    except (OperationalError, InterfaceError) as error:
        logger.warning("The replica cannot be read (%s); the primary is read instead.", type(error).__name__)
        connections[alias].close()
    return read(), None


def measure_lag(alias: str) -> timedelta | None:
    """Return by how much the copy is behind: zero where it has all that is committed; None where that is not known.

    Raises Django's OperationalError or InterfaceError where it does not answer.
    """
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_flush_lsn(), clock_timestamp()")
        position, now = cursor.fetchone()
    last_commit: Any = None
    for look in range(_LOOKS):
        if look:
            time.sleep(_PAUSE)
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn, pg_last_xact_replay_timestamp()", [position])
            has_all, last_commit = cursor.fetchone()
        if has_all:
            return timedelta()
    return None if last_commit is None else max(now - last_commit, timedelta(microseconds=1))
