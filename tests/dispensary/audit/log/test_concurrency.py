"""Many counters at once: one order, no forks, no waiting for somebody who has not committed, no deadlocks.

Each of these is a mistake that hash chains in PostgreSQL are known for: the tail read without a lock, the lock held
across application code, the order taken from a clock, the time hashed more finely than it is stored, the body
serialised anew.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import OperationalError, transaction
from psycopg import errors

from dispensary import audit
from dispensary.actors import Actor
from dispensary.audit.checks import live
from dispensary.audit.evidence import verify
from dispensary.audit.log.canonical import canonical, plain
from dispensary.audit.log.database import all_logs
from dispensary.audit.log.links import linked_entries
from dispensary.audit.sealing.merkle import leaf_hash
from dispensary.models import Pharmacy
from tests.site import Database

APPEND = """SELECT audit.append(%s, %s, 'dispense.completed', 'success', 'user:1', 'pharmacist', now(), 'dispense', %s, '{}')"""


@pytest.fixture
def connect(django_db_setup: None, database: Database) -> Iterator[Callable[[], psycopg.Connection[Any]]]:
    """Connections of the application's role, closed at the end."""
    made: list[psycopg.Connection[Any]] = []

    def open_connection(**options: Any) -> psycopg.Connection[Any]:
        made.append(database.connect("app", **{"autocommit": False, **options}))
        return made[-1]

    yield open_connection
    for connection in made:
        connection.close()


def append(connection: psycopg.Connection[Any], pharmacy: UUID, subject: str = "d1") -> UUID:
    row = connection.execute(APPEND, [pharmacy, f"test.example/{pharmacy}", subject]).fetchone()
    assert row is not None
    return row[0]


def report(connection: psycopg.Connection[Any], pharmacy: UUID) -> live.Result:
    (log,) = all_logs(connection, pharmacy)
    return live.check_log(connection, log, [], grace=0)


