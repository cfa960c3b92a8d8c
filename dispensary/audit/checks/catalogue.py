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
_SIGNED = """
    SELECT c.* FROM pg_class c WHERE c.relnamespace <> 'audit'::regnamespace AND EXISTS (
        SELECT FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid WHERE t.tgrelid = c.oid AND f.pronamespace = 'audit'::regnamespace)"""
"""Tables whose rows answer to the log."""
_OBJECTS = f"""
    WITH own AS (SELECT * FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')),
    signed AS ({_SIGNED}),
    watched AS (SELECT * FROM own UNION SELECT * FROM pg_class WHERE oid IN (SELECT oid FROM signed)
        OR (relnamespace = 'public'::regnamespace AND relname LIKE 'dispensary\\_%%' AND relkind IN ('r', 'p', 'v', 'f')))
    SELECT 'function ' || p.oid::regprocedure::text, pg_get_functiondef(p.oid) FROM pg_proc p
        WHERE p.pronamespace = 'audit'::regnamespace AND p.prokind IN ('f', 'p') OR p.pronamespace <> 'pg_catalog'::regnamespace
            AND p.oid IN (SELECT t.tgfoid FROM pg_trigger t JOIN watched o ON o.oid = t.tgrelid WHERE NOT t.tgisinternal)
    UNION ALL SELECT 'PostgreSQL''s own function ' || p.proname, string_agg(concat_ws(' ', p.oid, l.lanname, p.prosrc, p.provolatile), ', ' ORDER BY p.oid)
        FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY (%s) GROUP BY p.proname
    UNION ALL SELECT 'view ' || relname, pg_get_viewdef(oid) FROM own WHERE relkind IN ('v', 'm')
    UNION ALL SELECT 'rule ' || r.rulename || ' on ' || o.relname, pg_get_ruledef(r.oid) FROM pg_rewrite r JOIN watched o ON o.oid = r.ev_class
        WHERE r.rulename <> '_RETURN'
    UNION ALL SELECT 'policy ' || p.polname || ' on ' || o.relname, concat(p.polcmd, pg_get_expr(p.polqual, p.polrelid))
        FROM pg_policy p JOIN watched o ON o.oid = p.polrelid
    UNION ALL SELECT 'table ' || o.relname, concat_ws(' ', o.relkind, o.relpersistence, o.relispartition, o.relrowsecurity, o.relforcerowsecurity,
            string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)), ', '
            ORDER BY a.attnum))
        FROM own o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = o.oid AND d.adnum = a.attnum
        GROUP BY o.relname, o.relkind, o.relpersistence, o.relispartition, o.relrowsecurity, o.relforcerowsecurity
    UNION ALL SELECT 'table ' || relname, concat_ws(' ', relkind, relpersistence, relrowsecurity, relforcerowsecurity) FROM signed
    UNION ALL SELECT 'table ' || i.inhrelid::regclass::text || ' below ' || s.relname, '' FROM pg_inherits i JOIN signed s ON s.oid = i.inhparent
    UNION ALL SELECT 'trigger ' || t.tgname || ' on ' || o.relname, t.tgenabled::text || ' ' || pg_get_triggerdef(t.oid)
        FROM pg_trigger t JOIN watched o ON o.oid = t.tgrelid WHERE NOT t.tgisinternal
    UNION ALL SELECT 'event trigger ' || e.evtname, e.evtevent FROM pg_event_trigger e WHERE NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = e.oid AND d.deptype = 'e')
    UNION ALL SELECT 'constraint ' || k.conname || ' on ' || o.relname, k.contype::text || ' ' || pg_get_constraintdef(k.oid)
        FROM pg_constraint k JOIN own o ON o.oid = k.conrelid WHERE k.contype <> 't' AND k.contype <> 'n'"""  # noqa: S608  (our own constants; the names of functions are a parameter)
_TRUSTED = [
    "array_to_json", "clock_timestamp", "concat", "convert_to", "count", "encode", "gen_random_uuid", "has_table_privilege",
    "jsonb_populate_record", "jsonb_strip_nulls", "max", "min", "normalize", "now", "pg_current_xact_id", "sha256", "to_char", "to_json",
    "to_jsonb", "transaction_timestamp", "txid_current",
]  # fmt: skip
"""PostgreSQL's own functions by which entries are written, read again and compared; a superuser can replace them."""
_RIGHTS = f"""
    WITH own AS (SELECT nspowner FROM pg_namespace WHERE nspname = 'audit'),
    signed AS ({_SIGNED})
    SELECT pg_get_userbyid(a.grantee), o.name, a.privilege_type,
        coalesce(a.grantee <> 0 AND has_table_privilege(a.grantee, to_regclass('public.dispensary_dispense'), 'INSERT'), false) FROM (
        SELECT 'audit.' || c.relname AS name, c.relacl AS acl, c.relowner AS owner FROM pg_class c
            WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        UNION ALL SELECT 'audit.' || c.relname || '.' || t.attname, t.attacl, c.relowner FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid
            WHERE c.relnamespace = 'audit'::regnamespace AND t.attacl IS NOT NULL
        UNION ALL SELECT p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner FROM pg_proc p
            WHERE p.pronamespace = 'audit'::regnamespace
        UNION ALL SELECT 'the schema audit', nspacl, nspowner FROM pg_namespace WHERE nspname = 'audit') o
    CROSS JOIN LATERAL aclexplode(o.acl) a WHERE a.grantee <> o.owner
    UNION ALL SELECT pg_get_userbyid(a.grantee), s.relname, a.privilege_type, false FROM signed s CROSS JOIN LATERAL aclexplode(s.relacl) a
        WHERE a.grantee <> s.relowner AND a.privilege_type = 'TRIGGER'
    UNION ALL SELECT pg_get_userbyid(a.grantee), s.relname || '.' || t.attname, a.privilege_type, false
        FROM signed s JOIN pg_attribute t ON t.attrelid = s.oid AND t.attacl IS NOT NULL CROSS JOIN LATERAL aclexplode(t.attacl) a
        WHERE a.grantee <> s.relowner AND a.privilege_type IN ('INSERT', 'UPDATE')
    UNION ALL SELECT pg_get_userbyid(a.grantee), 'every new table of the schema audit', a.privilege_type, false
        FROM pg_default_acl d CROSS JOIN own CROSS JOIN LATERAL aclexplode(d.defaclacl) a
        WHERE d.defaclobjtype = 'r' AND d.defaclrole = own.nspowner AND d.defaclnamespace IN (0, 'audit'::regnamespace) AND a.grantee <> d.defaclrole
    UNION ALL SELECT pg_get_userbyid(o.owner), o.name, 'OWNERSHIP', false FROM own, (
        SELECT relname, relowner FROM signed
        UNION ALL SELECT 'audit.' || relname, relowner FROM pg_class WHERE relnamespace = 'audit'::regnamespace
        UNION ALL SELECT oid::regprocedure::text, proowner FROM pg_proc WHERE pronamespace = 'audit'::regnamespace
        ) AS o(name, owner) WHERE o.owner <> own.nspowner
    ORDER BY 1, 2, 3"""  # noqa: S608  (our own constants, and nothing else)
