"""The cost of a line of the log: beside other libraries, its indexes, many writers, and the wait for it."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import random
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pghistory
import psycopg
from auditlog.context import set_actor
from django.contrib.auth import get_user_model
from django.db import connection, connections, transaction

from dispensary import audit
from dispensary.actors import Actor
from dispensary.audit import Event, Subject
from tests.benchmarks.audit_bars import Bar, at_least, at_most, cpu_of, cpu_of_backend, pgbench
from tests.benchmarks.audit_rivals.models import TABLES, VARIANTS, PlainLine
from tests.site import Database

NOW = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
ROWS = 200
CLIENTS = 8
CASE = '{"findings":[],"format":"baclofen-review/1","outcome":"pass","profile":{"name":"lioresal"}}' * 8

# --- one dispense, six ways --------------------------------------------------------------------------------------------


def prepare() -> None:
    """The same rows for every variant."""
    for tables in TABLES.values():
        tables.Order.objects.bulk_create(tables.Order(changed_at=NOW) for _ in range(ROWS))
        tables.Stock.objects.bulk_create(tables.Stock(gtin="05012345678900") for _ in range(ROWS))
        tables.Patient.objects.bulk_create(tables.Patient() for _ in range(ROWS))


@contextmanager
def acting_user(variant: str, user: Any) -> Iterator[None]:
    """Tell the library who is acting, the way its manual says; a record without a name answers no question."""
    if variant == "pghistory":
        with pghistory.context(user=user.pk):
            yield
    elif variant == "auditlog":
        with set_actor(user):
            yield
    else:
        yield


def dispense(variant: str, number: int, pharmacy: UUID, user: Any) -> None:
    """Three updates, one insert, and the variant's own record of who did it, in one transaction."""
    with acting_user(variant, user):
        _dispense(variant, number, pharmacy, user)


def _dispense(variant: str, number: int, pharmacy: UUID, user: Any) -> None:
    tables = TABLES[variant]
    row = 1 + number % ROWS
    with transaction.atomic():
        order = tables.Order.objects.select_for_update().get(pk=row)
        order._history_user = user
        order.remaining -= 1
        order.changed_at = NOW
        order.save()
        stock = tables.Stock.objects.get(pk=row)
        stock._history_user = user
        stock.quantity -= 1
        stock.save()
        patient = tables.Patient.objects.get(pk=row)
        patient._history_user = user
        patient.supplies += 1
        patient.last_supply = NOW.date()
        patient.save()
        made = tables.HandOver.objects.create(order_number=row, quantity=1, lot="A1B2", by="user:1", at=NOW, case=CASE)
        if variant == "plain":
            PlainLine.objects.create(
                action="dispense.completed",
                actor="user:1",
                subject=str(made.pk),
                at=NOW,
                body=_body(order, stock, patient),
            )
        if variant == "ours":
            audit.record(
                Event.DISPENSED, pharmacy=pharmacy, by=Actor.system("bench", pharmacy), now=NOW,
                subject=Subject("dispense", str(made.pk)), patient=str(patient.pk), drug_code="M03BX01",
                body=_body(order, stock, patient),
            )  # fmt: skip


def _body(order: Any, stock: Any, patient: Any) -> dict[str, Any]:
    """Return the values before and after, of everything that changed."""
    return {
        "order": {"id": order.pk, "remaining": [str(order.remaining + 1), str(order.remaining)], "status": order.status},
        "stock": {"id": stock.pk, "gtin": stock.gtin, "lot": stock.lot, "quantity": [str(stock.quantity + 1), str(stock.quantity)]},
        "patient": {"id": patient.pk, "name": patient.name, "supplies": [patient.supplies - 1, patient.supplies]},
        "directions": order.directions,
        "case": CASE,
    }  # fmt: skip


