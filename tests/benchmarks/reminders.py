"""`make bench-reminders`: the engine and its rivals, in one run on one machine. Prints what tests/benchmarks/RESULTS.md explains.

MESSAGES (default 5000), ROUNDS (default 3: each way in turn, medians told), ROWS for the claim's table (default 1000000), PENDING
for what waits while Redis is looked at (default 1000000) and ONLY=plan,drain,smtp,claim,pending may be set in the environment.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ["DJANGO_SETTINGS_MODULE"] = "deploy.settings_test"

MESSAGES = int(os.environ.get("MESSAGES", "5000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
ROWS = int(os.environ.get("ROWS", "1000000"))
PENDING = int(os.environ.get("PENDING", "1000000"))
ONLY = os.environ.get("ONLY", "plan,drain,smtp,claim,pending").split(",")
WORKERS = 2


def cpu_of(*roots: int) -> float:
    """CPU seconds that these processes and their children, living and dead, have used so far."""
    total = 0.0
    for root in roots:
        with psutil.Process(root).oneshot():
            times = psutil.Process(root).cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
        for child in psutil.Process(root).children(recursive=True):
            try:
                spent = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += spent.user + spent.system + spent.children_user + spent.children_system
    return total


def cpu_when_settled(*roots: int) -> float:
    """The same when backends have just ended: one that its parent has not yet waited for is counted nowhere."""
    time.sleep(0.5)
    return cpu_of(*roots)


class Measured:
    """Seconds and CPU for so many messages; of several rounds the median."""

    def __init__(self, name: str, count: int, seconds: float, cpu: float):
        self.name, self.rate, self.cpu_us = name, count / seconds, cpu / count * 1e6

    def row(self, base: Measured) -> str:
        return (
            f"| {self.name} | {self.rate:,.0f} | {base.rate / self.rate:.2f}x | {self.cpu_us:,.0f} | "
            f"{base.cpu_us / self.cpu_us:.2f}x |"
        )


def middle(rounds: list[Measured]) -> Measured:
    """The median of several rounds, rate and CPU each for itself."""
    medians = Measured(rounds[0].name, 1, 1.0, 0.0)
    medians.rate = statistics.median(measured.rate for measured in rounds)
    medians.cpu_us = statistics.median(measured.cpu_us for measured in rounds)
    return medians


def lines_in(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def wait_for(done: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit(f"not in {seconds:.0f} s: {what}")
        time.sleep(0.02)


@contextmanager
def site(folder: Path) -> Iterator[object]:
    """Database, broker, Django: as in the tests, but durable."""
    from tests.site import running_database, running_valkey

    with ExitStack() as stack:
        database = stack.enter_context(running_database(folder))
        broker = stack.enter_context(running_valkey(folder))
        from django.conf import settings
        from django.core.management import call_command

        for alias, values in database.settings_by_alias().items():
            settings.DATABASES[alias].update(values)
        call_command("migrate", database="owner", verbosity=0, interactive=False)
        database.grant()
        with database.connect() as superuser:
            for setting in ("synchronous_commit = on",):
                superuser.execute(f"ALTER ROLE {database.roles.app.name} SET {setting}")
        yield database, broker


def use_channel(name: str, **options: object) -> None:
    from django.conf import settings

    settings.DISPENSARY = {"channels": {"email": name}, "channel_options": {name: options}, "reminder_lease": 600}


def settle(database) -> None:
    """Vacuum as autovacuum has by the time that rows planned days ago are due, so that no measurement includes it."""
    with database.connect() as superuser:
        superuser.execute("VACUUM ANALYZE")
        superuser.execute("CHECKPOINT")


def warm_up() -> None:
    """Send a few, as the rivals' workers do: tables that have never held a row are planned for as if they never would."""
    from dispensary import reminders
    from tests.dispensary.faults.reminder_site import create_due

    create_due(200, pharmacies=4)
    reminders.drain()


def drain_with_workers(count: int, file: Path, database) -> Measured:
    """Our engine: WORKERS processes, each draining until nothing is due."""
    from django.db import connections

    from dispensary import reminders
    from tests.dispensary.faults.reminder_site import create_due

    create_due(count, pharmacies=4)
    connections.close_all()
    settle(database)
    roots, already = (database.server.process.pid,), lines_in(file)
    before, began = cpu_of(*roots), time.monotonic()
    workers = []
    for _ in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            try:
                reminders.drain(seconds=3600)
            finally:
                os._exit(0)
        workers.append(pid)
    ours = 0.0
    for pid in workers:
        _, _, usage = os.wait4(pid, 0)
        ours += usage.ru_utime + usage.ru_stime
    seconds = time.monotonic() - began
    if lines_in(file) - already != count:
        raise SystemExit(f"{lines_in(file) - already} of {count} left")
    used = cpu_when_settled(*roots) - before
    return Measured("Dispensary: row, ledger, audit line", count, seconds, used + ours)


