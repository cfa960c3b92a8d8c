"""The servers and the database that the tests work on: real ones, of their own, gone when the last test is done.

With `DATABASE_URL` or `REDIS_URL` in the environment those servers are used instead, in a database of our own making; with a superuser's
address the roles are split as they are on our own server, with any other one role does everything.
"""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import pytest
import requests
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from deploy.environment import ROOT
from deploy.servers import (
    KINDS,
    Postgres,
    Role,
    Roles,
    Server,
    ServerError,
    Valkey,
    free_port,
    grant_tables,
    make_database,
    make_roles,
)
from deploy.servers.processes import BARE_ENVIRONMENT
from dispensary.audit.log.roles import Roles as LogRoles
from dispensary.audit.log.roles import grant_statements as log_grants
from tests.clock import inherited_clock
from tests.template import Template
from tests.waiting import wait_until

# A clock that is moved for the tests (tests/dates.py) is moved for the servers that they start as well.
BARE_ENVIRONMENT.update(inherited_clock())

_FOLDER_PREFIX = "dispensary-tests-"


@dataclass
class Database:
    """The test database, and how each role reaches it."""

    name: str
    roles: Roles
    admin_url: str
    server: Postgres | None = None  # None: a server that DATABASE_URL names; leave it running
    split: bool = True  # whether the four roles are four
    migrated: bool = False  # made from a template that was

    def url(self, kind: str = "app", database: str | None = None) -> str:
        """Return the address for the role `owner`, `app`, `sealer`, `auditor`, or `superuser` (who may do anything, as on the worst day)."""
        parts = conninfo_to_dict(self.admin_url)
        if kind == "superuser":
            user, password = str(parts["user"]), str(parts.get("password", ""))
        else:
            role: Role = getattr(self.roles, kind)
            user, password = role.name, role.password
        where = f"{parts.get('host', '')}:{parts.get('port', 5432)}"
        return f"postgresql://{user}:{password}@{where}/{database or self.name}"

    def connect(self, kind: str = "superuser", *, autocommit: bool = True) -> psycopg.Connection:
        """Open a plain psycopg connection as `kind`, past Django and its transactions."""
        return psycopg.connect(self.url(kind), autocommit=autocommit)

    def settings(self, kind: str) -> dict[str, str]:
        """Return what Django's `DATABASES` entry for `kind` needs."""
        parts = conninfo_to_dict(self.url(kind))
        return {
            "HOST": str(parts["host"]),
            "PORT": str(parts["port"]),
            "USER": str(parts["user"]),
            "PASSWORD": str(parts.get("password", "")),
            "NAME": self.name,
        }

    def settings_by_alias(self) -> dict[str, dict[str, str]]:
        """Return what Django's `DATABASES` needs, by alias."""
        kinds = {"default": "app", "owner": "owner", "sealer": "sealer"}
        return {alias: self.settings(kind) for alias, kind in kinds.items()}

    def crash(self, down: float = 0) -> None:
        """Crash our own server as a machine that loses power would, leave it down for `down` seconds, and start it at its old address."""
        assert self.server, "a server that DATABASE_URL names is not ours to crash"
        port = self.server.port
        self.server.stop(signal.SIGQUIT)
        time.sleep(down)
        self.server.start(port)
        assert self.server.port == port, "somebody took the port meanwhile"

    def grant(self) -> None:
        """Give the application role its rights on the tables, and the tests' rights to empty them and to act as their owner."""
        with self.connect("owner") as connection:
            connection.execute(
                "CREATE OR REPLACE FUNCTION public.as_owner(statement text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER "
                "AS 'BEGIN EXECUTE statement; END'"
            )
        if self.split:
            with self.connect("owner") as connection:
                grant_tables(connection, self.roles, truncate=True)
                names = LogRoles(*(role.name for role in self.roles))
                for statement in log_grants(names):
                    connection.execute(statement.encode())


@dataclass
class Site:
    """Everything a process needs to join the tests: addresses for its environment."""

    database: Database
    redis_url: str
    extra: dict[str, str] = field(default_factory=dict)

    def environment(self, **more: str) -> dict[str, str]:
        """Return an environment for a child process (a worker, a web server, a command) on the tests' database and broker."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "deploy.settings",
            "DATABASE_URL": self.database.url("app"),
            "DATABASE_OWNER_URL": self.database.url("owner"),
            "DATABASE_SEALER_URL": self.database.url("sealer"),
            "REDIS_URL": self.redis_url,
            "SECRET_KEY": "only-for-tests-" + "0123456789abcdef" * 4,
            "HTTPS": "no",
            "STATIC_FROM_SOURCE": "yes",
            "LOG_LEVEL": "WARNING",
            **self.extra,
            **more,
        }

    def manage(self, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `manage.py` as a shell does: `call_command` skips what it itself reads from the parsed options."""
        return subprocess.run(
            [sys.executable, "manage.py", *map(str, words)],
            cwd=ROOT, env=self.environment(**more), capture_output=True, text=True, check=False,
        )  # fmt: skip