def measure_variant(variant: str, count: int, pharmacy: UUID, user: Any) -> tuple[float, float]:
    """CPU microseconds and bytes of WAL for one dispense."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn()")
        before_wal = cursor.fetchone()[0]
    before, client = cpu_of_backend(), time.process_time_ns()
    for number in range(count):
        dispense(variant, number, pharmacy, user)
    spent = time.process_time_ns() - client + cpu_of_backend() - before
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", [before_wal])
        wal = cursor.fetchone()[0]
    return spent / count / 1000, float(wal) / count


def compare(database: Database, rounds: int, count: int) -> tuple[list[Bar], list[str]]:
    """CPU and WAL of each way, interleaved; medians of the ratios within each round."""
    prepare()
    pharmacy, user = uuid4(), get_user_model().objects.create_user("bench")
    for variant in VARIANTS:
        measure_variant(variant, 20, pharmacy, user)
    cpu: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    wal: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    dice = random.Random(1)
    for _ in range(rounds):
        for variant in dice.sample(VARIANTS, len(VARIANTS)):
            spent, written = measure_variant(variant, count, pharmacy, user)
            cpu[variant].append(spent)
            wal[variant].append(written)

    def ratio(of: dict[str, list[float]], way: str, other: str) -> float:
        return statistics.median(mine / theirs for mine, theirs in zip(of[way], of[other], strict=True))

    table = ["| way | CPU a dispense | to none | WAL a dispense |", "|---|---|---|---|"]
    for variant in VARIANTS:
        table.append(
            f"| {variant} | {statistics.median(cpu[variant]):,.0f} us | {ratio(cpu, variant, 'none'):.2f} | "
            f"{statistics.median(wal[variant]):,.0f} B |"
        )
    bars = [
        at_most("CPU a dispense, ours / no audit", 1.30, ratio(cpu, "ours", "none")),
        at_most("CPU a dispense, ours / django-pghistory", 0.95, ratio(cpu, "ours", "pghistory")),
        at_most("CPU a dispense, ours / django-simple-history", 0.95, ratio(cpu, "ours", "simple")),
        at_most("CPU a dispense, ours / django-auditlog", 0.95, ratio(cpu, "ours", "auditlog")),
        at_most("CPU a dispense, ours / one plain audit INSERT", 1.15, ratio(cpu, "ours", "plain")),
        at_most("WAL a dispense, ours / django-pghistory", 1.00, ratio(wal, "ours", "pghistory")),
        at_most("p95 of a dispense, 8 clients in one pharmacy, ours / none", 1.6, waits(pharmacy, user)),
        index_cost(database, statistics.median(cpu["ours"])),
    ]
    return bars, table


def waits(pharmacy: UUID, user: Any, seconds: float = 2, turns: int = 8) -> float:
    """The p95 of the time a dispense takes to somebody who waits, with the log and without: processes that take turns."""
    connections.close_all()
    context = multiprocessing.get_context("fork")
    gate, answers = context.Barrier(CLIENTS), context.SimpleQueue()

    def client(number: int) -> None:
        taken: list[list[float]] = []
        for turn in range(turns):
            variant = ("none", "ours")[turn % 2]
            dispense(variant, number, pharmacy, user)
            gate.wait(60)
            until, mine = time.perf_counter() + seconds, []
            while (began := time.perf_counter()) < until:
                dispense(variant, number * (ROWS // CLIENTS) + len(mine) % (ROWS // CLIENTS), pharmacy, user)
                mine.append(time.perf_counter() - began)
            taken.append(mine)
        answers.put(taken)
        connections.close_all()

    clients = [context.Process(target=client, args=(number,)) for number in range(CLIENTS)]
    for process in clients:
        process.start()
    waits_ms = [answers.get() for _ in clients]
    for process in clients:
        process.join()
    p95 = [sorted(wait for taken in waits_ms for wait in taken[turn]) for turn in range(turns)]
    late = [waits_[int(len(waits_) * 0.95)] for waits_ in p95]
    return statistics.median(late[turn + 1] / late[turn] for turn in range(0, turns, 2))


_MANY = """
SELECT audit.append(p_pharmacy => %s, p_origin => 'index.example', p_action => 'dispense.completed', p_outcome => 'success',
    p_actor => 'user:' || i %% 40, p_actor_role => 'pharmacist', p_occurred_at => now(), p_subject_type => 'dispense',
    p_subject_id => gen_random_uuid()::text, p_patient_ref => md5((i %% 700)::text)::uuid::text, p_drug_code => 'M03BX01',
    p_request_id => gen_random_uuid()::text, p_body => '{"case":"' || repeat('x', 800) || '"}')
