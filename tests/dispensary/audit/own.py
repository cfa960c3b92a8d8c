"""A server of a test's own, to be crashed, filled, copied and put back in time: the log, and a table that stands for the business."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg

from deploy.servers import KINDS, Postgres, Roles, make_database, make_roles
from deploy.servers.processes import BARE_ENVIRONMENT, server_user
from dispensary.audit.checks import live
from dispensary.audit.evidence import verify
from dispensary.audit.log import database as log_database
from dispensary.audit.log.database import LogRow, all_logs, open_logs
from dispensary.audit.log.roles import Roles as LogRoles
from dispensary.audit.log.roles import grant_statements
from dispensary.audit.sealing.keys import make_key
from dispensary.audit.sealing.notes import SignerKey
from dispensary.audit.sealing.sealer import Sealed, Sealer
from dispensary.audit.sealing.state import StateFolder
from tests.site import working_folder

LONG = os.environ.get("FAULTS") == "long"
SQL = Path(log_database.__file__).parent / "sql"
DATABASE = "faults"

_WRITERS = """
import os, sys, uuid, psycopg
url, count, *pharmacies = sys.argv[1:]
for number in range(int(count)):
    if os.fork() == 0:
        break
else:
    for _ in range(int(count)):
        os.wait()
    sys.exit()
with psycopg.connect(url) as connection:
    turn = number
    while True:
        pharmacy, dispense = pharmacies[turn % len(pharmacies)], str(uuid.uuid4())
        (entry,) = connection.execute(
            "SELECT audit.append(%s, %s, 'dispense.completed', 'success', 'user:1', 'pharmacist', now(), 'dispense', %s, '{}')",
            [pharmacy, "test.example/" + pharmacy, dispense]).fetchone()
        connection.execute("INSERT INTO public.dispense VALUES (%s, %s)", [dispense, entry])
        connection.commit()
        os.write(1, dispense.encode() + b"\\n")
        turn += 1
"""


class Tuned(Postgres):
    """A server with settings or an environment of its own."""

    def __init__(self, *args: Any, settings: Mapping[str, str] = {}, environment: Mapping[str, str] = {}, **more: Any):
        super().__init__(*args, **more)
        self.settings, self.environment = dict(settings), dict(environment)

    def configuration(self) -> dict[str, str]:
        return super().configuration() | self.settings

    def launch(self, command: Any, user: Any = None, environment: Any = None, folder: Path = Path("/")) -> None:
        super().launch(command, user, {**(environment or BARE_ENVIRONMENT), **self.environment}, folder)


class OwnSite:
    """A server, its database with the four roles, writers that can be shot, and a sealer with its key and memory."""

    def __init__(self, server: Postgres, roles: Roles, folder: Path) -> None:
        self.server, self.roles, self.folder = server, roles, folder
        self.pharmacies = [uuid4()]
        self.acknowledged: set[str] = set()
        self.told = folder / "acknowledged"
        self.key: SignerKey = make_key(folder / "keys" / "key") if not (folder / "keys").exists() else _again(folder)

    @property
    def pharmacy(self) -> UUID:
        return self.pharmacies[0]

    def url(self, kind: str, database: str = DATABASE) -> str:
        role = getattr(self.roles, kind)
        return self.server.url(role.name, role.password, database)

    def connect(
        self, kind: str = "owner", database: str = DATABASE, *, autocommit: bool = True
    ) -> psycopg.Connection[Any]:
        if kind == "superuser":
            return psycopg.connect(self.server.url(database=database), autocommit=autocommit)
        return psycopg.connect(self.url(kind, database), autocommit=autocommit)

    # Business.

    def writers(self, count: int = 3) -> subprocess.Popen[str]:
        """Start writers, and come back when they are at work."""
        began = self.count()
        self.told = self.folder / f"acknowledged-{began}"  # a file: a pipe that nobody reads would stop them
        writers = subprocess.Popen(
            [sys.executable, "-c", _WRITERS, self.url("app"), str(count), *map(str, self.pharmacies)],
            stdout=self.told.open("w"), stderr=(self.folder / "writers.log").open("a"), text=True, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while self.count() < began + 10:
            assert time.monotonic() < deadline, "the writers do not get to work"
            time.sleep(0.05)
        return writers

    def count(self) -> int:
        with self.connect() as connection:
            row = connection.execute("SELECT count(*) FROM public.dispense").fetchone()
            return row[0] if row else 0

    def collect(self, writers: subprocess.Popen[str]) -> None:
        """Shoot what still runs, and note what each was told to be committed."""
        with suppress(ProcessLookupError):
            os.killpg(writers.pid, 9)
        writers.wait()
        self.acknowledged.update(line for line in self.told.read_text().split("\n")[:-1] if len(line) == 36)

    def append(self, count: int = 1, pharmacy: UUID | None = None, *, subject: str = "later", body: str = "{}") -> None:
        """So many entries of their own transactions, by the application."""
        with self.connect("app") as app:
            for _ in range(count):
                append_one(app, pharmacy or self.pharmacy, subject=subject, body=body)

    def dispense(self, count: int = 1) -> None:
        """So many dispenses with their entries, as the writers make them."""
        with self.connect("app", autocommit=False) as app:
            for _ in range(count):
                append_dispense(app, self.pharmacy)
                app.commit()

    def check(self) -> int:
        """Everything acknowledged is there; each dispense has one entry and each entry one link, in gapless chains."""
        self.wait_for_backends()
        with self.connect() as connection:
            stored = {row[0] for row in connection.execute("SELECT id::text FROM public.dispense").fetchall()}
            assert self.acknowledged <= stored
            pairs = connection.execute(
                "SELECT count(*), count(l.seq), count(d.id) FROM audit.line l FULL JOIN public.dispense d ON d.entry = l.entry_id"
            ).fetchone()
            assert pairs == (len(stored),) * 3
            bodies = connection.execute("SELECT count(*) FROM audit.body").fetchone()
            assert bodies == (len(stored),)
            total = 0
            for log in all_logs(connection):
                result = live.check_log(connection, log, [], stored=False, grace=0)
                assert [finding.kind for finding in result.report.findings] == ["UNSEALED"]
                assert (result.unlinked, result.report.last) == (0, result.report.entries)
                total += result.report.entries
            assert total == len(stored)
            return total

    # Signing and checking.

    @contextmanager
    def sealer(self, database: str = DATABASE, *, standbys: int = 0) -> Iterator[Sealer]:
        """A sealer that remembers in this site's folder, not in the database."""
        with self.connect("sealer", database) as connection:
            yield Sealer(connection, [self.key], StateFolder(self.folder / "state"), standbys=standbys)

    def seal(self, pharmacy: UUID | None = None) -> Sealed | None:
        with self.sealer() as sealer:
            return sealer.seal(self.log(sealer.connection, pharmacy))

    def log(self, connection: psycopg.Connection[Any], pharmacy: UUID | None = None) -> LogRow:
        return next(open_log for open_log in open_logs(connection) if open_log.pharmacy == (pharmacy or self.pharmacy))

    def keys(self, origin: str) -> list[verify.Key]:
        return [verify.Key.parse(str(self.key.named(origin).verifier))]

    def reports(self, database: str = DATABASE, *, kind: str = "owner", **more: Any) -> list[verify.Report]:
        """The verifier's report on each log of this site's pharmacy, the oldest first."""
        with self.connect(kind, database) as connection:
            logs = sorted(all_logs(connection, self.pharmacy), key=lambda log: log.origin)
            return [
                live.check_log(connection, log, self.keys(log.origin), **{"grace": 0, **more}).report for log in logs
            ]

    def report(self, database: str = DATABASE, **more: Any) -> verify.Report:
        (report,) = self.reports(database, **more)
        return report

    # The server.

    def wait_for_backends(self) -> None:
        """Until nobody of the application is connected: a backend finishes what its dead client asked for."""
        with self.connect("superuser") as admin:
            deadline = time.monotonic() + 30
            asked = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
            while admin.execute(asked, [self.roles.app.name]).fetchone() != (0,):
                assert time.monotonic() < deadline, "a backend does not end"
                time.sleep(0.02)

    def wait(self) -> None:
        """Until the server lets people in again."""
        deadline = time.monotonic() + 60
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def _again(folder: Path) -> SignerKey:
    from dispensary.audit.sealing.keys import read_keys

    return read_keys(folder / "keys" / "key")[0]