@pytest.fixture
def auditor(django_db_setup: None, database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect("auditor") as connection:
        yield connection


@pytest.mark.parametrize("logs", [1, 5])
def test_concurrent_writers_make_one_gapless_chain_a_log(
    connect: Callable[..., psycopg.Connection[Any]], auditor: psycopg.Connection[Any], logs: int
) -> None:
    pharmacies = [uuid4() for _ in range(logs)]
    writers, entries_per_writer = 8, 60
    ready = threading.Barrier(writers)

    def work(connection: psycopg.Connection[Any], number: int) -> None:
        ready.wait()
        for turn in range(entries_per_writer):
            append(connection, pharmacies[(number + turn) % logs])
            connection.commit()

    connections = [connect() for _ in range(writers)]
    with ThreadPoolExecutor(writers) as pool:
        for done in [pool.submit(work, connection, number) for number, connection in enumerate(connections)]:
            done.result()
    total = 0
    for pharmacy in pharmacies:
        result = report(auditor, pharmacy)
        assert [finding.kind for finding in result.report.findings] == ["UNSEALED"]
        assert result.unlinked == 0
        assert result.report.last == result.report.entries
        total += result.report.entries
    assert total == writers * entries_per_writer


def test_the_first_entries_of_a_pharmacy_open_one_log(
    connect: Callable[..., psycopg.Connection[Any]], auditor: psycopg.Connection[Any]
) -> None:
    for _ in range(5):
        pharmacy, writers = uuid4(), 8
        ready = threading.Barrier(writers)

        def work(
            connection: psycopg.Connection[Any], pharmacy: UUID = pharmacy, ready: threading.Barrier = ready
        ) -> None:
            ready.wait()
            append(connection, pharmacy)
            connection.commit()

        connections = [connect() for _ in range(writers)]
        with ThreadPoolExecutor(writers) as pool:
            for done in [pool.submit(work, connection) for connection in connections]:
                done.result()
        assert len(all_logs(auditor, pharmacy)) == 1
        assert report(auditor, pharmacy).report.last == writers
        for connection in connections:
            connection.close()


def test_a_first_entry_that_is_rolled_back_leaves_no_log_behind(
    connect: Callable[..., psycopg.Connection[Any]], auditor: psycopg.Connection[Any]
) -> None:
    pharmacy = uuid4()
    first, second = connect(), connect()
    append(first, pharmacy)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(append, second, pharmacy)
        time.sleep(0.2)
        first.rollback()
        waiting.result(5)
    second.commit()
    assert report(auditor, pharmacy).report.last == 1


def test_numbers_follow_commits_and_not_the_clock(
    connect: Callable[..., psycopg.Connection[Any]], auditor: psycopg.Connection[Any]
) -> None:
    pharmacy = uuid4()
    early, late = connect(), connect()
    append(early, pharmacy, "opens the log")
    early.commit()
    append(early, pharmacy, "written first, committed last")
    time.sleep(0.02)
    append(late, pharmacy, "written last, committed first")
    late.commit()
    early.commit()
    rows = auditor.execute(
        "SELECT subject_id, recorded_at FROM audit.line WHERE pharmacy = %s ORDER BY seq", [pharmacy]
    ).fetchall()
    assert [subject for subject, _ in rows[1:]] == ["written last, committed first", "written first, committed last"]
    assert rows[1][1] > rows[2][1]
    assert [finding.kind for finding in report(auditor, pharmacy).report.findings] == ["UNSEALED"]


def test_nobody_waits_for_a_transaction_that_has_appended_and_idles(
    connect: Callable[..., psycopg.Connection[Any]],
) -> None:
    pharmacy = uuid4()
    idle, busy = connect(), connect()
    append(busy, pharmacy)
    busy.commit()
    append(idle, pharmacy)
    began = time.monotonic()
    for _ in range(10):
        append(busy, pharmacy)
        busy.commit()
    assert time.monotonic() - began < 1.0  # ten whole commits, on a loaded machine; a held lock would last for ever
    idle.commit()


def test_two_logs_in_one_transaction_never_deadlock_whatever_the_order(
    connect: Callable[..., psycopg.Connection[Any]], auditor: psycopg.Connection[Any]
) -> None:
    first, other = uuid4(), uuid4()
    turns = 80
    ready = threading.Barrier(2)

    def work(connection: psycopg.Connection[Any], order: tuple[UUID, UUID]) -> None:
        ready.wait()
        for _ in range(turns):
            for pharmacy in order:
                append(connection, pharmacy)
            connection.commit()

    opener = connect()
    for pharmacy in (first, other):
        append(opener, pharmacy)
        opener.commit()
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(work, connect(), order) for order in ((first, other), (other, first))]
        for job in jobs:
            job.result()
    assert report(auditor, first).report.last == report(auditor, other).report.last == 2 * turns + 1


@pytest.mark.parametrize("level", [psycopg.IsolationLevel.REPEATABLE_READ, psycopg.IsolationLevel.SERIALIZABLE])
def test_other_isolation_levels_fail_before_anything_is_written(
    connect: Callable[..., psycopg.Connection[Any]], auditor: psycopg.Connection[Any], level: psycopg.IsolationLevel
) -> None:
    pharmacy = uuid4()
    connection = connect()
    connection.isolation_level = level
    with pytest.raises(errors.FeatureNotSupported, match="READ COMMITTED"):
        append(connection, pharmacy)
    connection.rollback()
    assert all_logs(auditor, pharmacy) == []


@pytest.mark.slow
def test_a_stuck_head_fails_the_commit_loudly_within_seconds(
    connect: Callable[..., psycopg.Connection[Any]], database: Database
) -> None:
    pharmacy = uuid4()
    writer = connect()
    append(writer, pharmacy)
    writer.commit()
    with database.connect("superuser", autocommit=False) as stuck:
        stuck.execute(
            "SELECT FROM audit.head h JOIN audit.log USING (log_id) WHERE pharmacy = %s FOR UPDATE OF h", [pharmacy]
        )
        append(writer, pharmacy)
        began = time.monotonic()
        with pytest.raises(errors.LockNotAvailable):
            writer.commit()
        assert 4 < time.monotonic() - began < 15