FROM generate_series(1, 3000) AS i"""


def index_cost(database: Database, dispense_us: float) -> Bar:
    """Measure the cost of the search's indexes for a dispense: appends with them and without, in turns."""
    with database.connect("superuser", autocommit=False) as admin:
        indexes = admin.execute(
            "SELECT indexname, replace(indexdef, ' ON ONLY ', ' ON ') FROM pg_indexes "
            "WHERE schemaname = 'audit' AND tablename = 'entry' AND indexname <> 'entry_pkey'"
        ).fetchall()
        pharmacy = uuid4()

        def cost() -> float:
            admin.commit()
            before = cpu_of(admin.info.backend_pid)
            admin.execute(_MANY, [pharmacy])
            admin.commit()
            return (cpu_of(admin.info.backend_pid) - before) / 3_000_000

        cost()
        differences = []
        for _ in range(5):
            with_them = cost()
            for name, _definition in indexes:
                admin.execute(f'DROP INDEX audit."{name}"'.encode())
            differences.append(with_them - cost())
            for _name, definition in indexes:
                admin.execute(definition.encode())
            admin.commit()
    added = statistics.median(differences)
    name = f"CPU of the {len(indexes)} search indexes ({added:.0f} us) / of a dispense"
    return at_most(name, 0.05, added / dispense_us)


# --- many writers ------------------------------------------------------------------------------------------------------

_APPEND = (
    "SELECT audit.append(p_pharmacy => %s, p_origin => %s, p_action => 'dispense.completed', p_outcome => 'success', "
    "p_actor => 'user:1', p_actor_role => 'pharmacist', p_occurred_at => now(), p_subject_type => 'dispense', "
    "p_subject_id => 'd', p_body => %s)"
)
_TEXT = '{"case":"' + "x" * 800 + '"}'


def append(writer: psycopg.Connection, pharmacy: UUID) -> None:
    writer.execute(_APPEND, [pharmacy, f"bench.example/{pharmacy}", _TEXT])


def rate(database: Database, pharmacies: list[UUID], clients: int, seconds: float) -> float:
    """Commits a second of so many clients that write in turn to these logs."""
    done, stop = [0] * clients, threading.Event()

    def work(number: int) -> None:
        with database.connect("app", autocommit=False) as writer:
            place = number
            while not stop.is_set():
                append(writer, pharmacies[place % len(pharmacies)])
                writer.commit()
                place += clients
                done[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - began)


_BUSINESS = """\\set row random(1, 200)
BEGIN;
SELECT *{2} FROM audit_rivals_{0}order WHERE id = :row FOR UPDATE;
UPDATE audit_rivals_{0}order SET remaining = remaining - 1 WHERE id = :row;
UPDATE audit_rivals_{0}stock SET quantity = quantity - 1 WHERE id = :row;
UPDATE audit_rivals_{0}patient SET supplies = supplies + 1 WHERE id = :row;
INSERT INTO audit_rivals_{0}handover (order_number, quantity, lot, by, at, "case")
    VALUES (:row, 1, 'A1B2', 'user:1', now(), repeat('x', 750));
{1}
COMMIT;
"""
_CONTEXT = """, set_config('pghistory.context_id', gen_random_uuid()::text, true),
    set_config('pghistory.context_metadata', '{"user": 1}', true)"""
"""The way in which django-pghistory tells its triggers who acts: along with a statement that is sent anyway."""

