"""The audit log beside what people use today, and its search at size: `make bench-audit ENTRIES=1000000`.

Everything is measured in one run on a server of its own, the variants interleaved round by round; what counts are medians
of ratios, since a busy machine slows all of them alike. CPU is that of the client and of the database's process together.
"""

# ruff: noqa: E402 - Django is set up before the models are imported
from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import os
import platform
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.settings_audit")

import django
import psycopg

django.setup()

import pghistory
from auditlog.context import set_actor
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, connections, transaction

from deploy.servers import KINDS, Postgres, Roles, make_database, make_roles
from dispensary import audit
from dispensary.actors import Actor
from dispensary.audit import Event, Subject, bundle, verify
from dispensary.audit import search as searching
from dispensary.audit.search import Filters, Place
from dispensary.models import AuditEntry
from tests.benchmarks.audit_rivals.models import TABLES, VARIANTS, PlainLine
from tests.dispensary.audit.logs import SIGNER, Log
from tests.dispensary.audit.many import Many, fill
from tests.site import Database

NOW = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
PARTS = ("compare", "writers", "verify", "search")
ROWS = 50
CASE = '{"findings":[],"format":"baclofen-review/1","outcome":"pass","profile":{"name":"lioresal"}}' * 8


@dataclass(frozen=True)
class Bar:
    """One line of the table: what was demanded, what was measured, whether it holds."""

    name: str
    demand: str
    measured: str
    holds: bool | None

    def line(self) -> str:
        verdict = {True: "yes", False: "**no**", None: "-"}[self.holds]
        return f"| {self.name} | {self.demand} | {self.measured} | {verdict} |"


def at_most(name: str, limit: float, value: float, unit: str = "") -> Bar:
    return Bar(name, f"at most {limit:g}{unit}", f"{value:.3g}{unit}", value <= limit)


def at_least(name: str, limit: float, value: float, unit: str = "") -> Bar:
    return Bar(name, f"at least {limit:g}{unit}", f"{value:.3g}{unit}", value >= limit)


# --- the server ------------------------------------------------------------------------------------------------------


@contextmanager
def server(folder: Path) -> Iterator[Database]:
    """A durable PostgreSQL with split roles, migrated, with the rivals' tables."""
    passwords = {kind: secrets.token_urlsafe(12) for kind in KINDS}
    running = Postgres(folder, secrets.token_urlsafe(12), durable=True)
    running.start()
    try:
        database = Database("bench", Roles.named("dispensary", passwords), running.url(), running)
        with psycopg.connect(running.url(), autocommit=True) as admin:
            make_roles(admin, database.roles)
            make_database(admin, database.name, database.roles)
        for alias, kind in {"default": "app", "owner": "owner", "sealer": "sealer"}.items():
            settings.DATABASES[alias].update(database.settings(kind))
            connections[alias].settings_dict.update(database.settings(kind))
        call_command("migrate", "auth", database="owner", verbosity=0, interactive=False)
        call_command("migrate", database="owner", run_syncdb=True, verbosity=0, interactive=False)
        call_command("pgtrigger", "install", database="owner", verbosity=0)
        database.grant()
        yield database
    finally:
        connections.close_all()
        running.stop()


# --- one dispense, six ways --------------------------------------------------------------------------------------------


def prepare() -> None:
    """The same rows for every variant."""
    for tables in TABLES.values():
        tables.Order.objects.bulk_create(tables.Order(changed_at=NOW) for _ in range(ROWS))
        tables.Stock.objects.bulk_create(tables.Stock(gtin="05012345678900") for _ in range(ROWS))
        tables.Patient.objects.bulk_create(tables.Patient() for _ in range(ROWS))


@contextmanager
def known(variant: str, user: Any) -> Iterator[None]:
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
    with known(variant, user):
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
    """What was before and what is after, of everything that changed."""
    return {
        "order": {"id": order.pk, "remaining": [str(order.remaining + 1), str(order.remaining)], "status": order.status},
        "stock": {"id": stock.pk, "gtin": stock.gtin, "lot": stock.lot, "quantity": [str(stock.quantity + 1), str(stock.quantity)]},
        "patient": {"id": patient.pk, "name": patient.name, "supplies": [patient.supplies - 1, patient.supplies]},
        "directions": order.directions,
        "case": CASE,
    }  # fmt: skip


def cpu_of_backend() -> int:
    """Nanoseconds on a CPU of this connection's process in the server: planning and running, but no waiting for a turn."""
    pid = connection.connection.info.backend_pid
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


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


def compare(rounds: int, count: int) -> tuple[list[Bar], list[str]]:
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

    def ratio(of: dict[str, list[float]], one: str, other: str) -> float:
        return statistics.median(mine / theirs for mine, theirs in zip(of[one], of[other], strict=True))

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
    ]
    return bars, table


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


