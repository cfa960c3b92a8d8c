"""Crashes of workers, of backends and of the whole server: what was acknowledged is there, and the log is whole.

On a server of its own, with a table that stands for the business; `make test-faults` runs it for longer.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from deploy.servers import KINDS, Postgres, make_database, make_roles
from deploy.servers import Roles as LoginRoles
from dispensary.audit import live
from dispensary.audit.roles import Roles, statements
from tests.site import working_folder

pytestmark = [pytest.mark.faults, pytest.mark.slow]

ROUNDS = 10 if os.environ.get("FAULTS") == "long" else 2
SQL = Path(live.__file__).parent / "sql"

WORKER = """
import sys, uuid, psycopg
url, pharmacy = sys.argv[1:3]
with psycopg.connect(url) as connection:
    while True:
        dispense = str(uuid.uuid4())
        (entry,) = connection.execute(
            "SELECT audit.append(%s, %s, 'dispense.completed', 'success', 'user:1', 'pharmacist', now(), 'dispense', %s, '{}')",
            [pharmacy, "test.example/" + pharmacy, dispense]).fetchone()
        connection.execute("INSERT INTO public.dispense VALUES (%s, %s)", [dispense, entry])
        connection.commit()
        print(dispense, flush=True)
"""


class Site:
    """A server, its database, and writers that can be shot."""

    def __init__(self, server: Postgres, roles: LoginRoles, folder: Path) -> None:
        self.server, self.roles, self.folder = server, roles, folder
        self.pharmacy = uuid4()
        self.acknowledged: set[str] = set()

    def url(self, kind: str, database: str = "faults") -> str:
        role = getattr(self.roles, kind)
        return self.server.url(role.name, role.password, database)

    def connect(self, kind: str = "owner", database: str = "faults") -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(kind, database), autocommit=True)

    def writers(self, count: int = 3) -> list[subprocess.Popen[str]]:
        """Start writers, and come back when they are at work."""
        began = self.count()
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, self.url("app"), str(self.pharmacy)],
                stdout=subprocess.PIPE, stderr=(self.folder / "writers.log").open("a"), text=True,
            )
            for _ in range(count)
        ]  # fmt: skip
        deadline = time.monotonic() + 60
        while self.count() < began + 10:
            assert time.monotonic() < deadline, "the writers do not get to work"
            time.sleep(0.05)
        return writers

    def count(self) -> int:
        with self.connect() as connection:
            row = connection.execute("SELECT count(*) FROM public.dispense").fetchone()
            return row[0] if row else 0

    def collect(self, writers: list[subprocess.Popen[str]]) -> None:
        """Shoot what still runs, and note what each was told to be committed."""
        for writer in writers:
            writer.kill()
            out, _ = writer.communicate()
            self.acknowledged.update(line for line in out.split("\n")[:-1] if line)

    def check(self) -> int:
        """Everything acknowledged is there; each dispense has one entry and each entry one link, in one gapless chain."""
        with self.connect() as connection:
            stored = {row[0] for row in connection.execute("SELECT id::text FROM public.dispense").fetchall()}
            assert self.acknowledged <= stored
            pairs = connection.execute(
                "SELECT count(*), count(l.seq), count(d.id) FROM audit.line l FULL JOIN public.dispense d ON d.entry = l.entry_id"
            ).fetchone()
            assert pairs == (len(stored),) * 3
            bodies = connection.execute("SELECT count(*) FROM audit.body").fetchone()
            assert bodies == (len(stored),)
            (log,) = live.all_logs(connection, self.pharmacy)
            result = live.check_log(connection, log, [], grace=0)
            assert [found.kind for found in result.report.findings] == ["UNSEALED"]
            assert (result.unlinked, result.report.last) == (0, len(stored))
            return len(stored)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with working_folder() as folder:
        server = Postgres(folder, "only-for-this-test", durable=True)
        server.start()
        try:
            roles = LoginRoles.named("faults", dict.fromkeys(KINDS, "x"))
            with psycopg.connect(server.url(), autocommit=True) as admin:
                make_roles(admin, roles)
                make_database(admin, "faults", roles)
            one = Site(server, roles, folder)
            with one.connect() as owner:
                for file in sorted(SQL.glob("0*.sql")):
                    owner.execute(file.read_text(encoding="utf-8"))
                owner.execute("CREATE TABLE public.dispense (id uuid PRIMARY KEY, entry uuid NOT NULL UNIQUE)")
                owner.execute("CREATE TABLE public.django_migrations (id serial, app text, name text)")
                for statement in statements(Roles(*(role.name for role in roles))):
                    owner.execute(statement.encode())
            yield one
        finally:
            server.stop()


def test_workers_shot_at_any_moment_leave_whole_transactions(site: Site) -> None:
    before = 0
    for number in range(ROUNDS):
        writers = site.writers()
        time.sleep(0.3 + number * 0.137)
        site.collect(writers)
        after = site.check()
        assert after > before
        before = after


def test_backends_terminated_under_load_leave_whole_transactions(site: Site) -> None:
    for number in range(ROUNDS):
        writers = site.writers()
        time.sleep(0.3 + number * 0.137)
        with psycopg.connect(site.server.url(), autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [site.roles.app.name]
            )
        site.collect(writers)
        site.check()


def test_a_backend_killed_hard_takes_the_server_through_recovery_and_nothing_is_lost(site: Site) -> None:
    writers = site.writers()
    time.sleep(0.5)
    with psycopg.connect(site.server.url(), autocommit=True) as admin:
        (pid,) = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = %s LIMIT 1", [site.roles.app.name]
        ).fetchone() or (0,)
    os.kill(pid, signal.SIGKILL)
    site.collect(writers)
    wait_for(site)
    site.check()


def test_a_crashed_server_recovers_with_the_log_whole(site: Site) -> None:
    for _ in range(ROUNDS):
        writers = site.writers()
        time.sleep(0.5)
        site.server.stop(signal.SIGQUIT)  # immediate: no checkpoint, no goodbye
        site.collect(writers)
        site.server.start()
        site.check()


def test_a_dump_restored_elsewhere_verifies_and_goes_on(site: Site) -> None:
    writers = site.writers(1)
    time.sleep(0.1)
    site.collect(writers)
    count = site.check()
    programs = site.server._binaries()
    dump = site.folder / "dump"
    subprocess.run([programs / "pg_dump", "-Fc", "-f", dump, site.server.url(database="faults")], check=True)
    with psycopg.connect(site.server.url(), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE restored OWNER "{site.roles.owner.name}" TEMPLATE template0')
    subprocess.run([programs / "pg_restore", "-d", site.server.url(database="restored"), dump], check=True)
    with site.connect("owner", "restored") as owner:
        (log,) = live.all_logs(owner, site.pharmacy)
        assert live.check_log(owner, log, [], grace=0).report.last == count
    with site.connect("app", "restored") as app:
        append_one(app, site.pharmacy)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DELETE FROM audit.entry")
    with site.connect("owner", "restored") as owner:
        report = live.check_log(owner, log, [], grace=0).report
        assert (report.last, [found.kind for found in report.findings]) == (count + 1, ["UNSEALED"])
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            owner.execute("DELETE FROM audit.entry")


def test_a_statement_timeout_and_a_full_row_leave_nothing(site: Site) -> None:
    with site.connect("app") as app:
        before = site.check()
        app.execute("SET statement_timeout = '1ms'")
        for _ in range(50):
            with pytest.raises(psycopg.errors.QueryCanceled), app.transaction():
                append_one(app, site.pharmacy)
                app.execute("SELECT pg_sleep(1)")
        app.execute("SET statement_timeout = 0")
        with pytest.raises(psycopg.errors.ProgramLimitExceeded), app.transaction():
            append_one(app, site.pharmacy, subject="x" * 9000)
    assert site.check() == before


def append_one(connection: psycopg.Connection[Any], pharmacy: UUID, subject: str = "later") -> None:
    connection.execute(
        "SELECT audit.append(%s, 'o', 'x.y', 'success', 'user:1', 'pharmacist', now(), 'x', %s, '{}')",
        [pharmacy, subject],
    )


def wait_for(site: Site) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            site.connect().close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