APPEND_SQL = """\\set log random(1, 20)
SELECT audit.append(p_pharmacy => md5('log' || :log)::uuid, p_origin => 'bench.example/log/' || :log,
    p_action => 'dispense.completed', p_outcome => 'success', p_actor => 'user:1', p_actor_role => 'pharmacist',
    p_occurred_at => now(), p_subject_type => 'dispense', p_subject_id => 'd', p_patient_ref => 'p' || :log,
    p_drug_code => 'M03BX01', p_body => '{"case":"' || repeat('x', 800) || '"}');"""


def throughput(database: Database, folder: Path, seconds: float) -> list[Bar]:
    """The database alone, 20 logs, statements prepared: dispenses a second, by ways that take turns."""
    if not TABLES["none"].Order.objects.exists():
        prepare()
    bars = []
    for clients in (4, 16):
        ratios: dict[str, list[float]] = {"none": [], "pghistory": []}
        for _ in range(3):
            rates = {
                way: pgbench(database, _BUSINESS.format(way, *more), folder, clients=clients, seconds=seconds)
                for way, more in {"none": ("", ""), "ours": (APPEND_SQL, ""), "pghistory": ("", _CONTEXT)}.items()
            }
            for other, ratios_of_rounds in ratios.items():
                ratios_of_rounds.append(rates["ours"] / rates[other])
        for other, least in (("none", 0.45), ("pghistory", 1.1)):
            name = f"throughput of the database, 20 logs, {clients} clients, ours / {other}"
            bars.append(at_least(name, least, statistics.median(ratios[other])))
    return bars


def writers(database: Database, folder: Path, seconds: float) -> list[Bar]:
    """The lock: what one log can take when a commit takes 5 ms, what twenty can, and how long a sleeper holds up others."""
    one_log, twenty_logs = [uuid4()], [uuid4() for _ in range(20)]
    with database.connect("app") as writer:
        for pharmacy in one_log + twenty_logs:
            append(writer, pharmacy)
    with database.connect("superuser") as admin:
        for name, value in (("commit_delay", "5000"), ("commit_siblings", "0")):
            admin.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
        admin.execute("SELECT pg_reload_conf()")
        time.sleep(0.5)
        alone = rate(database, one_log, 1, seconds)
        together, apart = rate(database, one_log, 16, seconds), rate(database, twenty_logs, 16, seconds)
        admin.execute("ALTER SYSTEM RESET commit_delay")
        admin.execute("ALTER SYSTEM RESET commit_siblings")
        admin.execute("SELECT pg_reload_conf()")
    time.sleep(0.5)
    return [
        *throughput(database, folder, seconds),
        at_least(
            f"one log, 16 clients, slow commits / one client alone ({alone:.0f} a second)", 0.75, together / alone
        ),
        at_least("20 logs / 1 log, 16 clients, slow commits", 6, apart / together),
        at_most("wait behind a transaction that appended and idles 2 s", 50, waiting(database, one_log[0]), " ms"),
        at_most("bulk: us an entry at 16,000 in one transaction / at 100", 1.0, bulk(database)),
    ]


def waiting(database: Database, pharmacy: UUID) -> float:
    """Milliseconds that a second writer takes while a first one has appended and sleeps."""
    with database.connect("app", autocommit=False) as sleeper, database.connect("app", autocommit=False) as other:
        append(sleeper, pharmacy)
        thread = threading.Thread(target=lambda: (time.sleep(2), sleeper.commit()))
        thread.start()
        began = time.perf_counter()
        append(other, pharmacy)
        other.commit()
        waited = time.perf_counter() - began
        thread.join()
    return waited * 1000


def bulk(database: Database) -> float:
    """Return the growth of an entry's cost with the number in one transaction; 1 is none."""

    def cost(count: int) -> float:
        with database.connect("app", autocommit=False) as writer:
            pharmacy = uuid4()
            append(writer, pharmacy)
            writer.commit()
            began = time.perf_counter()
            for _ in range(count):
                append(writer, pharmacy)
            writer.commit()
            return (time.perf_counter() - began) / count

    return statistics.median(cost(16_000) / statistics.median(cost(100) for _ in range(5)) for _ in range(3))
