"""PgBouncer in transaction mode before the tests' database, with the configuration that `deploy/proxy/pgbouncer.ini` ships."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from deploy.databases import SESSION
from deploy.environment import ROOT
from deploy.servers import Server, free_port
from deploy.servers.processes import server_user
from tests.site import Database
from tests.waiting import wait_until

OLDEST = (1, 21)
"""The first version in which a client never gets another client's prepared statement."""


class Pooler(Server):
    """One PgBouncer on a port of its own, which may be killed and started again."""

    def __init__(self, database: Database, folder: Path, *, pool_size: int = 20) -> None:
        """Write the configuration for a database into `folder`, which the server's user can reach."""
        super().__init__("PgBouncer", folder / "log" / "pgbouncer.log")
        self.program, self.port = find_pooler(), free_port()
        parts = {name: str(value) for name, value in conninfo_to_dict(database.url()).items()}
        self.url = f"postgresql://{parts['user']}:{parts['password']}@127.0.0.1:{self.port}/{parts['dbname']}"
        (folder / "users.txt").write_text(f'"{parts["user"]}" "{parts["password"]}"\n')
        text = (ROOT / "deploy" / "proxy" / "pgbouncer.ini").read_text()
        for pattern, value in {
            r"^dispensary = .*": f"{parts['dbname']} = host={parts['host']} port={parts['port']}",
            r"^listen_port = .*": f"listen_port = {self.port}",
            r"^auth_file = .*": f"auth_file = {folder / 'users.txt'}",
            r"^default_pool_size = .*": f"default_pool_size = {pool_size}",
        }.items():
            text, count = re.subn(pattern, value, text, flags=re.MULTILINE)
            assert count == 1, pattern
        self.configuration = folder / "pgbouncer.ini"
        self.configuration.write_text(text)

    def start(self) -> None:
        """Start, and return when a client gets an answer of the database."""
        self.launch([self.program, self.configuration], user=server_user())
        wait_until(self._answers, 60, self.last_words)

    def kill(self) -> None:
        """End it as a machine that loses power would."""
        self.end(signal.SIGKILL)

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url, prepare_threshold=None) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False


def find_pooler() -> str:
    """Return the program, of `PGBOUNCER` or on the path; skips the test where there is none that is new enough."""
    program = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer")
    if program is None:
        pytest.skip("no pgbouncer here: install one from 1.21, or name it in PGBOUNCER")
    words = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()
    if tuple(int(number) for number in words[1].split(".")[:2]) < OLDEST:
        pytest.skip(f"pgbouncer {words[1]} is too old: install one from 1.21, or name it in PGBOUNCER")
    return program


@contextmanager
def limits_of_role(database: Database) -> Iterator[None]:
    """Give the application's role the time-outs that `deploy/container/roles.sh` gives it."""
    role = sql.Identifier(str(conninfo_to_dict(database.url())["user"]))
    with database.connect() as superuser:
        for name, value in SESSION.items():
            statement = sql.SQL("ALTER ROLE {} SET {} = {}")
            superuser.execute(statement.format(role, sql.Identifier(name), sql.Literal(value)))
    try:
        yield
    finally:
        with database.connect() as superuser:  # the server may have been started again
            for name in SESSION:
                superuser.execute(sql.SQL("ALTER ROLE {} RESET {}").format(role, sql.Identifier(name)))
