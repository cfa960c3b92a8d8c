"""Crashes of workers, of backends and of the whole server: what was acknowledged is there, and the log is whole.

On a server of its own, with a table that stands for the business; `make test-faults` runs it for longer.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import psycopg
import pytest

from dispensary.audit.checks import live
from dispensary.audit.log.database import all_logs
from tests.dispensary.audit.own import LONG, OwnSite, append_one, own_site

pytestmark = [pytest.mark.faults, pytest.mark.slow]

ROUNDS = 10 if LONG else 2


@pytest.fixture(scope="module")
def site() -> Iterator[OwnSite]:
    with own_site(durable=True) as site:
        yield site


def test_workers_shot_at_any_moment_leave_whole_transactions(site: OwnSite) -> None:
    before = 0
    for number in range(ROUNDS):
        writers = site.writers()
        time.sleep(0.3 + number * 0.137)
        site.collect(writers)
        after = site.check()
        assert after > before
        before = after


def test_backends_terminated_under_load_leave_whole_transactions(site: OwnSite) -> None:
    for number in range(ROUNDS):
        writers = site.writers()
        time.sleep(0.3 + number * 0.137)
        with psycopg.connect(site.server.url(), autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [site.roles.app.name]
            )
        site.collect(writers)
        site.check()


def test_a_backend_killed_hard_takes_the_server_through_recovery_and_nothing_is_lost(site: OwnSite) -> None:
    writers = site.writers()
    time.sleep(0.5)
    with psycopg.connect(site.server.url(), autocommit=True) as admin:
        (pid,) = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = %s LIMIT 1", [site.roles.app.name]
        ).fetchone() or (0,)
    os.kill(pid, signal.SIGKILL)
    site.collect(writers)
    site.wait()
    site.check()


def test_a_crashed_server_recovers_with_the_log_whole(site: OwnSite) -> None:
    for _ in range(ROUNDS):
        writers = site.writers()
        time.sleep(0.5)
        site.server.stop(signal.SIGQUIT)  # immediate: no checkpoint, no goodbye
        site.collect(writers)
        site.server.start()
        site.check()


def test_a_dump_restored_elsewhere_verifies_and_goes_on(site: OwnSite) -> None:
    writers = site.writers(1)
    time.sleep(0.1)
    site.collect(writers)
    count = site.check()
    programs = site.server.binaries()
    dump = site.folder / "dump"
    subprocess.run([programs / "pg_dump", "-Fc", "-f", dump, site.server.url(database="faults")], check=True)
    with psycopg.connect(site.server.url(), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE restored OWNER "{site.roles.owner.name}" TEMPLATE template0')
    subprocess.run([programs / "pg_restore", "-d", site.server.url(database="restored"), dump], check=True)
    with site.connect("owner", "restored") as owner:
        (log,) = all_logs(owner, site.pharmacy)
        assert live.check_log(owner, log, [], grace=0).report.last == count
    with site.connect("app", "restored") as app:
        append_one(app, site.pharmacy)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DELETE FROM audit.entry")
    with site.connect("owner", "restored") as owner:
        report = live.check_log(owner, log, [], grace=0).report
        assert (report.last, [finding.kind for finding in report.findings]) == (count + 1, ["UNSEALED"])
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            owner.execute("DELETE FROM audit.entry")


def test_a_statement_timeout_and_a_full_row_leave_nothing(site: OwnSite) -> None:
    before = site.check()
    with site.connect("app") as app:
        for milliseconds in (1, 2, 5, 20) * 10:
            with pytest.raises(psycopg.errors.QueryCanceled), app.transaction():
                app.execute(f"SET LOCAL statement_timeout = {milliseconds}")
                append_one(app, site.pharmacy)
                app.execute("SELECT pg_sleep(1)")
        with pytest.raises(psycopg.errors.ProgramLimitExceeded), app.transaction():
            append_one(app, site.pharmacy, subject="x" * 9000)
    assert site.check() == before