@contextmanager
def working_folder() -> Iterator[Path]:
    """A folder in the temporary folder that the servers' user can reach; those of runs that were killed are cleared away."""
    for stale in Path(tempfile.gettempdir()).glob(f"{_FOLDER_PREFIX}*"):
        folder_match = re.match(r"(\d+)-", stale.name.removeprefix(_FOLDER_PREFIX))
        with suppress(FileNotFoundError):  # another run clears it away at this moment
            if folder_match and not psutil.pid_exists(int(folder_match[1])) and stale.stat().st_uid == os.geteuid():
                shutil.rmtree(stale, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER_PREFIX}{os.getpid()}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_database(folder: Path, template: Template | None = None) -> Iterator[Database]:
    """A database with its roles, on our own server (migrated, from a template that exists) or on the one that `DATABASE_URL` names."""
    given_url = os.environ.get("DATABASE_URL")
    tag = f"{os.getpid()}_{secrets.token_hex(3)}"
    passwords = {kind: secrets.token_urlsafe(12) for kind in KINDS}
    try:
        if given_url:
            yield from _database_on(given_url, tag, passwords)
        else:
            server = Postgres(folder, secrets.token_urlsafe(12), durable=False)
            migrated = template is not None and template.restore(server)
            server.start()
            try:
                roles = Roles.named("dispensary", passwords)
                database = Database("dispensary_tests", roles, server.url(), server, migrated=migrated)
                with psycopg.connect(server.url(), autocommit=True) as admin:
                    make_roles(admin, database.roles)
                    make_database(admin, database.name, database.roles)
                yield database
            finally:
                server.stop()
    except ServerError as error:
        pytest.exit(str(error), returncode=3)


def _database_on(url: str, tag: str, passwords: dict[str, str]) -> Iterator[Database]:
    try:
        admin = psycopg.connect(url, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise ServerError(
            f"DATABASE_URL does not answer: {str(error).splitlines()[0]}. Unset it to use a server of the tests' own."
        ) from error
    with admin:
        me = admin.execute(
            "SELECT rolname, rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert me is not None
        name, superuser, createdb = me
        if not (superuser or createdb):
            raise ServerError(
                f"DATABASE_URL's role {name} may not create a database. Grant it CREATEDB, or unset DATABASE_URL."
            )
        if superuser:
            roles = Roles.named(f"dispensary_tests_{tag}", passwords)
            make_roles(admin, roles)
        else:
            itself = Role(name, str(conninfo_to_dict(url).get("password", "")))
            roles = Roles(itself, itself, itself, itself)
        database = Database(f"dispensary_tests_{tag}", roles, url, split=superuser)
        try:
            make_database(admin, database.name, roles)
            yield database
        finally:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database.name)))
            if superuser:
                for role in roles:
                    admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role.name)))


@contextmanager
def running_valkey(folder: Path) -> Iterator[Valkey]:
    """A Valkey of the tests' own, that a test may kill and start again."""
    server = Valkey(folder / "valkey", secrets.token_urlsafe(12))
    try:
        server.start()
    except ServerError as error:
        pytest.exit(str(error), returncode=3)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def running_web(
    site: Site, folder: Path, ready: str = "/health/ready", **settings: str
) -> Iterator[tuple[str, Server]]:
    """A web server as the Procfile starts it, its address without a slash at the end; ended gracefully, if it still runs."""
    bind = f"127.0.0.1:{free_port()}"
    web = Server("web", folder / "web.log")
    command = [sys.executable, "-m", "gunicorn", "-c", "python:deploy.web_server"]
    web.launch(command, environment=site.environment(WEB_BIND=bind, **settings), folder=ROOT)
    try:
        wait_until(lambda: answers(f"http://{bind}{ready}"), 120, web.last_words)
        yield f"http://{bind}", web
    finally:
        web.end()


def answers(address: str) -> bool:
    """Return whether a server answers at an address, and without an error."""
    try:
        return requests.get(address, timeout=60).ok
    except requests.ConnectionError:
        return False
