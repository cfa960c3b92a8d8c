"""The log survives every lawful journey of its database: copied, replicated, restored, upgraded, written in odd sessions.

After each of them every leaf is recomputed, what was signed before still holds, and life goes on or the sealer says why not.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from deploy.servers import KINDS, Roles
from deploy.servers.processes import BARE_ENVIRONMENT, free_port, identity_of, server_user
from dispensary.audit.checks import live
from dispensary.audit.evidence import verify
from dispensary.audit.log.database import all_logs
from dispensary.audit.sealing.sealer import Sealer, SealRefused
from tests.dispensary.audit.own import (
    DATABASE,
    SQL,
    OwnSite,
    Tuned,
    append_one,
    give_to_server,
    own_site,
    prepare,
    stand_in,
)
from tests.dispensary.audit.signing import RETENTION, statement
from tests.site import working_folder

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.fixture(scope="module")
def site() -> Iterator[OwnSite]:
    with own_site(durable=True, settings={"wal_level": "logical"}) as site:
        yield site


@pytest.fixture
def fresh(site: OwnSite) -> OwnSite:
    """The same server with a pharmacy that has no log yet."""
    site.pharmacies = [uuid4()]
    return site


def kinds(report: verify.Report) -> list[str]:
    return [finding.kind for finding in report.findings]


def copied(site: OwnSite, name: str, *options: str) -> Path:
    """A physical copy of the running server, as a backup program makes it."""
    folder = give_to_server(site.folder / name)
    where = f"host=127.0.0.1 port={site.server.port} user=postgres dbname=postgres"
    site.server.run_program(
        "pg_basebackup", "-D", folder / "postgres", "-d", where, "-c", "fast", "-X", "stream", *options
    )
    return folder / "postgres"


def moved(site: OwnSite, server: Tuned) -> OwnSite:
    """The same site with another server: its key and the sealer's memory are not in the database."""
    other = OwnSite(server, site.roles, site.folder)
    other.pharmacies = site.pharmacies
    return other


def test_a_physical_copy_taken_under_load_is_whole_and_goes_on(fresh: OwnSite) -> None:
    site = fresh
    writers = site.writers()
    data = copied(site, "copy")
    site.collect(writers)
    server = stand_in(site, data)
    server.start()
    try:
        other = moved(site, server)
        other.acknowledged = set()
        assert 10 <= other.check() <= site.check()
        other.dispense(3)
        other.check()
        other.seal()
        assert kinds(other.report()) == []
    finally:
        server.stop()


def test_a_backup_put_back_is_refused_by_the_sealer_and_continued_as_a_new_log(fresh: OwnSite) -> None:
    """The drill with real files: backup, a morning's work, a crash, the backup put back."""
    site = fresh
    site.dispense(5)
    site.seal()
    data = copied(site, "backup")
    site.dispense(4)
    sealed = site.seal()
    assert sealed is not None
    with site.sealer() as sealer:
        state = sealer.states.load(sealed.log.log_id)
    assert state is not None
    server = stand_in(site, data)
    server.start()
    try:
        back = moved(site, server)
        for work in (0, 2, 4):  # at once, while the numbers catch up, and when they have passed what was signed
            back.dispense(work)
            with pytest.raises(SealRefused, match="FORK"):
                back.seal()
        with back.connect("owner") as owner:
            owner.execute(
                "SELECT audit.open_incarnation(%s, %s, 'Restored.', 'user:1', 'manager', 'user:2', 'Ann', now())",
                [sealed.log.log_id, state.note],
            )
        back.dispense(2)
        back.seal()
        old, new = back.reports()
        assert (new.exit, new.last) == (verify.OK, 3)
        assert kinds(old) == ["UNSEALED"]  # what was written between the restore and the new log was never signed
        problems = held_against(back, sealed.log.log_id, state.note)
        assert kinds(problems) == ["ROOT_MISMATCH", "UNSEALED"]
    finally:
        server.stop()


