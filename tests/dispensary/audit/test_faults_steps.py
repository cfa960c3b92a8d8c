"""A worker or its backend killed at each step of one dispense: the dispense, its entries and their links are there together or not.

Ten points between the first statement and the moment when the caller knows; at each the process is killed with SIGKILL.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from tests.dispensary.audit.own import LONG, OwnSite, own_site
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.slow]

WORKER = """
import sys, uuid, psycopg
url, pharmacy, stop = sys.argv[1], sys.argv[2], sys.argv[3]
connection = psycopg.connect(url)
def at(name):
    if name == stop:
        print(connection.info.backend_pid, flush=True)
        sys.stdin.read()
def append(action, subject):
    return connection.execute(
        "SELECT audit.append(%s, 'test.example/' || %s, %s, 'success', 'user:1', 'pharmacist', now(), 'dispense', %s, '{}')",
        [pharmacy, pharmacy, action, subject]).fetchone()[0]
one, two = str(uuid.uuid4()), str(uuid.uuid4())
connection.execute("SELECT 1"); at("begun")
first = append("dispense.completed", one); at("first entry")
connection.execute("INSERT INTO public.dispense VALUES (%s, %s)", [one, first]); at("first row")
connection.execute("SAVEPOINT s")
append("dispense.completed", "taken back"); at("inside a savepoint")
connection.execute("ROLLBACK TO SAVEPOINT s"); at("savepoint taken back")
second = append("dispense.completed", two); at("second entry")
connection.execute("INSERT INTO public.dispense VALUES (%s, %s)", [two, second]); at("second row")
if stop == "linked":
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
at("linked")
if stop.startswith("commit"):
    print(connection.info.backend_pid, flush=True)
connection.commit()
at("known")
"""
BEFORE = (
    "begun",
    "first entry",
    "first row",
    "inside a savepoint",
    "savepoint taken back",
    "second entry",
    "second row",
    "linked",
)
LOCKED, FLUSHED, KNOWN = "commit waits for the head", "commit flushed, not acknowledged", "known"
POINTS = (*BEFORE, LOCKED, FLUSHED, KNOWN)


@pytest.fixture(scope="module")
def site() -> Iterator[OwnSite]:
    with own_site(durable=True) as site:
        site.dispense()  # opens the log
        yield site


def stopped_at(site: OwnSite, point: str, stack: ExitStack) -> tuple[subprocess.Popen[str], int]:
    """A worker that stands at the point, and its backend's process id."""
    if point == LOCKED:  # a commit that waits for somebody else's commit
        holder = stack.enter_context(site.connect("superuser", autocommit=False))
        holder.execute("SELECT FROM audit.head FOR UPDATE")
    if point == FLUSHED:  # a commit that is on this disk and waits for a standby that never answers
        admin = stack.enter_context(site.connect("superuser"))
        admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        admin.execute("SELECT pg_reload_conf()")
        time.sleep(0.3)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, site.url("app"), str(site.pharmacy), point],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert worker.stdout is not None
    backend = int(worker.stdout.readline())
    if point in (LOCKED, FLUSHED):
        wait_event = "transactionid" if point == LOCKED else "SyncRep"
        deadline = time.monotonic() + 30
        with site.connect("superuser") as admin:
            asked = "SELECT wait_event FROM pg_stat_activity WHERE pid = %s"
            while admin.execute(asked, [backend]).fetchone() not in ((wait_event,), ("tuple",)):
                assert time.monotonic() < deadline, f"the commit does not get to: {point}"
                time.sleep(0.02)
    return worker, backend


def let_go(site: OwnSite, point: str) -> None:
    if point == FLUSHED:
        with site.connect("superuser") as admin:
            admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
            admin.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_at_any_step_leaves_all_or_nothing(site: OwnSite, point: str) -> None:
    before = site.check()
    with ExitStack() as stack:
        worker, _ = stopped_at(site, point, stack)
        worker.kill()
        worker.communicate()
    let_go(site, point)
    # A commit that was asked for is carried out by the backend, whether or not anybody still waits for the answer.
    assert site.check() - before == (0 if point in BEFORE else 2)


@pytest.mark.parametrize("point", POINTS if LONG else ("second row", "linked", LOCKED, FLUSHED))
def test_a_backend_killed_at_any_step_leaves_all_or_nothing(site: OwnSite, point: str) -> None:
    before = site.check()
    other_session = site.connect("superuser")
    with ExitStack() as stack:
        worker, backend = stopped_at(site, point, stack)
        os.kill(backend, signal.SIGKILL)  # the server ends all sessions and recovers from its journal
        worker.kill()
        worker.communicate()
        stack.pop_all()  # those sessions are gone with the server's
    with pytest.raises(psycopg.OperationalError):  # until then the server still takes connections that it will end
        wait_until(lambda: not other_session.execute("SELECT 1"), seconds=60)
    site.wait()
    let_go(site, point)
    assert site.check() - before == (2 if point in (FLUSHED, KNOWN) else 0)
    site.dispense()
    site.seal()
    assert [finding.kind for finding in site.report().findings] == []
