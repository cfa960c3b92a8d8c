"""Django system checks of the audit log, registered by `dispensary.checks`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.utils import Error as DatabaseError
from psycopg import IsolationLevel

from dispensary.audit.checks.catalogue import find_unreleased
from dispensary.audit.log.database import ALIASES, raw_connection
from dispensary.audit.log.reader import UNSIGNED_TOO_LONG, unsigned_since
from dispensary.audit.sealing.anchors import anchor_ages
from dispensary.audit.sealing.cosigning import remote_witness
from dispensary.conf import conf

_OWNERSHIP = """
    SELECT r.rolsuper, coalesce(bool_or(pg_has_role(r.oid, c.relowner, 'MEMBER')), false)
    FROM pg_roles r LEFT JOIN pg_class c ON c.relnamespace = to_regnamespace('audit') AND c.relkind IN ('r', 'p')
    WHERE r.rolname = session_user GROUP BY r.rolsuper"""
_NEXT_MONTH = """
    SELECT to_regclass('audit.entry_' || to_char((now() AT TIME ZONE 'UTC') + interval '1 month', 'YYYY_MM')) IS NOT NULL"""

UNWITNESSED_TOO_LONG = dt.timedelta(hours=1)
_UNWITNESSED = """
    SELECT g.origin FROM audit.log g
    WHERE g.closed_at IS NULL AND EXISTS (
        SELECT FROM audit.checkpoint c WHERE c.log_id = g.log_id AND c.created_at < %s
        AND c.size > coalesce((SELECT max(size) FROM audit.cosignature s WHERE s.log_id = g.log_id AND s.witness = ANY (%s)), 0))
    ORDER BY g.origin"""


def check_settings() -> list[CheckMessage]:
    """Check the settings: PostgreSQL (E002), isolation level (E001), the witness (E009)."""
    messages: list[CheckMessage] = []
    databases: dict[str, dict[str, Any]] = settings.DATABASES
    for alias in sorted(ALIASES & databases.keys()):
        database = databases[alias]
        if "postgresql" not in database["ENGINE"] and "postgis" not in database["ENGINE"]:
            messages.append(
                Error(
                    f"The database '{alias}' is not PostgreSQL.",
                    hint="The audit log rests on PostgreSQL's triggers, privileges and row locks; nothing else will do.",
                    id="dispensary.E002",
                )
            )
            continue
        options = database.get("OPTIONS", {})
        level = options.get("isolation_level", IsolationLevel.READ_COMMITTED)
        if level != IsolationLevel.READ_COMMITTED or "isolation" in str(options.get("options", "")):
            messages.append(
                Error(
                    f"The database '{alias}' does not work at the isolation level READ COMMITTED.",
                    hint="At any other level most concurrent dispenses of a pharmacy would fail. Remove `isolation_level`.",
                    id="dispensary.E001",
                )
            )
    try:
        remote_witness()
    except ImproperlyConfigured as error:
        messages.append(Error(str(error), hint="Until then no checkpoint is cosigned.", id="dispensary.E009"))
    return messages


def check_database(databases: Sequence[str], now: dt.datetime) -> list[CheckMessage]:
    """Check the database: privileges (W001), partitions (W002), anchors (W003), entries that nobody signs (W007), version (W008), the witness (W009).

    Run by `check --database default` and after every `migrate`.
    """
    if "default" not in databases or connections["default"].vendor != "postgresql":
        return []  # of another kind of database E002 says so
    try:
        return [
            *_check_privileges(),
            *_check_partitions(),
            *_check_anchors(now),
            *_check_sealer(now),
            *_check_version(),
            *_check_witness(now),
        ]
    except DatabaseError:
        return []  # not migrated yet: there is no log


def _check_privileges() -> list[CheckMessage]:
    connections["default"].ensure_connection()
    row = raw_connection("default").execute(_OWNERSHIP).fetchone()
    if row is None or not any(row):
        return []
    what = "is a superuser" if row[0] else "owns the tables of the audit log"
    return [
        Warning(
            f"The application's database role {what}.",
            hint="Whoever gets hold of that role can alter the log's tables and switch its guards off; only checkpoints held "
            "elsewhere would show it. `manage.py audit roles --sql` prints the split.",
            id="dispensary.W001",
        )
    ]


def _check_partitions() -> list[CheckMessage]:
    connection = raw_connection("default")
    if connection.execute("SELECT to_regclass('audit.entry') IS NULL").fetchone() == (True,):
        return []
    if connection.execute(_NEXT_MONTH).fetchone() == (True,):
        return []
    return [
        Warning(
            "The audit log has no partition for the next month.",
            hint="Entries go to the default partition meanwhile and nothing is lost, but is the sealer running (`manage.py audit seal`)?",
            id="dispensary.W002",
        )
    ]


def _check_version() -> list[CheckMessage]:
    unreleased = find_unreleased(raw_connection("default"))
    if not unreleased:
        return []
    return [
        Warning(
            f"{unreleased[0].upper()}{unreleased[1:]}.",
            hint="Replaced functions and views of the log are found on the versions of PostgreSQL that the release names. "
            "Until then each `audit verify` ends with status 3 and the audit desk says so.",
            id="dispensary.W008",
        )
    ]


def _check_witness(now: dt.datetime) -> list[CheckMessage]:
    try:
        remote = remote_witness()
    except ImproperlyConfigured:
        return []  # E009 says so
    if remote is None:
        return []
    rows = raw_connection("default").execute(_UNWITNESSED, [now - UNWITNESSED_TOO_LONG, remote.names]).fetchall()
    if not rows:
        return []
    origins = [origin for (origin,) in rows]
    return [
        Warning(
            f"{' and '.join(remote.names)} has not signed for {len(origins)} audit log{'s' if len(origins) > 1 else ''} for more than "
            f"an hour ({', '.join(origins[:3])}{', ...' if len(origins) > 3 else ''}).",
            hint="`manage.py audit cosign ask` tells why: a witness that refuses was shown another history, and is to be asked by telephone.",
            id="dispensary.W009",
        )
    ]


def _check_sealer(now: dt.datetime) -> list[CheckMessage]:
    if raw_connection("default").execute("SELECT to_regclass('audit.checkpoint') IS NULL").fetchone() == (True,):
        return []
    late = [origin for origin, since in unsigned_since().items() if now - since > UNSIGNED_TOO_LONG]
    if not late:
        return []
    return [
        Warning(
            f"Entries of {len(late)} audit log{'s' if len(late) > 1 else ''} have waited for a signature for more than a minute "
            f"({', '.join(late[:3])}{', ...' if len(late) > 3 else ''}).",
            hint="Is the sealer running (`manage.py audit seal`), and what does it report?",
            id="dispensary.W007",
        )
    ]


def _check_anchors(now: dt.datetime) -> list[CheckMessage]:
    connection = raw_connection("default")
    if connection.execute("SELECT to_regclass('audit.delivery') IS NULL").fetchone() == (True,):
        return []
    old = [
        origin
        for origin, age in anchor_ages(connection, now).items()
        if age.total_seconds() > conf().audit_anchor_max_age
    ]
    if not old:
        return []
    hours = conf().audit_anchor_max_age // 3600
    return [
        Warning(
            f"No checkpoint of {len(old)} audit log{'s' if len(old) > 1 else ''} left this site in the last {hours} hours "
            f"({', '.join(old[:3])}{', ...' if len(old) > 3 else ''}).",
            hint="`manage.py audit anchor --mail`, `--print` or `--dir` sends them; once a day, to somebody outside.",
            id="dispensary.W003",
        )
    ]