def held_against(site: OwnSite, log_id: Any, note: str) -> verify.Report:
    with site.connect() as connection:
        log = next(log for log in all_logs(connection, site.pharmacy) if log.log_id == log_id)
        return live.check_log(
            connection, log, site.keys(log.origin), held_checkpoints=[("the note kept outside", note.encode())], grace=0
        ).report


def test_a_logical_replica_holds_the_same_log_and_does_not_chain_anew(fresh: OwnSite) -> None:
    site = fresh
    site.append(20)
    site.seal()
    prepare(site, "replica", roles=False)
    with site.connect("superuser") as source:
        source.execute(
            "CREATE PUBLICATION audit_out FOR TABLES IN SCHEMA audit WITH (publish_via_partition_root = true)"
        )
        source.execute("SELECT pg_create_logical_replication_slot('audit_out', 'pgoutput')")
    with site.connect("superuser", "replica") as replica:
        replica.execute(
            f"CREATE SUBSCRIPTION audit_in CONNECTION '{site.server.url(database=DATABASE)}' PUBLICATION audit_out "
            "WITH (create_slot = false, slot_name = 'audit_out')"
        )
    try:
        caught_up(site, 20)
        site.append(15)  # these come one by one, while the first ones were copied
        site.seal()
        caught_up(site, 35)
        here, there = site.report(), site.report("replica")
        assert (there.exit, there.last, there.covered, kinds(there)) == (verify.OK, 35, 35, [])
        assert links(site, DATABASE) == links(site, "replica")
        with site.connect("owner") as owner:
            log = site.log(owner)
            owner.execute(
                "SELECT audit.erase(%s, '{3,4}', 'on request', 'user:1', 'manager', 'user:2', 'Ann', now(), %s)",
                [log.log_id, statement("audit.erased", log.log_id, [[3, 4]])],
            )
        site.seal()
        caught_up(site, 36)
        erased = site.report("replica", retention=RETENTION)
        assert [(erasure.what, erasure.first, erasure.last, erasure.by) for erasure in erased.authorised] == [
            ("ERASED", 3, 4, 36)
        ]
        assert (here.exit, erased.exit) == (verify.OK, verify.OK)
        with site.connect("owner", "replica") as owner, pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute("DELETE FROM audit.entry")
    finally:
        with site.connect("superuser", "replica") as replica:
            replica.execute("DROP SUBSCRIPTION audit_in")
        with site.connect("superuser") as source:
            source.execute("DROP PUBLICATION audit_out")


def caught_up(site: OwnSite, size: int) -> None:
    deadline = time.monotonic() + 60
    with site.connect("superuser", "replica") as replica:
        asked = """SELECT count(DISTINCT l.seq), count(DISTINCT e.entry_id), max(c.size) FROM audit.log g
            LEFT JOIN audit.link l USING (log_id) LEFT JOIN audit.entry e ON e.entry_id = l.entry_id
            LEFT JOIN audit.checkpoint c ON c.log_id = g.log_id WHERE g.pharmacy = %s"""
        while replica.execute(asked, [site.pharmacy]).fetchone() != (size,) * 3:
            assert time.monotonic() < deadline, "the replica does not catch up"
            time.sleep(0.1)
        if size == 36:
            while replica.execute("SELECT count(*) FROM audit.erasure").fetchone() != (2,):
                time.sleep(0.1)


def links(site: OwnSite, database: str) -> list[Any]:
    with site.connect("superuser", database) as connection:
        return connection.execute("SELECT * FROM audit.link ORDER BY log_id, seq").fetchall()


ODD = (
    "timezone = 'Australia/Lord_Howe'",
    "datestyle = 'German, DMY'",
    "intervalstyle = 'iso_8601'",
    "bytea_output = 'escape'",
    "standard_conforming_strings = off",
    "lc_numeric = 'C'",
    "client_encoding = 'LATIN1'",
    "extra_float_digits = -15",
    "quote_all_identifiers = on",
    "array_nulls = off",
    "default_text_search_config = 'pg_catalog.german'",
    "search_path = pg_temp, public",
    "row_security = off",
    "xmlbinary = hex",
    "jit = on",
    "transform_null_equals = on",
)


