"""Protection of the log as facts for its entries: owners, guards, clock.

Recorded once a day. Two days differ when a guard was replaced, a role was widened or the owner changed; not when a guard was
dropped and put back in between.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import sys
from typing import Any

from psycopg import Connection

from dispensary.audit.log.writer import VERSION

_FUNCTIONS = """
    SELECT p.oid::regprocedure::text, encode(sha256(convert_to(pg_get_functiondef(p.oid), 'UTF8')), 'hex')
    FROM pg_proc p WHERE p.pronamespace = 'audit'::regnamespace AND p.prokind = 'f' ORDER BY 1"""
_TRIGGERS = """
    SELECT c.relname || '.' || t.tgname, t.tgenabled::text
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'audit'::regnamespace AND NOT t.tgisinternal ORDER BY 1"""
_OWNERS = """
    SELECT DISTINCT pg_get_userbyid(o.owner) FROM (
        SELECT relowner AS owner FROM pg_class WHERE relnamespace = 'audit'::regnamespace
        UNION SELECT proowner FROM pg_proc WHERE pronamespace = 'audit'::regnamespace
        UNION SELECT nspowner FROM pg_namespace WHERE nspname = 'audit') AS o ORDER BY 1"""
_WRITERS = """
    SELECT DISTINCT pg_get_userbyid(a.grantee) FROM pg_proc p CROSS JOIN LATERAL aclexplode(p.proacl) a
    WHERE p.oid = 'audit.append'::regproc AND a.privilege_type = 'EXECUTE' AND a.grantee <> 0 ORDER BY 1"""
_POWERS = """
    SELECT r.rolname, r.rolsuper, coalesce(
        (SELECT array_agg(g.rolname::text ORDER BY g.rolname) FROM pg_auth_members m
         JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid), '{}')
    FROM pg_roles r WHERE r.rolname = ANY (%s) ORDER BY 1"""
_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2)


def read_posture(connection: Connection[Any], now: dt.datetime) -> dict[str, Any]:
    """Return the facts as the body of an entry.

    `now` is compared with the database's clock.
    """
    owners = [row[0] for row in connection.execute(_OWNERS).fetchall()]
    writers = [row[0] for row in connection.execute(_WRITERS).fetchall()]
    powers = connection.execute(_POWERS, [sorted({*owners, *writers})]).fetchall()
    server = connection.execute("SELECT clock_timestamp(), version(), current_setting('server_version')").fetchone()
    if server is None:
        raise LookupError("the database does not tell its time")
    return {
        "functions": dict(connection.execute(_FUNCTIONS).fetchall()),
        "triggers": dict(connection.execute(_TRIGGERS).fetchall()),
        "owners": owners,
        "writers": writers,
        "roles": {name: {"superuser": superuser, "member_of": list(groups)} for name, superuser, groups in powers},
        "split": are_roles_split(connection),
        "migrations": [
            row[0]
            for row in connection.execute(
                "SELECT name FROM public.django_migrations WHERE app = 'dispensary' ORDER BY id"
            ).fetchall()
        ],
        "server": server[2],
        "software": VERSION,
        "clock": {
            "database_ahead_us": round((server[0] - now) / dt.timedelta(microseconds=1)),
            "synchronised": clock_is_synchronised(),
        },
    }


def are_roles_split(connection: Connection[Any]) -> bool:
    """Return whether no role that may append owns the log or is a superuser."""
    row = connection.execute(
        """SELECT bool_and(NOT r.rolsuper AND NOT pg_has_role(r.oid, n.nspowner, 'MEMBER'))
           FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
           CROSS JOIN LATERAL aclexplode(p.proacl) a JOIN pg_roles r ON r.oid = a.grantee
           WHERE p.oid = 'audit.append'::regproc AND a.privilege_type = 'EXECUTE' AND r.oid <> n.nspowner"""
    ).fetchone()
    return bool(row and row[0])


def clock_is_synchronised() -> bool | None:
    """Return whether the kernel's clock is disciplined by a time server.

    None where that is unknown.
    """
    if not sys.platform.startswith("linux"):
        return None
    buffer = ctypes.create_string_buffer(256)  # struct timex with modes = 0: ask, change nothing
    state: int = ctypes.CDLL(None).adjtimex(buffer)
    return None if state < 0 else state != _UNSYNCHRONISED
