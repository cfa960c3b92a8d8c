"""Connections of the log's database roles, and the logs that the database holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import Connection

from dispensary.errors import NotFound

ALIASES = frozenset({DEFAULT_DB_ALIAS, "owner", "sealer", "eraser"})
"""The databases that this app uses. A site may have others, of any kind."""


@dataclass(frozen=True, slots=True)
class LogRow:
    """A row of `audit.log`. A closed log takes no entries any more.

    Its successor holds `predecessor_note`.
    """

    log_id: UUID
    origin: str
    pharmacy: UUID
    genesis: bytes
    predecessor_note: str = ""
    closed: bool = False


def sealer_alias() -> str:
    """Return the database alias of the sealer's role.

    A site with one role has only the default one.
    """
    return "sealer" if "sealer" in connections else DEFAULT_DB_ALIAS


def owner_alias() -> str:
    """Return the database alias that owns the log.

    A site with one role has only the default one.
    """
    return "owner" if "owner" in connections else DEFAULT_DB_ALIAS


def eraser_alias() -> str:
    """Return the database alias of the role that may erase; the owner's where there is none."""
    return "eraser" if "eraser" in connections else owner_alias()


def writing_roles() -> tuple[str, ...]:
    """Return the database roles of this app's aliases: entries by another one ask for attention."""
    return tuple({str(connections[alias].settings_dict["USER"]) for alias in ALIASES if alias in connections})


def raw_connection(alias: str) -> Connection[Any]:
    """Return the psycopg connection of a Django alias, opened if need be."""
    connections[alias].ensure_connection()
    connection: Connection[Any] = connections[alias].connection
    return connection


def all_logs(connection: Connection[Any], pharmacy: UUID | None = None) -> list[LogRow]:
    """Return every log, closed ones too, by origin.

    Only those of `pharmacy` where one is named.
    """
    rows = connection.execute(
        "SELECT log_id, origin, pharmacy, genesis, coalesce(predecessor_note, ''), closed_at IS NOT NULL FROM audit.log "
        "WHERE %(pharmacy)s::uuid IS NULL OR pharmacy = %(pharmacy)s::uuid ORDER BY origin",
        {"pharmacy": pharmacy},
    ).fetchall()
    return [LogRow(log_id, origin, owner, bytes(genesis), *rest) for log_id, origin, owner, genesis, *rest in rows]


def open_logs(connection: Connection[Any]) -> list[LogRow]:
    """Return the logs that can still grow, by origin."""
    return [log for log in all_logs(connection) if not log.closed]


def log_of(logs: Sequence[LogRow], pharmacy: UUID, origin: str = "") -> LogRow:
    """Return the open log of a pharmacy, or that of this origin, closed or not.

    Raises NotFound.
    """
    for log in logs:
        if log.pharmacy == pharmacy and (log.origin == origin if origin else not log.closed):
            return log
    raise NotFound(f"Pharmacy {pharmacy} has no log {origin}." if origin else f"Pharmacy {pharmacy} has no open log.")