def test_entries_written_in_odd_sessions_verify_in_every_other(fresh: OwnSite) -> None:
    """The hash does not depend on the settings of either side."""
    site = fresh
    for setting in ODD:
        with site.connect("app") as app:
            app.execute(f"SET {setting}")
            append_one(app, site.pharmacy, subject='d\u00e9j\u00e0 "vu" \\ \'', body='{"x":"\u00e9\\\\"}')
    site.seal()
    for setting in ODD:
        with site.connect("owner") as owner:
            if "encoding" not in setting:
                owner.execute(f"SET {setting}")
            (log,) = all_logs(owner, site.pharmacy)
            log_report = live.check_log(owner, log, site.keys(log.origin), grace=0).report
            assert (log_report.exit, log_report.covered, kinds(log_report)) == (verify.OK, len(ODD), []), setting


def test_a_database_with_other_defaults_writes_the_same_bytes(fresh: OwnSite) -> None:
    """A whole server that was set up elsewhere: another time zone, another date style, on the day the clocks change."""
    site = fresh
    with site.connect("superuser") as admin:
        for setting in ODD[:4]:
            admin.execute(f"ALTER DATABASE {DATABASE} SET {setting}")
    try:
        site.append(5)
        site.seal()
        assert kinds(site.report()) == []
    finally:
        with site.connect("superuser") as admin:
            admin.execute(f"ALTER DATABASE {DATABASE} RESET ALL")
    assert kinds(site.report()) == []


# The standby: nothing is signed that could still be lost with this server.


def test_the_sealer_waits_for_a_standby_that_lags(fresh: OwnSite) -> None:
    site = fresh
    site.dispense(3)
    data = copied(site, "standby", "-R")
    standby = stand_in(site, data)
    standby.start()
    try:
        with site.sealer(standbys=1) as sealer:
            log = site.log(sealer.connection)
            with pytest.raises(SealRefused, match="GRANT pg_read_all_stats"):  # blind, and it says so
                sealer.seal(log)
            with site.connect("superuser") as admin:
                admin.execute(f'GRANT pg_read_all_stats TO "{site.roles.sealer.name}"')
            assert signed(sealer, log) == 3
            receiver = receiver_of(site, standby)
            subprocess.run(["kill", "-STOP", str(receiver)], check=True)
            try:
                site.dispense(2)
                assert sealer.seal(log) is None, "signed ahead of the standby"
                assert newest(sealer, log.log_id) == 3
            finally:
                subprocess.run(["kill", "-CONT", str(receiver)], check=True)
            assert signed(sealer, log) == 5
            standby.stop()
            site.dispense(1)
            assert sealer.seal(log) is None
            assert newest(sealer, log.log_id) == 5
        server_log = moved(site, standby)
        standby.start()
        assert caught(server_log, 5)
    finally:
        standby.stop()


def signed(sealer: Sealer, log: Any) -> int:
    deadline = time.monotonic() + 60
    while (done := sealer.seal(log)) is None:
        assert time.monotonic() < deadline, "the standby does not catch up"
    return done.size


def newest(sealer: Sealer, log_id: Any) -> int:
    row = sealer.connection.execute("SELECT max(size) FROM audit.checkpoint WHERE log_id = %s", [log_id]).fetchone()
    return int(row[0]) if row else 0


