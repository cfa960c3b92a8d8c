"""Database roles: one owns the tables, one works in them, one signs the log, one reads it."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

KINDS = ("owner", "app", "sealer", "auditor")


@dataclass(frozen=True)
class Role:
    """A login role of the database."""

    name: str
    password: str


@dataclass(frozen=True)
class Roles:
    """The four login roles of one Dispensary database."""

    owner: Role
    app: Role
    sealer: Role
    auditor: Role

    @classmethod
    def named(cls, prefix: str, passwords: dict[str, str]) -> "Roles":
        """Return the roles `<prefix>_owner` and so on; `passwords` has one for each of `KINDS`."""
        return cls(**{kind: Role(f"{prefix}_{kind}", passwords[kind]) for kind in KINDS})

    def __iter__(self) -> Iterator[Role]:
        return iter((self.owner, self.app, self.sealer, self.auditor))


def make_roles(connection: psycopg.Connection, roles: Roles) -> None:
    """Create the login roles, or give those that exist the passwords we know. Needs a superuser, or CREATEROLE."""
    for role in roles:
        exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role.name]).fetchone()
        verb = sql.SQL("ALTER" if exists else "CREATE")
        connection.execute(
            sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD {}").format(
                verb, sql.Identifier(role.name), sql.Literal(role.password)
            )
        )


def make_database(connection: psycopg.Connection, name: str, roles: Roles) -> bool:
    """Create the database `name`, owned by the owner role and closed to roles that were not named. Returns whether it is new.

    `connection` must be in autocommit mode.
    """
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        return False
    database, owner = sql.Identifier(name), sql.Identifier(roles.owner.name)
    connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(database, owner))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    for role in (roles.app, roles.sealer, roles.auditor):
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(role.name)))
    return True


def grant_tables(connection: psycopg.Connection, roles: Roles, *, truncate: bool = False) -> None:
    """Let the application role work in the tables of schema `public`; run by their owner after every migration.

    Nothing is granted here on schema `audit`: what may be done to the log, the log's own command grants. `truncate` is for tests,
    which empty the tables between them.
    """
    app = sql.Identifier(roles.app.name)
    rights = sql.SQL("SELECT, INSERT, UPDATE, DELETE, TRUNCATE" if truncate else "SELECT, INSERT, UPDATE, DELETE")
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(app))
    connection.execute(sql.SQL("GRANT {} ON ALL TABLES IN SCHEMA public TO {}").format(rights, app))
    connection.execute(sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(app))
