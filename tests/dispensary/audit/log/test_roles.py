"""The rights of the application's real role on the log: append and read. Everything else was tried."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from psycopg import errors

from dispensary.audit.log.roles import Roles
from dispensary.models import Pharmacy
from tests.site import Database

TABLES = (
    "log",
    "head",
    "entry",
    "entry_default",
    "body",
    "body_default",
    "link",
    "checkpoint",
    "cosignature",
    "delivery",
    "erasure",
)
APPEND = "SELECT audit.append('{pharmacy}', 'o', 'a.b', 'success', 'user:1', 'pharmacist', now(), 'x', '1', '{{}}')"
DENIED = (errors.InsufficientPrivilege,)


@pytest.fixture
def pharmacy(committed_pharmacy: Pharmacy, write: Callable[..., UUID]) -> Pharmacy:
    write(committed_pharmacy)
    return committed_pharmacy


@pytest.fixture(params=["app", "sealer", "auditor"])
def role(request: pytest.FixtureRequest, database: Database, pharmacy: Pharmacy) -> Iterator[psycopg.Connection[Any]]:
    with database.connect(request.param) as connection:
        yield connection


@pytest.fixture
def app(database: Database, pharmacy: Pharmacy) -> Iterator[psycopg.Connection[Any]]:
    with database.connect("app") as connection:
        yield connection


@pytest.mark.parametrize(
    "statement", ["DELETE FROM audit.{}", "TRUNCATE audit.{} CASCADE", "ALTER TABLE audit.{} DISABLE TRIGGER ALL",
                  "DROP TABLE audit.{} CASCADE", "BEGIN; LOCK TABLE audit.{} IN ACCESS EXCLUSIVE MODE",
                  "CREATE TRIGGER t BEFORE INSERT ON audit.{} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
                  "ALTER TABLE audit.{} OWNER TO CURRENT_USER"]
)  # fmt: skip
def test_no_role_but_the_owner_can_remove_or_alter_anything(role: psycopg.Connection[Any], statement: str) -> None:
    for table in TABLES:
        with pytest.raises(DENIED):
            role.execute(statement.format(table))
        role.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.entry SET actor = 'somebody'",
        "UPDATE audit.entry_default SET actor = 'somebody'",
        "UPDATE audit.body SET body = '{}'",
        "UPDATE audit.link SET seq = seq + 1",
        "UPDATE audit.head SET genesis = genesis",
        "UPDATE audit.log SET closed_at = now()",
        "UPDATE audit.checkpoint SET note = ''",
        "INSERT INTO audit.entry SELECT * FROM audit.entry",
        "INSERT INTO audit.link SELECT * FROM audit.link",
        "INSERT INTO audit.head VALUES (gen_random_uuid(), '')",
        "INSERT INTO audit.log (origin, pharmacy, genesis) VALUES ('x', gen_random_uuid(), sha256(''))",
        "INSERT INTO audit.erasure SELECT entry_id, recorded_at, entry_id FROM audit.entry",
        "SELECT * FROM audit.head FOR UPDATE",
        "SELECT audit.erase(gen_random_uuid(), '{1}', 'b', 'a', 'r', 's', 'n', now())",
        "SELECT audit.open_incarnation(gen_random_uuid(), '', 'b', 'a', 'r', 's', 'n', now())",
        "SELECT audit.add_partition('entry', 'x', 'DEFAULT')",
        "SELECT audit.guard('audit.entry')",
        "SELECT audit.new_id(now())",
        "SELECT audit.link_entry()",
        "CREATE TEMP TABLE mine (LIKE audit.entry); CREATE TRIGGER t AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION audit.link_entry()",
        "CREATE OR REPLACE FUNCTION audit.link_entry() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE OR REPLACE FUNCTION audit.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE FUNCTION audit.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TABLE audit.mine (x int)",
        "DROP FUNCTION audit.refuse() CASCADE",
        "ALTER TABLE audit.entry DROP COLUMN actor",
        "ALTER EVENT TRIGGER nothing DISABLE",
        "DROP SCHEMA audit CASCADE",
        "ALTER SCHEMA audit RENAME TO gone",
        "ALTER FUNCTION audit.header RESET ALL",
        "SET session_replication_role = replica",
        "SET ROLE {owner}",
        "SET SESSION AUTHORIZATION {owner}",
        "GRANT {owner} TO CURRENT_USER",
        "ALTER ROLE {app} SUPERUSER",
        "COPY audit.entry TO PROGRAM 'cat'",
        "CREATE PUBLICATION p FOR TABLE audit.entry",
    ],
)
def test_the_application_cannot_get_around_the_log(
    app: psycopg.Connection[Any], database: Database, statement: str
) -> None:
    names = {kind: f'"{getattr(database.roles, kind).name}"' for kind in ("owner", "app")}
    for kind, name in names.items():
        statement = statement.replace("{" + kind + "}", name)
    with pytest.raises((errors.InsufficientPrivilege, errors.UndefinedObject)) as refused:
        app.execute(statement)
    if isinstance(refused.value, errors.UndefinedObject):
        assert "EVENT TRIGGER" in statement


def test_a_grant_by_the_application_gives_nobody_anything(app: psycopg.Connection[Any]) -> None:
    for table in TABLES:
        with contextlib.suppress(errors.InsufficientPrivilege):  # where it holds nothing; else PostgreSQL only warns
            app.execute(f"GRANT ALL ON audit.{table} TO PUBLIC")
    assert (
        app.execute(
            """SELECT c.relname, a.privilege_type FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
           WHERE c.relnamespace = 'audit'::regnamespace AND a.grantee = 0"""
        ).fetchall()
        == []
    )


def test_the_application_sees_no_bodies_but_through_the_scoped_view(app: psycopg.Connection[Any]) -> None:
    with pytest.raises(DENIED):
        app.execute("SELECT * FROM audit.body")
    with pytest.raises(DENIED):
        app.execute("SELECT * FROM audit.body_default")
    assert app.execute("SELECT * FROM audit.readable_body").fetchall() == []


def test_a_shadowed_function_does_not_reach_the_log(
    app: psycopg.Connection[Any], pharmacy: Pharmacy, database: Database
) -> None:
    """A caller's own clock or hash, first on its search path, is not what the log uses."""
    with database.connect("superuser") as admin:
        admin.execute(f'CREATE SCHEMA shadow AUTHORIZATION "{database.roles.app.name}"')
    try:
        app.execute(
            "CREATE FUNCTION shadow.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT timestamptz ''2001-01-01Z'''"
        )
        app.execute("CREATE FUNCTION shadow.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'")
        app.execute("SET search_path = shadow, pg_catalog, public")
        app.execute(APPEND.format(pharmacy=pharmacy.pk))
        year, leaf = app.execute(
            "SELECT extract(year FROM recorded_at), leaf FROM audit.line WHERE pharmacy = %s ORDER BY seq DESC",
            [pharmacy.pk],
        ).fetchone() or (0, b"")
        assert year > 2001
        assert len(leaf) == 32
    finally:
        with database.connect("superuser") as admin:
            admin.execute("DROP SCHEMA shadow CASCADE")