def test_an_entry_that_is_minutes_old_at_commit_is_refused(
    connect: Callable[..., psycopg.Connection[Any]], database: Database
) -> None:
    pharmacy = uuid4()
    writer = connect()
    append(writer, pharmacy)
    writer.commit()
    with database.connect("superuser", autocommit=False) as admin:
        admin.execute(
            """INSERT INTO audit.entry SELECT gen_random_uuid(), log_id, recorded_at - interval '6 minutes', occurred_at, txid,
                db_role, actor, actor_role, second_actor, station, request_id, action, outcome, reason_code, subject_type, subject_id,
                patient_ref, drug_code, rule_codes, ruleset, engine, corrects_seq, body_commit, body_kind, v
                FROM audit.entry WHERE log_id = (SELECT log_id FROM audit.log WHERE pharmacy = %s)""",
            [pharmacy],
        )
        with pytest.raises(errors.SerializationFailure, match="5 minutes"):
            admin.commit()


def test_what_is_hashed_is_what_the_database_stored(
    connect: Callable[..., psycopg.Connection[Any]], auditor: psycopg.Connection[Any]
) -> None:
    """Times in microseconds and text as it is: every leaf recomputes from the columns, in whatever zone they are read."""
    pharmacy = uuid4()
    writer = connect()
    for number in range(20):
        append(writer, pharmacy, f'{number}\u2028"\\é\U0001f600')
        writer.commit()
    auditor.execute("SET timezone = 'Australia/Lord_Howe'")
    (log,) = all_logs(auditor, pharmacy)
    row = auditor.execute("SELECT genesis FROM audit.log WHERE log_id = %s", [log.log_id]).fetchone()
    assert row is not None
    prev = bytes(row[0])
    for linked in linked_entries(auditor, log.log_id):
        assert leaf_hash(linked.header(prev)) == linked.leaf
        prev = linked.leaf


@pytest.mark.django_db(transaction=True)
def test_a_body_is_stored_as_the_very_text_that_was_committed_to(
    committed_pharmacy: Pharmacy, database: Database
) -> None:
    body = {"z": 1, "a": {"é": ["\u2028", True]}, "amount": "007.50", "quote": '"\\/'}
    with transaction.atomic():
        entry = audit.record(
            audit.Event.DISPENSED,
            pharmacy=committed_pharmacy,
            by=Actor.system("test", committed_pharmacy.pk),
            now=dt.datetime(2026, 11, 22, tzinfo=dt.UTC),
            subject=committed_pharmacy,
            body=body,
        )
    with database.connect("auditor") as auditor:
        row = auditor.execute("SELECT body FROM audit.body WHERE entry_id = %s", [entry]).fetchone()
    assert row == (canonical(plain({**body, "by": "Dispensary (test)"})),)
    assert verify.read_canonical(row[0])["amount"] == "007.50"


class Flaky:
    """An action that loses a race so many times."""

    def __init__(self, losses: int, code: type[psycopg.Error] = errors.DeadlockDetected) -> None:
        self.losses, self.code, self.runs = losses, code, 0

    def __call__(self) -> str:
        self.runs += 1
        if self.runs <= self.losses:
            raise OperationalError from self.code()
        return "done"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("code", [errors.DeadlockDetected, errors.LockNotAvailable, errors.SerializationFailure])
def test_a_lost_race_is_run_again_at_most_twice(code: type[psycopg.Error]) -> None:
    flaky = Flaky(2, code)
    assert audit.retrying(flaky.__call__)() == "done"
    assert flaky.runs == 3
    hopeless = Flaky(3, code)
    with pytest.raises(OperationalError):
        audit.retrying(hopeless.__call__)()
    assert hopeless.runs == 3


@pytest.mark.django_db(transaction=True)
def test_other_errors_and_inner_transactions_are_not_run_again() -> None:
    wrong = Flaky(1, errors.DiskFull)
    with pytest.raises(OperationalError):
        audit.retrying(wrong.__call__)()
    assert wrong.runs == 1
    inner = Flaky(1)
    with pytest.raises(OperationalError), transaction.atomic():
        audit.retrying(inner.__call__)()
    assert inner.runs == 1
