"""The engine on a large table: the claim among ten million reminders, and what a million that wait cost in Redis.

The table is filled without its indexes and keys, which are then made as the migrations made them; that they are the same ones
is asserted, since a claim on other indexes would say nothing.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

TABLE = "dispensary_reminder"
CLAIMS, BATCH = 60, 200
MESSAGES = 1000
TICKS = 5  # seconds between two looks at Redis: the engine ticks every second

INDEXES = f"""
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), c.conname, pg_get_constraintdef(c.oid)
  FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
 WHERE i.indrelid = '{TABLE}'::regclass ORDER BY 1"""
REFERENCES = f"""
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE contype = 'f' AND (conrelid = '{TABLE}'::regclass OR confrelid = '{TABLE}'::regclass) ORDER BY 2"""
# Of ten rows three wait for a far day, one is due at the same instant as all its kind, six have left long ago.
FILL = f"""
INSERT INTO {TABLE} (public_id, plan_id, pharmacy_id, patient_id, kind, occurrence, local_date, local_time, tz_name,
       tzdb_version, due_at, useful_until, despite_quiet, params, state, round, attempts, lost_workers, last_error, lease_owner)
SELECT gen_random_uuid(), %(plan)s, %(pharmacy)s, %(patient)s, 'run_out', n::text, date '2000-01-01' + n, '10:00', 'UTC', 't',
       CASE WHEN n %% 10 < %(future)s THEN timestamptz '2029-01-01' + n * interval '1 s'
            WHEN n %% 10 = 9 THEN timestamptz '2026-01-01 10:00Z' ELSE timestamptz '2020-01-01' + n * interval '1 s' END,
       '2045-01-01', false, '{{"date": "2026-01-01"}}',
       CASE WHEN n %% 10 < %(future)s OR n %% 10 = 9 THEN 0 ELSE 3 END, 1, 0, 0, '', ''
  FROM generate_series(1, %(rows)s) n"""


@contextmanager
def bare(superuser: Any) -> Iterator[None]:
    """The table without indexes, keys and references; inside again exactly those that the migrations made."""
    indexes, references = superuser.execute(INDEXES).fetchall(), superuser.execute(REFERENCES).fetchall()
    for table, name, _ in references:
        superuser.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for index, _, constraint, _ in indexes:
        superuser.execute(f"ALTER TABLE {TABLE} DROP CONSTRAINT {constraint}" if constraint else f"DROP INDEX {index}")
    yield
    superuser.execute("SET maintenance_work_mem = '512MB'")
    for _, definition, constraint, constraint_definition in indexes:
        superuser.execute(
            f"ALTER TABLE {TABLE} ADD CONSTRAINT {constraint} {constraint_definition}" if constraint else definition
        )
    for table, name, constraint_definition in references:
        superuser.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {constraint_definition}")
    if (superuser.execute(INDEXES).fetchall(), superuser.execute(REFERENCES).fetchall()) != (indexes, references):
        raise SystemExit("the table has not got its own indexes and keys back")


def fill(database: Any, rows: int, *, future: int) -> float:
    """So many reminders of one patient, `future` of ten waiting for a far day and, below nine, one of ten due. Seconds taken."""
    from dispensary.models import ReminderPlan
    from tests.dispensary.reminders import making

    person = making.patient()
    plan = ReminderPlan.objects.create(pharmacy=person.pharmacy, patient=person, version=1, planned_at=making.NOON)
    whose = {"plan": plan.pk, "pharmacy": person.pharmacy_id, "patient": person.pk}
    began = time.monotonic()
    with database.connect() as superuser:
        superuser.execute(f"TRUNCATE {TABLE}, dispensary_delivery, dispensary_worklistitem")
        with bare(superuser):
            superuser.execute(FILL, {**whose, "rows": rows, "future": future})
        superuser.execute(f"VACUUM ANALYZE {TABLE}")
        superuser.execute("CHECKPOINT")
    return time.monotonic() - began


def claim(database: Any, rows: int) -> None:
    """The claim among so many rows, a tenth of them due at one instant; that its plan is the index's own is asserted."""
    from django.db import connection

    from dispensary.reminders import queue

    seconds = fill(database, rows, future=3)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + queue.SQL["claim_due"], [_token(), "w", timedelta(seconds=60), BATCH])
        plan = json.dumps(cursor.fetchone()[0])
    if "reminder_due" not in plan or "Sort" in plan or "Seq Scan" in plan:
        raise SystemExit(f"the claim left its index: {plan}")
    took, cpu = [], []
    server = connection.connection.info.backend_pid
    claims = min(CLAIMS, rows // 10 // BATCH)
    for _ in range(claims):
        began, used = time.perf_counter(), _cpu_of(server)
        lease = queue.claim(owner="bench", count=BATCH, lease=timedelta(seconds=600))
        took.append(time.perf_counter() - began)
        cpu.append(_cpu_of(server) - used)
        if len(lease.ids) != BATCH:
            raise SystemExit(f"{len(lease.ids)} claimed of {BATCH}")
    with database.connect() as superuser:
        size = superuser.execute(f"SELECT pg_total_relation_size('{TABLE}'), pg_indexes_size('{TABLE}')").fetchone()
    connection.close()
    middle = statistics.median(took)
    print(
        f"\nClaim of {BATCH} among {rows:,} rows ({rows * 4 // 10:,} pending, {rows // 10:,} of them due at one instant): median of "
        f"{claims}: {middle * 1e3:.2f} ms = {middle / BATCH * 1e6:.1f} us a row, {sum(cpu) / claims / BATCH * 1e6:.1f} us of "
        f"PostgreSQL's CPU a row; on its index, no sort (plan asserted)\n"
        f"The table: {size[0] / rows:,.0f} bytes a row, {size[1] / rows:,.0f} of them in indexes; filled and indexed in {seconds:.0f} s",
        flush=True,
    )


def _token() -> str:
    return "00000000-0000-0000-0000-000000000000"


def _cpu_of(pid: int) -> float:
    """CPU seconds of one PostgreSQL backend."""
    import psutil

    spent = psutil.Process(pid).cpu_times()
    return float(spent.user + spent.system)


def pending(folder: Path, database: Any, broker: Any, rows: int) -> None:
    """Redis beside so many waiting reminders, with beat, ticks and senders at work, before, during and after a drain."""
    import redis

    from tests.dispensary.faults.reminder_site import ReminderSite, create_due
    from tests.site import Site

    client = redis.Redis.from_url(broker.url)
    reminder_site = ReminderSite(Site(database, broker.url), broker, folder)
    reminder_site.reset()
    samples: list[tuple[str, int, int, int]] = []

    def look(when: str) -> None:
        time.sleep(TICKS)
        memory = client.info("memory")
        samples.append((when, memory["used_memory"], memory["used_memory_dataset"], client.dbsize()))

    fill(database, 10, future=10)
    try:
        reminder_site.start_all()
        look("beat and three workers, nothing pending")
        reminder_site.wait_until_idle()
        look("the same, some ticks later")
        seconds = fill(database, rows, future=10)
        look(f"{rows:,} pending (filled in {seconds:.0f} s)")
        keys = create_due(MESSAGES)
        peak = 0
        while len(reminder_site.count_sent_by_key()) < MESSAGES:
            peak = max(peak, client.info("memory")["used_memory"])
            time.sleep(0.2)
        samples.append((f"while {len(keys):,} more are sent, the most", peak, 0, 0))
        reminder_site.wait_until_idle()
        look(f"{len(keys):,} sent, {rows:,} pending")
    finally:
        reminder_site.stop_all()
    print("\n| Redis | used memory | of it data | keys |\n|---|---|---|---|")
    for when, used, data, count in samples:
        print(f"| {when} | {used:,} | {data or '':{',' if data else ''}} | {count or ''} |")
    per_row = (samples[-1][1] - samples[1][1]) / rows
    print(f"A pending reminder costs {per_row:+.4f} bytes in Redis (an ETA task there about a thousand)", flush=True)
    if abs(samples[-1][1] - samples[1][1]) > 1_000_000:
        raise SystemExit("Redis has grown with what is pending")


if __name__ == "__main__":
    sys.exit("Run it as part of `make bench-reminders`: ONLY=claim ROWS=10000000, or ONLY=pending PENDING=1000000.")
