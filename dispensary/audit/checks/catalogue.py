"""The log's objects in the database, compared with those of this release.

`catalogue.json` holds a digest of each function, view, table, trigger, constraint and guard as the release's migrations make
them, by PostgreSQL's major version. What is replaced, missing or added is named, as are rights beyond the split of roles. Months
of partitions count as one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from psycopg import Connection

from dispensary.audit.log.roles import APPEND, ERASE, PURE, READABLE

RELEASED = Path(__file__).with_name("catalogue.json")
_OBJECTS = """
    WITH own AS (SELECT oid, relname, relkind, relrowsecurity, relforcerowsecurity FROM pg_class
                 WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f'))
    SELECT 'function ' || p.oid::regprocedure::text, pg_get_functiondef(p.oid) FROM pg_proc p
        WHERE p.pronamespace = 'audit'::regnamespace AND p.prokind IN ('f', 'p')
    UNION ALL SELECT 'view ' || relname, pg_get_viewdef(oid) FROM own WHERE relkind IN ('v', 'm')
    UNION ALL SELECT 'rule ' || r.rulename || ' on ' || o.relname, pg_get_ruledef(r.oid) FROM pg_rewrite r JOIN own o ON o.oid = r.ev_class
        WHERE r.rulename <> '_RETURN'
    UNION ALL SELECT 'policy ' || p.polname || ' on ' || o.relname, concat(p.polcmd, pg_get_expr(p.polqual, p.polrelid))
        FROM pg_policy p JOIN own o ON o.oid = p.polrelid
    UNION ALL SELECT 'table ' || o.relname, concat_ws(' ', o.relkind, o.relrowsecurity, o.relforcerowsecurity, string_agg(
            concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)), ', '
            ORDER BY a.attnum))
        FROM own o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = o.oid AND d.adnum = a.attnum
        GROUP BY o.relname, o.relkind, o.relrowsecurity, o.relforcerowsecurity
    UNION ALL SELECT 'trigger ' || t.tgname || ' on ' || c.relname, t.tgenabled::text || ' ' || pg_get_triggerdef(t.oid)
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc f ON f.oid = t.tgfoid
        WHERE NOT t.tgisinternal AND 'audit'::regnamespace IN (c.relnamespace, f.pronamespace)
    UNION ALL SELECT 'constraint ' || k.conname || ' on ' || o.relname, k.contype::text || ' ' || pg_get_constraintdef(k.oid)
        FROM pg_constraint k JOIN own o ON o.oid = k.conrelid WHERE k.contype <> 't' AND k.contype <> 'n'"""
_RIGHTS = """
    SELECT pg_get_userbyid(a.grantee), o.name, a.privilege_type,
        coalesce(a.grantee <> 0 AND has_table_privilege(a.grantee, to_regclass('public.dispensary_dispense'), 'INSERT'), false) FROM (
        SELECT c.relname::text AS name, c.relacl AS acl, c.relowner AS owner FROM pg_class c
            WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        UNION ALL SELECT p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner FROM pg_proc p
            WHERE p.pronamespace = 'audit'::regnamespace
        UNION ALL SELECT 'schema', nspacl, nspowner FROM pg_namespace WHERE nspname = 'audit') o
    CROSS JOIN LATERAL aclexplode(o.acl) a WHERE a.grantee <> o.owner ORDER BY 1, 2, 3"""
_POWERS = """
    SELECT DISTINCT r.rolname, p.power FROM pg_namespace n
    CROSS JOIN LATERAL aclexplode(n.nspacl) a JOIN pg_roles r ON r.oid = a.grantee
    CROSS JOIN LATERAL (VALUES
        (r.rolsuper, 'is a superuser'),
        (NOT r.rolsuper AND r.rolbypassrls, 'passes by row security'),
        (NOT r.rolsuper AND r.rolcreaterole, 'may make itself a member of other roles'),
        (NOT r.rolsuper AND pg_has_role(r.oid, n.nspowner, 'MEMBER'), 'is a member of the role that owns the log'),
        (NOT r.rolsuper AND pg_has_role(r.oid, 'pg_write_all_data', 'MEMBER'), 'may write every table')
    ) AS p(is_held, power)
    WHERE n.nspname = 'audit' AND r.oid <> n.nspowner AND p.is_held ORDER BY 1, 2"""
"""What the roles of the split may do by themselves, past every right on an object."""
_SEALERS = {"checkpoint", "cosignature", "delivery"}
"""Tables of the role that signs, which is not the one that hands over."""


def read_catalogue(connection: Connection[Any]) -> dict[str, str]:
    """Return each object of the log with a digest of its definition; partitions of different months differ in nothing."""
    digests: dict[str, set[str]] = {}
    with connection.transaction():
        connection.execute("SET LOCAL search_path = pg_catalog")
        for name, definition in connection.execute(_OBJECTS).fetchall():
            plain_name, text = (
                re.sub(r"_\d{4}_\d{2}\b|_\d{4}_\d{2}(?=_)", "_month", part) for part in (name, definition)
            )
            if plain_name.startswith("constraint") and "_month" in plain_name:
                continue  # the partition's own copies
            digests.setdefault(plain_name, set()).add(hashlib.sha256(text.encode()).hexdigest()[:32])
    return {name: " ".join(sorted(several)) for name, several in digests.items()}


def find_unreleased(connection: Connection[Any], released: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """Return in words that this release holds no digests for the server's version of PostgreSQL; "" where it does."""
    major = _major(connection)
    if major in (_read_released() if released is None else released):
        return ""
    return f"this release was not measured on PostgreSQL {major}: the log's objects are compared with nothing"


def _major(connection: Connection[Any]) -> str:
    return str(connection.info.server_version // 10000)


def _read_released() -> dict[str, dict[str, str]]:
    released: dict[str, dict[str, str]] = json.loads(RELEASED.read_text(encoding="utf-8"))
    return released


def compare_catalogue(
    connection: Connection[Any], released: Mapping[str, Mapping[str, str]] | None = None
) -> Iterator[str]:
    """Yield what differs from the release, each as a sentence; only rights where the release does not know this PostgreSQL."""
    expected = (_read_released() if released is None else released).get(_major(connection))
    if expected is not None:
        present = read_catalogue(connection)
        for name in sorted(present.keys() | expected.keys()):
            if name not in present:
                yield f"{name} is missing"
            elif name not in expected:
                yield f"{name} is not part of this release"
            elif present[name] != expected[name]:
                yield f"{name} is not that of this release"
    yield from _excess_rights(connection)


def _excess_rights(connection: Connection[Any]) -> Iterator[str]:
    """Yield rights that the split of roles gives to nobody."""
    allowed = {
        _signature(function)
        for function in (APPEND, ERASE, *PURE, "audit.open_log(uuid, text)", "audit.ensure_partitions(integer)")
    }
    for role, name, privilege, writes_rows in connection.execute(_RIGHTS).fetchall():
        is_granted = (
            (privilege == "USAGE" and name == "schema")
            or (privilege == "SELECT" and name in {*READABLE, "readable_body", "body"})
            or (privilege == "INSERT" and name in _SEALERS and not writes_rows)
            or (privilege == "EXECUTE" and _signature(name) in allowed)
        )
        if not is_granted or role.startswith("unknown (OID=0)"):
            yield f"{role} has {privilege} on audit.{name.removeprefix('audit.')}"
    for role, power in connection.execute(_POWERS).fetchall():
        yield f"{role} {power}"


def _signature(function: str) -> str:
    """Return a function's name and types in one spelling."""
    return function.replace(" ", "").replace("timestampwithtimezone", "timestamptz").replace("audit.", "")