def celery_eta(count: int, folder: Path, broker, smtp: int | None = None) -> Measured:
    """Celery tasks with an ETA, already in the workers' hands when it comes. No database."""
    file = folder / f"celery-{smtp or 0}.txt"
    environment = {**os.environ, "RIVAL_BROKER": broker.url, "RIVAL_FILE": str(file)}
    environment |= {"RIVAL_SMTP": str(smtp)} if smtp else {}
    os.environ["RIVAL_BROKER"] = broker.url
    from datetime import UTC, datetime

    from tests.benchmarks import rivals

    rivals.celery_app.conf.broker_url = broker.url
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "tests.benchmarks.rivals:celery_app",
        "worker",
        "-c",
        "1",
        "-l",
        "ERROR",
    ]
    workers = [
        subprocess.Popen(
            [*command, "-n", f"w{n}@%h", "--without-gossip", "--without-mingle", "--without-heartbeat"],
            env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for n in range(WORKERS)
    ]  # fmt: skip
    try:
        already = lines_in(file)
        rivals.send.apply_async(["warm"])
        wait_for(lambda: lines_in(file) > already, 120, "Celery's workers")
        before = cpu_of(*(worker.pid for worker in workers), broker.process.pid)
        due = datetime.now(UTC) + timedelta(seconds=10 + count / 400)
        with rivals.celery_app.producer_pool.acquire(block=True) as producer:
            for number in range(count):
                rivals.send.apply_async([str(number)], eta=due, producer=producer)
        time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
        began = time.monotonic()
        wait_for(lambda: lines_in(file) > already + count, 900, "Celery's messages")
        seconds = time.monotonic() - began
        used = cpu_of(*(worker.pid for worker in workers), broker.process.pid) - before
    finally:
        for worker in workers:
            for child in psutil.Process(worker.pid).children(recursive=True):
                child.kill()
            worker.kill()
            worker.wait()
    return Measured("Celery ETA, no record at all", count, seconds, used)


PROCRASTINATING: list[bool] = []
"""True where its tables exist."""


def procrastinate_drain(count: int, folder: Path, database, smtp: int | None = None) -> Measured:
    """procrastinate with jobs that are due, two worker processes."""
    file, url = folder / f"procrastinate-{smtp or 0}.txt", database.url("owner")
    environment = {**os.environ, "RIVAL_FILE": str(file), "RIVAL_DATABASE": url}
    environment |= {"RIVAL_SMTP": str(smtp)} if smtp else {}
    tool = [sys.executable, "-m", "procrastinate", "-a", "tests.benchmarks.rivals.app"]
    if not PROCRASTINATING:
        PROCRASTINATING.append(True)
        subprocess.run([*tool, "schema", "--apply"], env=environment, cwd=ROOT, check=True, capture_output=True)
    fill = (
        "import asyncio\nfrom tests.benchmarks.rivals import app\n"
        "async def go():\n"
        "    async with app.open_async():\n"
        "        deferrer = app.configure_task('rival.send')\n"
        f"        await deferrer.batch_defer_async(*[{{'key': str(n)}} for n in range({count})])\n"
        "asyncio.run(go())\n"
    )  # fmt: skip
    subprocess.run([sys.executable, "-c", fill], env=environment, cwd=ROOT, check=True)
    settle(database)
    already = lines_in(file)
    before, began = cpu_of(database.server.process.pid), time.monotonic()
    workers = [
        subprocess.Popen([*tool, "worker", "--one-shot", "--concurrency", "1"], env=environment, cwd=ROOT,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(WORKERS)
    ]  # fmt: skip
    ours = 0.0
    for worker in workers:
        _, _, usage = os.wait4(worker.pid, 0)
        ours += usage.ru_utime + usage.ru_stime
    seconds = time.monotonic() - began
    if lines_in(file) - already != count:
        raise SystemExit(f"procrastinate: {lines_in(file) - already} of {count} left")
    used = cpu_when_settled(database.server.process.pid) - before
    return Measured("procrastinate", count, seconds, used + ours)


def report(title: str, ours: Measured, *rivals: Measured) -> None:
    print(
        f"\n{title}\n\n| way | messages/s | Dispensary is faster by | CPU us a message | Dispensary's share of CPU |\n|---|---|---|---|---|"
    )
    for measured in (ours, *rivals):
        print(measured.row(ours))


def side_by_side(title: str, *ways: Callable[[], Measured]) -> None:
    """Each way in turn, ROUNDS times, so that whatever else the machine does falls on all of them."""
    rounds = [[way() for way in ways] for _ in range(ROUNDS)]
    report(
        f"{title}, median of {ROUNDS}",
        *(middle(list(measured_rounds)) for measured_rounds in zip(*rounds, strict=True)),
    )


def bench_drain(folder: Path, database, broker) -> None:
    file = folder / "ours.jsonl"
    use_channel("sink", file=str(file))
    warm_up()
    side_by_side(
        f"{MESSAGES:,} due in one minute, {WORKERS} workers, no-op sink",
        lambda: drain_with_workers(MESSAGES, file, database),
        lambda: celery_eta(MESSAGES, folder, broker),
        lambda: procrastinate_drain(MESSAGES, folder, database),
    )


def bench_smtp(folder: Path, database, broker) -> None:
    """One SMTP server for all three, in a process of its own, whose CPU is not counted."""
    count = MESSAGES // 5
    port_file, taken = folder / "smtp-port", folder / "smtp-taken"
    sink = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.mail_sink", str(port_file), str(taken)], cwd=ROOT)
    try:
        wait_for(port_file.exists, 30, "the mail sink")
        port = int(port_file.read_text())
        from django.conf import settings

        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        use_channel("email")
        side_by_side(
            f"{count:,} over SMTP, {WORKERS} workers, one connection kept by each",
            lambda: drain_with_workers(count, taken, database),
            lambda: celery_eta(count, folder, broker, port),
            lambda: procrastinate_drain(count, folder, database, port),
        )
    finally:
        sink.send_signal(signal.SIGTERM)
        sink.wait(10)


def bench_plan() -> None:
    """Measure planning's part of the time of a dispense, median of many."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from dispensary import reminders
    from dispensary.actions import dispenses
    from tests.dispensary import make

    shop = make.pharmacy()
    by = make.staff(shop).actor()
    make.products()
    whole, planning = [], []
    spent = 0.0
    original = reminders.plan_messages

    def timed(**arguments: object) -> object:
        nonlocal spent
        began = time.perf_counter()
        done = original(**arguments)
        spent += time.perf_counter() - began
        return done

    reminders.plan_messages = timed
    try:
        for number in range(60):
            order = make.prescription(make.patient(shop))
            spent = 0.0
            began = time.perf_counter()
            done = dispenses.dispense(
                prescription=order, quantity=order.quantity, pack=make.pack(), overrides=[], acknowledged=[],
                key=f"bench-{number}", by=by, now=make.NOW,
            )  # fmt: skip
            whole.append(time.perf_counter() - began)
            planning.append(spent)
            if type(done).__name__ != "Dispense":
                raise SystemExit(f"the dispense was refused: {done}")
    finally:
        reminders.plan_messages = original
    total, part = statistics.median(whole[10:]) * 1e3, statistics.median(planning[10:]) * 1e3
    with CaptureQueriesContext(connection) as spoken:
        order = make.prescription(make.patient(shop))
        before = len(spoken)
        dispenses.dispense(
            prescription=order, quantity=order.quantity, pack=make.pack(), overrides=[], acknowledged=[],
            key="bench-last", by=by, now=make.NOW,
        )  # fmt: skip
    print(f"\nA dispense says {len(spoken.captured_queries[before:])} statements")
    print(f"Planning: {part:.2f} ms of a dispense of {total:.2f} ms = {part / total:.0%}")
    connection.close()


def main() -> None:
    """Run what ONLY names, and print it."""
    import django

    django.setup()
    from tests.site import working_folder

    with working_folder() as folder, site(folder) as (database, broker):
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; Python {sys.version.split()[0]}", flush=True)
        if "plan" in ONLY:
            bench_plan()
        if "drain" in ONLY:
            bench_drain(folder, database, broker)
        if "smtp" in ONLY:
            bench_smtp(folder, database, broker)
        from tests.benchmarks import reminders_at_size

        if "claim" in ONLY:
            reminders_at_size.claim(database, ROWS)
        if "pending" in ONLY:
            reminders_at_size.pending(folder, database, broker, PENDING)


if __name__ == "__main__":
    main()