def writers(database: Database, seconds: float) -> list[Bar]:
    """The lock: what one log can take when a commit takes 5 ms, what twenty can, and how long a sleeper holds up others."""
    one, twenty = [uuid4()], [uuid4() for _ in range(20)]
    with database.connect("app") as writer:
        for pharmacy in one + twenty:
            append(writer, pharmacy)
    with database.connect("superuser") as admin:
        for name, value in (("commit_delay", "5000"), ("commit_siblings", "0")):
            admin.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
        admin.execute("SELECT pg_reload_conf()")
        time.sleep(0.5)
        alone = rate(database, one, 1, seconds)
        together, apart = rate(database, one, 16, seconds), rate(database, twenty, 16, seconds)
        admin.execute("ALTER SYSTEM RESET commit_delay")
        admin.execute("ALTER SYSTEM RESET commit_siblings")
        admin.execute("SELECT pg_reload_conf()")
    time.sleep(0.5)
    return [
        at_least(
            f"one log, 16 clients, slow commits / one client alone ({alone:.0f} a second)", 0.75, together / alone
        ),
        at_least("20 logs / 1 log, 16 clients, slow commits", 6, apart / together),
        at_most("wait behind a transaction that appended and idles 2 s", 50, waiting(database, one[0]), " ms"),
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
    """How the cost of an entry grows with the number in one transaction; 1 is not at all."""

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

    small = statistics.median(cost(100) for _ in range(5))
    return cost(16_000) / small


# --- verification ------------------------------------------------------------------------------------------------------


def verification(folder: Path, entries: int) -> list[Bar]:
    """The standalone verifier against the least that any verifier must do: hash each header and grow the tree."""
    log = Log.of(entries, every=max(entries // 10, 1))
    lines = log.entries()
    path = folder / "verify.zip"
    path.write_bytes(b"".join(bundle.zipped(log.bundle(lines))))
    headers = [entry.header.encode() for entry in lines if entry.header]
    keys = [verify.Key.parse(str(SIGNER.verifier))]

    def bound() -> None:
        edge = verify.Edge()
        for header in headers:
            edge.append(hashlib.sha256(b"\x00" + header).digest())
        edge.root()

    def whole() -> None:
        if verify.verify_bundle(path, keys=keys).exit != verify.OK:
            raise SystemExit("the benchmark's own log does not verify")

    def seconds(work: Callable[[], None]) -> float:
        before = time.process_time()
        work()
        return time.process_time() - before

    pairs = [(seconds(bound), seconds(whole)) for _ in range(3)]
    speed = entries / statistics.median(spent for _, spent in pairs)
    share = statistics.median(least / spent for least, spent in pairs)
    (folder / "vkey").write_text(f"{SIGNER.verifier}\n")
    script = (
        "import re, runpy, sys\nsys.argv = sys.argv[1:]\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit:\n    print(re.search(r'VmHWM:\\s+([0-9]+)', open('/proc/self/status').read())[1])\n"
    )
    command = [sys.executable, "-I", "-S", "-c", script, verify.__file__, str(path), "--vkey", str(folder / "vkey")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [
        at_least(f"verify a bundle / hash-only bound, CPU ({speed:,.0f} entries a second)", 1 / 12, share),
        at_most(f"memory of the verifier, {entries:,} entries", 100, int(done.stdout.split()[-1]) / 1024, " MB"),
    ]


# --- search ------------------------------------------------------------------------------------------------------------


def filters_of(many: Many) -> dict[str, Filters]:
    """The documented filters, with values that exist."""
    overrides = AuditEntry.objects.filter(pharmacy=many.pharmacy, action="override.signed").order_by("recorded_at")
    some = overrides[overrides.count() // 2]
    month = {"since": some.recorded_at - dt.timedelta(days=15), "until": some.recorded_at + dt.timedelta(days=15)}
    day = {"since": some.recorded_at - dt.timedelta(hours=12), "until": some.recorded_at + dt.timedelta(hours=12)}
    hour = {"since": some.recorded_at - dt.timedelta(minutes=30), "until": some.recorded_at + dt.timedelta(minutes=30)}
    return {
        "newest of a pharmacy": Filters(),
        "everything in an hour": Filters(**hour),
        "overrides of a day": Filters(actions=("override.signed",), **day),
        "one prescription": Filters(subject_type=some.subject_type, subject_id=some.subject_id),
        "one patient": Filters(patient=some.patient_ref),
        "actor, 30 days": Filters(actor=some.actor, **month),
        "drug, 30 days": Filters(drug=some.drug_code, **month),
        "rule overridden": Filters(rule=some.rule_codes[1]),
        "request": Filters(request_id=some.request_id),
        "words in overrides, 30 days": Filters(text="prescriber telephone", actions=("override.signed",), **month),
    }


def timed(many: Many, filters: Filters, cursor: str = "", repeat: int = 15) -> list[float]:
    """Milliseconds of the database's CPU for a page's statements, as the application sends them."""
    place = Place.parse(cursor) if cursor else None
    logs = searching.logs_of([many.pharmacy])
    taken = []
    with audit.reading(many.pharmacy), connection.cursor() as handle:
        for _ in range(repeat):
            began, found = cpu_of_backend(), 0
            for narrowed in searching._windows(filters, place, logs, "default"):
                wanted = searching.PAGE + 1 - found
                handle.execute(
                    searching._full((told := searching._statement(narrowed, place, logs, wanted))[0], wanted), told[1]
                )
                found += len(handle.fetchall())
                if found > searching.PAGE:
                    break
            taken.append((cpu_of_backend() - began) / 1e6)
    return taken


def search(database: Database, entries: int) -> tuple[list[Bar], list[str]]:
    """Every documented filter on a log of so many entries, against the same question without an index."""
    with database.connect("superuser") as admin:
        many = fill(admin, entries=entries)
    bars, table = [], ["| filter | median | p95 | without index | times faster |", "|---|---|---|---|---|"]
    slowest, slowest_95, text, least = 0.0, 0.0, 0.0, float("inf")
    for name, filters in filters_of(many).items():
        timed(many, filters, repeat=3)
        taken = sorted(timed(many, filters))
        median, p95 = statistics.median(taken), taken[int(len(taken) * 0.95) - 1]
        without = no_index(many, filters)
        table.append(f"| {name} | {median:.2f} ms | {p95:.2f} ms | {without:,.0f} ms | {without / median:,.0f} |")
        if filters.text:
            text = median
        else:
            slowest, slowest_95, least = max(slowest, median), max(slowest_95, p95), min(least, without / median)
    depth = min(250_000, entries // 25)
    first, deep = (
        statistics.median(timed(many, Filters())),
        statistics.median(timed(many, Filters(), at_depth(many, depth))),
    )
    bars = [
        at_most("slowest documented filter, median", 5, slowest, " ms"),
        at_most("slowest documented filter, p95", 25, slowest_95, " ms"),
        at_most("words in overrides, median", 100, text, " ms"),
        at_least("least gain over no index", 100, least, " times"),
        at_most(f"page at depth {depth:,} / first page", 5, deep / first),
        at_most("count, capped at 10,000", 25, counting(many), " ms"),
    ]
    return bars, table


def no_index(many: Many, filters: Filters) -> float:
    """The same page when no index may be used."""
    with transaction.atomic(), connection.cursor() as cursor:
        for name in ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"):
            cursor.execute(f"SET LOCAL {name} = off")
        cursor.execute("SET LOCAL statement_timeout = 0")
        return min(timed(many, filters, repeat=2))


def at_depth(many: Many, depth: int) -> str:
    """The cursor after so many entries."""
    entry = AuditEntry.objects.filter(log_id=searching.logs_of([many.pharmacy])[0]).order_by("-seq")[depth - 1]
    return str(Place(entry.recorded_at, entry.entry_id))


def counting(many: Many) -> float:
    taken = []
    for _ in range(5):
        began = cpu_of_backend()
        searching.count([many.pharmacy], Filters())
        taken.append((cpu_of_backend() - began) / 1e6)
    return statistics.median(taken)


# --- the command -------------------------------------------------------------------------------------------------------


def main() -> int:
    """Print the tables; exit 1 when a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000, help="size of the search fixture")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of the side-by-side comparison")
    parser.add_argument("--count", type=int, default=200, help="dispenses a variant and round")
    parser.add_argument("--seconds", type=float, default=4, help="length of each throughput run")
    parser.add_argument("--verify", type=int, default=100_000, help="entries of the bundle to verify")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="which parts to run (default: all)")
    options = parser.parse_args()
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {machine}, load {os.getloadavg()[0]:.1f} at the start\n")
    with tempfile.TemporaryDirectory(prefix="dispensary-bench-") as name, server(Path(name)) as database:
        Path(name).chmod(0o755)
        print(f"PostgreSQL {server_version()}\n")
        bars: list[Bar] = []
        if "compare" in options.parts:
            more, table = compare(options.rounds, options.count)
            print("\n".join([*table, ""]), flush=True)
            bars += more
        if "writers" in options.parts:
            bars += writers(database, options.seconds)
        if "verify" in options.parts:
            bars += verification(Path(name), options.verify)
        if "search" in options.parts:
            more, table = search(database, options.entries)
            print(
                "\n".join(
                    [
                        f"Search, {options.entries:,} entries, 20 pharmacies, 24 months, cached, CPU of the database:",
                        "",
                        *table,
                        "",
                    ]
                )
            )
            bars += more
    print("| bar | demand | measured | holds |\n|---|---|---|---|")
    print("\n".join(bar.line() for bar in bars))
    return 0 if all(bar.holds for bar in bars) else 1


def server_version() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return str(cursor.fetchone()[0])


if __name__ == "__main__":
    raise SystemExit(main())