def prepare(site: OwnSite, database: str = DATABASE, *, roles: bool = True) -> OwnSite:
    """Make the roles and the database with the log's own SQL and the table of dispenses."""
    with psycopg.connect(site.server.url(), autocommit=True) as admin:
        if roles:
            make_roles(admin, site.roles)
        make_database(admin, database, site.roles)
    with site.connect("owner", database) as owner:
        for file in sorted(SQL.glob("0*.sql")):
            owner.execute(file.read_text(encoding="utf-8"))
        owner.execute("CREATE TABLE public.dispense (id uuid PRIMARY KEY, entry uuid NOT NULL UNIQUE)")
        owner.execute("CREATE TABLE public.django_migrations (id serial, app text, name text)")
        for statement in grant_statements(LogRoles(*(role.name for role in site.roles))):
            owner.execute(statement.encode())
    return site


@contextmanager
def own_site(
    *,
    durable: bool = False,
    settings: Mapping[str, str] = {},
    environment: Mapping[str, str] = {},
    before_start: Any = None,
) -> Iterator[OwnSite]:
    """A running site that is gone afterwards. `before_start(server, folder)` may change the data folder of a server at rest."""
    with working_folder() as folder:
        server = Tuned(folder, "only-for-this-test", durable=durable, settings=settings, environment=environment)
        try:
            if before_start:
                server.start()
                server.stop()
                before_start(server, folder)
            server.start()
            yield prepare(OwnSite(server, Roles.named("faults", dict.fromkeys(KINDS, "x")), folder))
        finally:
            server.stop()


def stand_in(site: OwnSite, data: Path, **more: Any) -> Tuned:
    """A server, not started, on a copy of the site's data folder that lies in `data`."""
    other = Tuned(data.parent, site.server.password, durable=site.server.durable, **more)
    assert other.data == data, "the copy must lie in a folder of its own, under the name postgres"
    return other


def give_to_server(path: Path, mode: int = 0o755) -> Path:
    """A folder that the server's user may write to."""
    path.mkdir(parents=True, exist_ok=True)
    user = server_user()
    if user:
        shutil.chown(path, user.pw_uid, user.pw_gid)
    path.chmod(mode)
    return path


def append_one(connection: psycopg.Connection[Any], pharmacy: UUID, subject: str = "later", body: str = "{}") -> UUID:
    row = connection.execute(
        "SELECT audit.append(%s, 'test.example/' || %s::text, 'x.y', 'success', 'user:1', 'pharmacist', now(), 'x', %s, %s)",
        [pharmacy, str(pharmacy), subject, body],
    ).fetchone()
    assert row is not None
    return UUID(str(row[0]))


def append_dispense(connection: psycopg.Connection[Any], pharmacy: UUID) -> str:
    """One dispense and its entry, in the open transaction."""
    dispense = str(uuid4())
    entry = append_one(connection, pharmacy, dispense)
    connection.execute("INSERT INTO public.dispense VALUES (%s, %s)", [dispense, entry])
    return dispense
