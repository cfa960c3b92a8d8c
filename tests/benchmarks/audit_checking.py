"""Sealing and verifying: a log that the database wrote, signed, exported, checked as a bundle and where it lies."""

from __future__ import annotations

import hashlib
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.utils import timezone

from dispensary.audit.checks import live
from dispensary.audit.evidence import bundle, export, verify
from dispensary.audit.log.database import LogRow, all_logs, open_logs
from dispensary.audit.sealing.sealer import Sealer
from dispensary.audit.sealing.service import seal_round
from dispensary.audit.sealing.state import StateFolder
from dispensary.models.audit import AuditLog
from tests.benchmarks.audit_bars import Bar, as_part, at_least, at_most, cpu_of, pgbench
from tests.benchmarks.audit_writing import APPEND_SQL
from tests.dispensary.audit.logs import SIGNER
from tests.site import Database

INTERVAL = 2.0
LOGS = 3000
"""Open logs over which an idle round is measured."""
_WRITE = """
SELECT audit.append(p_pharmacy => %s, p_origin => %s, p_action => 'dispense.completed', p_outcome => 'success',
    p_actor => 'user:' || i %% 40, p_actor_role => 'pharmacist', p_occurred_at => now(), p_subject_type => 'dispense',
    p_subject_id => gen_random_uuid()::text, p_patient_ref => md5((i %% 700)::text)::uuid::text, p_drug_code => 'M03BX01',
    p_station => 'counter 2', p_engine => '1.0.0', p_body => '{"by":"Ann Example","findings":[' || repeat(
        '{"code":"daily-maximum","said":"The daily dose is above the usual range.","severity":"acknowledge"},', 7)
        || '{"code":"renal","severity":"information"}],"number":' || i || ',"quantity":"84"}')
FROM generate_series(1, %s) AS i"""


def seconds_of(work: Callable[[], Any], *pids: int) -> float:
    """CPU seconds of this process and of these backends for a piece of work."""
    before, began = sum(map(cpu_of, pids)), time.process_time()
    work()
    return time.process_time() - began + (sum(map(cpu_of, pids)) - before) / 1e9


def checking(database: Database, folder: Path, entries: int, seconds: float) -> list[Bar]:
    """Write, seal, export and verify a log of so many entries with bodies of about 830 bytes."""
    pharmacy = uuid4()
    origin = f"bench.example/{pharmacy}"
    with database.connect("app", autocommit=False) as writer:
        for _ in range(0, entries, 10_000):
            writer.execute(_WRITE, [pharmacy, origin, min(entries, 10_000)])
            writer.commit()
    with database.connect("sealer") as connection:
        bars = sealing(database, connection, folder, pharmacy, seconds)
        row = next(row for row in all_logs(connection, pharmacy) if row.pharmacy == pharmacy)
        keys = [verify.Key.parse(str(SIGNER.named(origin).verifier))]
        log, path = export.find_log(row.log_id), folder / "bundle"
        with export.snapshot(log):
            bundle.write_to_folder(export.make_bundle(log, export.Scope(row.log_id), now=timezone.now()), path)
        return [*bars, *verifying(connection, row, log, keys, path), idling(database, connection, folder)]


def idling(database: Database, connection: psycopg.Connection, folder: Path) -> Bar:
    """A round of the sealer over many logs that are all signed: seconds on a CPU of the sealer and of its connection."""
    with database.connect("app") as writer:
        for pharmacy in (uuid4() for _ in range(LOGS)):
            writer.execute(_WRITE, [pharmacy, f"bench.example/{pharmacy}", 1])
    sealer, now = Sealer(connection, [SIGNER], StateFolder(folder / "sealer")), timezone.now()
    for log in open_logs(connection):
        sealer.seal(log, now=now, record_day=lambda state: replace(state, registered=True))
    rounds = []
    for _ in range(7):
        rounds.append(seconds_of(lambda: seal_round(sealer, now), connection.info.backend_pid))
    if any(sealed.added for sealed in seal_round(sealer, now).sealed):
        raise SystemExit("the round was not idle")
    return at_most(f"an idle round over {len(open_logs(connection)):,} logs, CPU", 1, rounds, " s")