_POWERS = """
    WITH held AS (SELECT DISTINCT r.oid, r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole, n.nspowner
        FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE n.nspname = 'audit' AND r.oid <> n.nspowner)
    SELECT r.rolname, 'is a superuser' FROM held r WHERE r.rolsuper
    UNION ALL SELECT r.rolname, p.power FROM held r CROSS JOIN LATERAL (VALUES
        (r.rolbypassrls, 'passes by row security'),
        (r.rolcreaterole, 'may make itself a member of other roles'),
        (pg_has_role(r.oid, r.nspowner, 'MEMBER'), 'is a member of the role that owns the log'),
        (pg_has_role(r.oid, 'pg_write_all_data', 'MEMBER'), 'may write every table'),
        (pg_has_role(r.oid, 'pg_write_server_files', 'MEMBER'), 'may write the files of the server'),
        (pg_has_role(r.oid, 'pg_execute_server_program', 'MEMBER'), 'may run programs on the server'),
        (EXISTS (SELECT FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'public' AND a.grantee = r.oid AND a.privilege_type = 'CREATE'),
            'may make objects in the schema public')
    ) AS p(is_held, power) WHERE p.is_held AND NOT r.rolsuper
    UNION ALL SELECT r.rolname, 'is a member of ' || other.rolname FROM held r JOIN held other ON other.oid <> r.oid
        WHERE NOT r.rolsuper AND pg_has_role(r.oid, other.oid, 'MEMBER')
    UNION ALL SELECT coalesce(r.rolname, 'every role'), 'is started with ' || option FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole
        CROSS JOIN LATERAL unnest(s.setconfig) AS option
        WHERE (s.setrole = 0 OR s.setrole IN (SELECT oid FROM held) OR s.setrole = (SELECT nspowner FROM pg_namespace WHERE nspname = 'audit'))
          AND (s.setdatabase = 0 OR s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
          AND split_part(option, '=', 1) IN ('search_path', 'session_replication_role', 'role')
    UNION ALL SELECT 'a session of the log', 'is started with ' || name || '=' || reset_val FROM pg_settings
        WHERE name IN ('search_path', 'session_replication_role') AND reset_val <> boot_val
    ORDER BY 1, 2"""
"""What the roles of the split may do past every right on an object, and settings by which their statements mean something else."""
_SEALERS = {"checkpoint", "cosignature", "delivery"}
"""Tables of the role that signs, which is not the one that hands over."""


def read_catalogue(connection: Connection[Any]) -> dict[str, str]:
    """Return each object of the log with a digest of its definition; partitions of different months differ in nothing."""
    digests: dict[str, set[str]] = {}
    with connection.transaction():
        connection.execute("SET LOCAL search_path = pg_catalog")
        for name, definition in connection.execute(_OBJECTS, [_TRUSTED]).fetchall():
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
    """Yield rights and powers that the split of roles gives to nobody, and settings that change what a statement means."""
    allowed = {
        _signature(function)
        for function in (APPEND, ERASE, *PURE, "audit.open_log(uuid, text)", "audit.ensure_partitions(integer)")
    }
    with connection.transaction():
        connection.execute("SET LOCAL search_path = pg_catalog")
        rights, powers = (connection.execute(question).fetchall() for question in (_RIGHTS, _POWERS))
    for role, name, privilege, writes_rows in rights:
        table = name.removeprefix("audit.")
        is_granted = (
            (privilege == "USAGE" and name == "the schema audit")
            or (privilege == "SELECT" and table in {*READABLE, "readable_body", "body"})
            or (privilege == "INSERT" and table in _SEALERS and not writes_rows)
            or (privilege == "EXECUTE" and _signature(name) in allowed)
        )
        if not is_granted or role.startswith("unknown (OID=0)"):
            yield f"{role} owns {name}" if privilege == "OWNERSHIP" else f"{role} has {privilege} on {name}"
    for role, power in powers:
        yield f"{role} {power}"


def _signature(function: str) -> str:
    """Return a function's name and types in one spelling."""
    return function.replace(" ", "").replace("timestampwithtimezone", "timestamptz").replace("audit.", "")