def caught(standby: OwnSite, size: int) -> bool:
    """The standby, read-only as it is, verifies for itself up to what was signed."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        report = standby.report()
        if report.covered >= size:
            return report.exit in (verify.OK, verify.INCOMPLETE)
        time.sleep(0.2)
    return False


def receiver_of(site: OwnSite, standby: Tuned) -> int:
    """The process of the standby that takes in the journal."""
    with psycopg.connect(standby.url(), autocommit=True) as connection:
        row = connection.execute("SELECT pid FROM pg_stat_wal_receiver").fetchone()
    assert row is not None
    return int(row[0])


# Another version of PostgreSQL.


def older_server() -> Path:
    """The programs of an older major version, as Debian installs them."""
    upgraders = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_upgrade"))
    if not upgraders:
        pytest.skip("an upgrade needs an older PostgreSQL on this machine (Debian: postgresql)")
    return upgraders[-1].parent


class Older(Tuned):
    """A server of the older version."""

    def binaries(self) -> Path:
        return older_server()

    def _make_data(self) -> None:
        if not self.data.exists():
            give_to_server(self.data, 0o700)
            initialise(self, "--locale=C")


def initialise(server: Tuned, *options: str) -> None:
    secret = server.data.with_name("secret")
    secret.write_text(server.password)
    secret.chmod(0o644)
    server.run_program(
        "initdb", "-D", server.data, "-U", "postgres", f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8",
        "--no-sync", *options,
    )  # fmt: skip


@pytest.fixture
def old_site() -> Iterator[OwnSite]:
    older_server()
    with working_folder() as folder:
        server = Older(folder, "only-for-this-test", durable=False)
        server.start()
        try:
            yield prepare(OwnSite(server, Roles.named("faults", dict.fromkeys(KINDS, "x")), folder))
        finally:
            server.stop()


def unknown_option(data: Path) -> str | None:
    """Return what the new server said of an option that the dump of the old one carries and our statements do not name."""
    ours = "".join(path.read_text(encoding="utf-8") for path in SQL.glob("*.sql"))
    for log in sorted(data.glob("pg_upgrade_output.d/**/*.log")):
        for refused in re.finditer(
            r'unrecognized (?:configuration )?parameter "(\w+)"', log.read_text(encoding="utf-8", errors="replace")
        ):
            if refused[1] not in ours:
                return refused[0]
    return None


def test_only_an_option_that_is_not_ours_excuses_an_upgrade(tmp_path: Path) -> None:
    logs = tmp_path / "pg_upgrade_output.d" / "20261129T061500.000" / "log"
    logs.mkdir(parents=True)
    assert unknown_option(tmp_path) is None
    error_text = 'pg_restore: error: ERROR:  unrecognized parameter "{}"\n'
    (logs / "pg_upgrade_dump_16384.log").write_text(error_text.format("gin_pending_list_limit"))
    assert unknown_option(tmp_path) is None
    (logs / "pg_upgrade_dump_16385.log").write_text(error_text.format("pg_attver"))
    assert unknown_option(tmp_path) == 'unrecognized parameter "pg_attver"'


def test_an_upgrade_to_the_next_major_version_keeps_every_leaf(old_site: OwnSite) -> None:
    site = old_site
    site.dispense(30)
    site.seal()
    before = links(site, DATABASE)
    note = site.report()
    site.server.stop()

    folder = give_to_server(site.folder / "new")
    server = Tuned(folder, site.server.password, durable=False)
    binaries = server.binaries()
    give_to_server(server.data, 0o700)
    initialise(server, "--no-data-checksums", "--locale=C")
    ports = ["-p", str(free_port()), "-P", str(free_port())]
    done = subprocess.run(
        [binaries / "pg_upgrade", "-b", older_server(), "-B", binaries, "-d", site.server.data, "-D", server.data,
         "-U", "postgres", "-s", folder, *ports],
        cwd=folder, env={**BARE_ENVIRONMENT, "PGPASSWORD": site.server.password}, capture_output=True, text=True,
        check=False, **identity_of(server_user()),
    )  # fmt: skip
    if done.returncode and (misfit := unknown_option(server.data)):
        pytest.skip(f"this machine's older PostgreSQL writes what the new one refuses: {misfit}")
    assert done.returncode == 0, done.stdout[-3000:]
    server.start()
    try:
        other = moved(site, server)
        assert links(other, DATABASE) == before
        report = other.report()
        assert (report.exit, report.last, report.covered) == (note.exit, 30, 30)
        other.dispense(3)
        assert (again := other.seal()) is not None
        assert again.size == 33
        assert kinds(other.report()) == []
        with other.connect("app") as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DELETE FROM audit.entry")
        with other.connect("superuser") as admin, pytest.raises(psycopg.errors.InsufficientPrivilege):
            admin.execute("DELETE FROM audit.entry")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