def sealing(
    database: Database, connection: psycopg.Connection, folder: Path, pharmacy: UUID, seconds: float
) -> list[Bar]:
    """Entries that are recomputed and signed in a second, beside those that the database takes; and how late signing is."""
    sealer = Sealer(connection, [SIGNER], StateFolder(folder / "sealer"))
    own = next(log for log in open_logs(connection) if log.pharmacy == pharmacy)
    began = time.perf_counter()
    done = sealer.seal(own)
    assert done is not None
    speed = done.added / (time.perf_counter() - began)
    for log in open_logs(connection):
        sealer.seal(log)
    rates: list[float] = []
    load = threading.Thread(
        target=lambda: rates.append(pgbench(database, APPEND_SQL, folder, clients=8, seconds=max(seconds, 10)))
    )
    load.start()
    lags = []
    while load.is_alive():
        time.sleep(INTERVAL)
        oldest = connection.execute(
            """SELECT min(l.recorded_at) FROM audit.log g JOIN audit.link l ON l.log_id = g.log_id AND l.seq =
               1 + coalesce((SELECT max(size) FROM audit.checkpoint c WHERE c.log_id = g.log_id), 0)"""
        ).fetchone()
        for log in open_logs(connection):
            sealer.seal(log)
        if oldest and oldest[0]:
            lags.append((timezone.now() - oldest[0]).total_seconds())
    load.join()
    return [
        at_least(
            f"sealing ({speed:,.0f} entries a second) / what the database takes, 20 logs, 8 clients ({rates[0]:,.0f})",
            10, speed / rates[0], " times",
        ),
        at_most(f"age of the oldest unsigned entry meanwhile, in intervals of {INTERVAL:g} s", 2, max(lags) / INTERVAL),
    ]  # fmt: skip


def verifying(
    connection: psycopg.Connection, row: LogRow, log: AuditLog, keys: list[verify.Key], path: Path
) -> list[Bar]:
    """A bundle beside the least that any verifier must do (hash each header, grow the tree), and the tables beside a bundle."""
    with export.snapshot(log):
        headers = [
            (entry.header or "").encode()
            for entry in export.lines(log, *export.resolve_range(export.Scope(row.log_id)))
        ]
    entries = len(headers)

    def bound() -> None:
        edge = verify.Edge()
        for header in headers:
            edge.append(hashlib.sha256(b"\x00" + header).digest())
        edge.root()

    def stream() -> None:
        if verify.verify_bundle(path, keys=keys).exit != verify.OK:
            raise SystemExit("the benchmark's own log does not verify")

    def tables() -> None:
        if live.check_log(connection, row, keys).exit != verify.OK:
            raise SystemExit("the benchmark's own log does not verify where it lies")

    backend = connection.info.backend_pid
    rounds = [(seconds_of(bound), seconds_of(stream), seconds_of(tables, backend)) for _ in range(5)]
    spent = statistics.median(stream for _, stream, _ in rounds)
    share = [least / stream for least, stream, _ in rounds]
    beside = [stream / lies for _, stream, lies in rounds]
    return [
        as_part(f"verify a bundle / hash-only bound, CPU ({entries / spent:,.0f} entries a second)", 6, share),
        at_least("verify where the log lies / verify a bundle, CPU of client and database", 1.0, beside),
        at_most(f"memory of the verifier, {entries:,} entries", 100, memory(path, keys), " MB"),
    ]


def memory(path: Path, keys: list[verify.Key]) -> float:
    """Megabytes that the standalone file needs, run as a stranger runs it."""
    vkey = path.parent / "vkey"
    vkey.write_text(f"{keys[0]}\n")
    script = (
        "import re, runpy, sys\nsys.argv = sys.argv[1:]\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit:\n    print(re.search(r'VmHWM:\\s+([0-9]+)', open('/proc/self/status').read())[1])\n"
    )
    command = [sys.executable, "-I", "-S", "-c", script, verify.__file__, str(path), "--vkey", str(vkey)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024