@pytest.mark.parametrize(
    "setting", ["audit.disabled", "audit.enabled", "pgtrigger.ignore", "audit.logs", "audit.skip", "audit.pharmacies"]
)
def test_no_setting_turns_the_log_off(app: psycopg.Connection[Any], pharmacy: Pharmacy, setting: str) -> None:
    before = app.execute(
        "SELECT count(*) FROM audit.line WHERE pharmacy = %s AND seq IS NOT NULL", [pharmacy.pk]
    ).fetchone()
    for value in ("on", "off", "true", "{audit.entry:link_entry}", str(pharmacy.pk)):
        app.execute("SELECT set_config(%s, %s, false)", [setting, value])
        app.execute(APPEND.format(pharmacy=pharmacy.pk))
    after = app.execute(
        "SELECT count(*) FROM audit.line WHERE pharmacy = %s AND seq IS NOT NULL", [pharmacy.pk]
    ).fetchone()
    assert before is not None
    assert after == (before[0] + 5,)


def test_a_superuser_is_stopped_too_until_the_guards_are_dropped(database: Database, pharmacy: Pharmacy) -> None:
    with database.connect("superuser") as admin:
        for mode in ("origin", "replica"):
            admin.execute(f"SET session_replication_role = {mode}")
            for table in TABLES:
                with pytest.raises(DENIED, match="audit"):
                    admin.execute(f"TRUNCATE audit.{table} CASCADE")
                if table not in ("body", "body_default"):
                    with pytest.raises(DENIED, match="audit"):
                        admin.execute(f"DELETE FROM audit.{table}")
            with pytest.raises(DENIED, match="audit"):
                admin.execute("DELETE FROM audit.body WHERE TRUE")
            with pytest.raises(DENIED, match="audit"):
                admin.execute("UPDATE audit.entry SET actor = actor")
            with pytest.raises(DENIED, match="audit"):
                admin.execute("UPDATE audit.log SET origin = 'other'")


