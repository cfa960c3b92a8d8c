"""Errors of the database that are no fault of a request: it is busy, away, starting or full, or its answer to a COMMIT was lost.

Interfaces answer them with 503 and Retry-After. What they say of the request's writes is true: "nothing" only where that is known.
"""

from __future__ import annotations

import traceback

from django.core.signals import request_started
from django.db import DEFAULT_DB_ALIAS, Error, InterfaceError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import receiver

from dispensary.errors import DispensaryError

_TRANSIENT = {"40001", "40P01", "55P03"}
_AWAY = ("08", "53", "57P", "58")
"""Classes of PostgreSQL: connection lost, out of resources (53100 disk full, 53300 connections), shut down or starting, I/O."""
_AWAY_CODES = {"57014", "25P03", "25P04", "25006"}
"""A statement or transaction took too long; the server is read-only, as after a switch to another one."""


class DatabaseBusy(DispensaryError):
    """Somebody else held a row for too long, or two requests met. Nothing was written."""

    code = "busy"
    title = "Somebody else is at it"
    status = 503
    retry_after = 1


class DatabaseAway(DispensaryError):
    """The database does not answer, starts, or has no room. Nothing was written."""

    code = "database-away"
    title = "The database does not answer"
    status = 503
    retry_after = 3


class OutcomeUnknown(DispensaryError):
    """The database went away after the request began to commit: what it wrote may be there or not."""

    code = "outcome-unknown"
    title = "It is not known whether this was written"
    status = 503
    retry_after = 3


def is_transient(error: BaseException) -> bool:
    """Return whether the database's error code says that a retry may succeed."""
    cause = error.__cause__
    table = getattr(getattr(cause, "diag", None), "table_name", None)
    code = sqlstate_of(error)
    return code in _TRANSIENT or (code == "23505" and table == "link")


def sqlstate_of(error: BaseException) -> str:
    """Return PostgreSQL's five characters for an error of Django's; "" where the server sent none."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def count_commit(using: str = DEFAULT_DB_ALIAS) -> None:
    """Count the commit of the present transaction, once it has happened, for `commits`."""
    connection = connections[using]
    transaction.on_commit(lambda: setattr(connection, "dispensary_commits", commits(using) + 1), using=using)


def commits(using: str = DEFAULT_DB_ALIAS) -> int:
    """Return how many transactions with an audit entry this thread has committed since its request began."""
    return getattr(connections[using], "dispensary_commits", 0)


@receiver(request_started, dispatch_uid="dispensary.outages")
def forget_commits(**_: object) -> None:
    """Count anew from the beginning of each request."""
    for connection in connections.all(initialized_only=True):
        connection.dispensary_commits = 0  # type: ignore[attr-defined]  # kept with the thread's connection


def find_outage(error: BaseException, *, writes: bool, has_key: bool = True) -> DispensaryError | None:
    """Return the error of the catalogue for a database error that is no fault of the request; None for any other error.

    `writes` says whether the request changes anything, `has_key` whether it may be repeated under its idempotency key.
    """
    code = sqlstate_of(error)
    is_lost = not code and isinstance(error, OperationalError | InterfaceError)
    is_away = is_lost or code in _AWAY_CODES or code.startswith(_AWAY)
    if not isinstance(error, Error) or not (is_away or is_transient(error)):
        return None
    if writes and (commits() or (is_away and is_committing(error))):
        step = "Send the same key again." if has_key else "Look whether it is there before you send it again."
        return OutcomeUnknown(f"{OutcomeUnknown.title}. {step}")
    done = "Nothing was written. " if writes else ""
    if is_away:
        return DatabaseAway(f"{done}Send the same request again in {DatabaseAway.retry_after} seconds.")
    return DatabaseBusy(f"{done}Send the same request again.")


def is_committing(error: BaseException) -> bool:
    """Return whether an error came in answer to a COMMIT."""
    commit = BaseDatabaseWrapper._commit.__code__  # type: ignore[attr-defined]  # the stubs lack it
    return any(frame.f_code is commit for frame, _ in traceback.walk_tb(error.__traceback__))
