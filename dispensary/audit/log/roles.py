"""Database grants for the roles application, sealer, auditor and owner.

The owner runs migrations and owns every object. The application can read the log and call `audit.append`; it owns
nothing, so it can neither change an entry nor switch a trigger off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from dispensary.audit.log.database import owner_alias, raw_connection, sealer_alias

READABLE = ("log", "head", "entry", "link", "checkpoint", "cosignature", "delivery", "erasure", "line")
APPEND = "audit.append(uuid, text, text, text, text, text, timestamptz, text, text, text, text, text, text, text, text, text, text[], bytea, text, bigint)"
ERASE = "audit.erase(uuid, bigint[], text, text, text, text, text, timestamptz, text)"
_OWNER = """
    SELECT coalesce((SELECT pg_get_userbyid(relowner)::text FROM pg_class WHERE oid = to_regclass('audit.entry')), current_user::text)"""
PURE = (
    "audit.time_text(timestamptz)",
    "audit.header(audit.entry, bigint, bytea)",
    "audit.leaf(text)",
    "audit.body_commitment(bytea, text)",
    "audit.genesis(uuid, text)",
)


@dataclass(frozen=True, slots=True)
class Roles:
    """Names of login roles."""

    owner: str = "dispensary_owner"
    app: str = "dispensary_app"
    sealer: str = "dispensary_sealer"
    auditor: str = "dispensary_auditor"
    eraser: str = ""
    """May call `audit.erase`; without one only the owner may."""

    @classmethod
    def of_site(cls, **names: str) -> Roles:
        """Return the roles of this site's database aliases, but for those that `names` names.

        The owner is who owns the tables. Where the application still works as the owner, it gets a role of its own; so do the others.
        """
        connection = raw_connection(owner_alias())
        ((owner,),) = connection.execute(_OWNER).fetchall()
        taken = {owner}
        for kind, alias in (("app", DEFAULT_DB_ALIAS), ("sealer", sealer_alias())):
            user = connections[alias].settings_dict["USER"]
            if user and user not in taken:
                names.setdefault(kind, user)
            taken.add(user)
        return cls(**({"owner": owner} | names))

    def missing(self) -> tuple[str, ...]:
        """Return the names that no role of the database server has yet."""
        rows = raw_connection(owner_alias()).execute("SELECT rolname FROM pg_roles").fetchall()
        names = (self.app, self.sealer, self.auditor, self.eraser)
        return tuple(name for name in dict.fromkeys(names) if name and (name,) not in rows)


def quote_name(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def grant_statements(roles: Roles) -> Iterator[str]:
    """Yield the grants as SQL statements; the owner runs them after every migration."""
    yield from _grant_application_tables(roles)
    others = (roles.app, roles.sealer, roles.auditor, *([roles.eraser] if roles.eraser else []))
    for role in (quote_name(name) for name in others if name != roles.owner):
        yield f"REVOKE ALL ON SCHEMA audit FROM {role}"
        yield f"REVOKE ALL ON ALL TABLES IN SCHEMA audit FROM {role}"
        yield f"REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM {role}"
        yield f"GRANT USAGE ON SCHEMA audit TO {role}"
        yield f"GRANT SELECT ON {', '.join(f'audit.{table}' for table in READABLE)} TO {role}"
        yield f"GRANT EXECUTE ON FUNCTION {', '.join(PURE)} TO {role}"
    yield "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC"
    app, sealer, auditor = quote_name(roles.app), quote_name(roles.sealer), quote_name(roles.auditor)
    yield f"GRANT SELECT ON audit.readable_body TO {app}"
    yield f"GRANT EXECUTE ON FUNCTION {APPEND}, audit.open_log(uuid, text) TO {app}, {sealer}"
    yield f"GRANT SELECT ON audit.body TO {sealer}, {auditor}"
    yield f"GRANT INSERT ON audit.checkpoint, audit.cosignature, audit.delivery TO {sealer}"
    yield f"GRANT EXECUTE ON FUNCTION audit.ensure_partitions(integer) TO {sealer}"
    yield (  # a database with the log alone has none
        "DO $do$ BEGIN IF to_regnamespace('desk') IS NOT NULL THEN "
        f"GRANT USAGE ON SCHEMA desk TO {app}, {auditor}; GRANT SELECT ON ALL TABLES IN SCHEMA desk TO {auditor}; "
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA desk TO {app}; END IF; END $do$"
    )
    if roles.eraser:
        yield f"GRANT EXECUTE ON FUNCTION {ERASE} TO {quote_name(roles.eraser)}"


def apply_roles(roles: Roles, *, using: str) -> None:
    """Run the statements over the owner's database alias.

    Each can be run again without harm.
    """
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        for statement in grant_statements(roles):
            cursor.execute(statement)


def _grant_application_tables(roles: Roles) -> Iterator[str]:
    """Yield the grants for the other tables: rows are writable, tables are not."""
    owner, app = quote_name(roles.owner), quote_name(roles.app)
    yield "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    yield f"GRANT USAGE ON SCHEMA public TO {app}, {quote_name(roles.sealer)}, {quote_name(roles.auditor)}"
    yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app}"
    yield f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {app}"
    if roles.app != roles.owner:
        yield f"REVOKE INSERT, UPDATE, DELETE ON public.django_migrations FROM {app}"
    yield f"GRANT SELECT ON public.django_migrations TO {quote_name(roles.sealer)}, {quote_name(roles.auditor)}"
    yield f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app}"
    yield f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {app}"