def test_every_partition_carries_its_guards(database: Database, pharmacy: Pharmacy) -> None:
    with database.connect("superuser") as admin:
        rows = admin.execute(
            """SELECT c.relname, array_agg(t.tgname::text ORDER BY t.tgname) FROM pg_class c
               JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'audit'
               LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled = 'A'
               WHERE c.relkind IN ('r', 'p') GROUP BY c.relname"""
        ).fetchall()
    assert len(rows) >= len(TABLES)
    for name, triggers in rows:
        expected = ["guard", "guard_erase"] if name.startswith("body_") else ["guard"]
        if name in {"log", "head"}:
            expected = ["guard", "guard_close"]
        assert triggers == expected, name


@pytest.mark.django_db(databases=["default", "owner"], transaction=True)
def test_the_split_can_be_printed_and_applied_again(
    django_db_setup: None, database: Database, capsys: pytest.CaptureFixture[str], pharmacy: Pharmacy
) -> None:
    names = {kind: getattr(database.roles, kind).name for kind in ("owner", "app", "sealer", "auditor")}
    call_command("audit", "roles", "--sql", **names)
    printed = capsys.readouterr().out
    assert "GRANT EXECUTE ON FUNCTION audit.append" in printed
    assert "CREATE ROLE" not in printed
    with database.connect("owner", autocommit=False) as owner:
        for statement in printed.split(";\n"):
            if statement.strip():
                owner.execute(statement)
    with database.connect("app") as app:
        app.execute(APPEND.format(pharmacy=pharmacy.pk))


@pytest.mark.django_db(databases=["default", "owner"], transaction=True)
def test_the_split_names_the_roles_of_the_settings_and_makes_those_that_nobody_made(
    django_db_setup: None, database: Database, capsys: pytest.CaptureFixture[str], transactional_db: None
) -> None:
    call_command("audit", "roles", "--sql", "--auditor", "inspector of nobody")
    printed = capsys.readouterr().out
    assert 'CREATE ROLE "inspector of nobody" LOGIN;' in printed
    assert printed.count("CREATE ROLE") == 1
    assert set(re.findall(r'"([^"]+)"', printed)) == {
        *(getattr(database.roles, kind).name for kind in ("owner", "app", "sealer")),
        "inspector of nobody",
    }
    with pytest.raises(CommandError, match="no role inspector of nobody: an administrator makes it"):
        call_command("audit", "roles", "--apply", "--auditor", "inspector of nobody")


@pytest.mark.django_db(databases=["default", "owner"], transaction=True)
def test_an_application_that_owns_its_tables_gets_a_role_of_its_own(
    django_db_setup: None, database: Database, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = database.roles.owner.name
    for alias in ("default", "sealer"):
        monkeypatch.setitem(connections[alias].settings_dict, "USER", owner)
    roles = Roles.of_site()
    assert (roles.owner, roles.app, roles.sealer) == (owner, "dispensary_app", "dispensary_sealer")
