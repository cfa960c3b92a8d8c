"""A large log for search: written set by set past the functions, so its leaves prove nothing; its columns are lifelike."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
from django.db import connection
from psycopg import sql

WORDS = "prescriber confirmed dose by telephone; patient stable on long-term therapy; titration agreed with clinic"


@dataclass(frozen=True)
class Many:
    """The entries that were made, with values that exist in them."""

    pharmacies: list[UUID]
    entries: int
    since: dt.datetime
    until: dt.datetime

    @property
    def pharmacy(self) -> UUID:
        return self.pharmacies[0]


def fill(
    admin: psycopg.Connection,
    *,
    entries: int,
    pharmacies: int = 20,
    months: int = 24,
    until: dt.datetime = dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
    at_once: bool = False,
    first: UUID | None = None,
) -> Many:
    """Write entries evenly over the months before `until` and over the pharmacies, as a superuser past every trigger.

    About a sixtieth are overrides with a reason in words; there is a patient for every 60 entries. `first` is a pharmacy
    whose log is open: it is the first, and its entries get numbers after those that it has.
    """
    since = _partitions(admin, until, months)
    made = [_log(admin, first if number == 0 else None) for number in range(pharmacies)]
    logs = [log for _, log in made]
    numbers = admin.execute("SELECT coalesce(max(seq), 0) FROM audit.link WHERE log_id = ANY(%s)", [logs]).fetchone()
    parameters = {
        "logs": logs,
        "before": numbers[0],
        "count": entries,
        "since": since,
        "step": dt.timedelta() if at_once else (until - since) / entries,
        "patients": max(entries // 60, 1),
        "words": WORDS.split("; "),
    }
    with admin.transaction():
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute("SET LOCAL synchronous_commit = off")
        admin.execute("CREATE TEMPORARY TABLE made ON COMMIT DROP AS " + _ROWS, parameters)
        admin.execute(_ENTRIES)
        admin.execute(_BODIES, parameters)
        admin.execute(_LINKS)
    admin.execute("VACUUM (ANALYZE) audit.entry")
    admin.execute("VACUUM (ANALYZE) audit.body")
    admin.execute("VACUUM (ANALYZE) audit.link")
    return Many([pharmacy for pharmacy, _ in made], entries, since, until)


def written_tables(many: Many) -> set[str]:
    """The tables of entries that `many` filled. Other tests leave a few pages in later months, and a line a pharmacy in `log`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind = 'r' AND relpages > 1 AND relname <> 'log'"
        )
        tables = {row[0] for row in cursor.fetchall()}
    months = re.compile(r"_(\d{4}_\d{2}|default)$")
    first, end = f"{many.since:%Y_%m}", f"{many.until:%Y_%m}"
    return {name for name in tables if (month := months.search(name)) is None or first <= month[1] < end}


def executed(plan: str) -> str:
    """The plan without the parts that never ran (partitions left out)."""
    return "\n".join(line for line in plan.splitlines() if "never executed" not in line)


def read_rows(plan: str) -> int:
    """Rows that were read and thrown away, a sign of an index that does not fit."""
    return sum(int(number) for number in re.findall(r"Rows Removed by Filter: (\d+)", executed(plan)))


def _partitions(admin: psycopg.Connection, until: dt.datetime, months: int) -> dt.datetime:
    """Make the monthly partitions of the past, as they would have been made; return the first day.

    A month of which other tests left rows in the default partition stays there.
    """
    first = until.year * 12 + until.month - 1 - months
    owner_row = admin.execute(
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'audit.entry'::regclass"
    ).fetchone()
    owner = sql.Identifier(owner_row[0])
    starts = [dt.datetime(month // 12, month % 12 + 1, 1, tzinfo=dt.UTC) for month in range(first, first + months + 1)]
    for begin, end in itertools.pairwise(starts):
        suffix = f"{begin:%Y_%m}"
        left = admin.execute(
            "SELECT EXISTS (SELECT FROM audit.entry_default WHERE recorded_at >= %(begin)s AND recorded_at < %(end)s)"
            " OR EXISTS (SELECT FROM audit.body_default WHERE recorded_at >= %(begin)s AND recorded_at < %(end)s)",
            {"begin": begin, "end": end},
        ).fetchone()
        if not left[0] and admin.execute("SELECT to_regclass(%s)", [f"audit.entry_{suffix}"]).fetchone()[0] is None:
            bounds = f"FOR VALUES FROM ('{begin.isoformat()}') TO ('{end.isoformat()}')"
            for parent in ("body", "entry"):
                admin.execute("SELECT audit.add_partition(%s, %s, %s)", [parent, suffix, bounds])
                admin.execute(
                    sql.SQL("ALTER TABLE audit.{} OWNER TO {}").format(sql.Identifier(f"{parent}_{suffix}"), owner)
                )
    return starts[0]


def _log(admin: psycopg.Connection, pharmacy: UUID | None) -> tuple[UUID, UUID]:
    pharmacy = pharmacy or uuid4()
    log = admin.execute("SELECT audit.open_log(%s, %s)", [pharmacy, f"many.example/{pharmacy}"]).fetchone()
    assert log is not None
    return pharmacy, log[0]


_ROWS = """
SELECT i, nth, at, audit.new_id(at) AS entry_id, (%(logs)s::uuid[])[1 + i %% cardinality(%(logs)s::uuid[])] AS log_id,
       nth + 1 + %(before)s AS seq, nth %% 60 = 7 AS override, ((i::bigint * 7919) %% %(patients)s)::text AS patient,
       (i %% 10 || '/' || i / 30)::text AS thing, i %% 200 AS actor, nth %% 8 AS drug
FROM generate_series(1, %(count)s) AS i,
    LATERAL (SELECT %(since)s::timestamptz + i * %(step)s::interval AS at, (i - 1) / cardinality(%(logs)s::uuid[]) AS nth) AS more
"""
_ENTRIES = """
INSERT INTO audit.entry (entry_id, log_id, recorded_at, occurred_at, txid, db_role, actor, actor_role, station, request_id,
    action, outcome, reason_code, subject_type, subject_id, patient_ref, drug_code, rule_codes, engine, body_commit, body_kind, v)
SELECT entry_id, log_id, at, at, i, 'dispensary_app', 'user:' || actor, 'pharmacist', 'counter ' || i % 4,
    md5('request' || thing)::uuid::text,
    CASE WHEN override THEN 'override.signed' WHEN nth % 3 = 0 THEN 'review.recorded' WHEN nth % 3 = 1 THEN 'dispense.completed'
         ELSE 'reminder.sent' END,
    CASE WHEN nth % 50 = 3 THEN 'refused' ELSE 'success' END, CASE WHEN override THEN 'prescriber-consulted' END,
    CASE WHEN nth % 3 = 2 THEN 'reminder' ELSE 'prescription' END, md5('thing' || thing)::uuid::text,
    md5('patient' || patient)::uuid::text, 'M03BX0' || drug,
    CASE WHEN override THEN ARRAY['daily-maximum', 'rule-' || nth / 60 % 12] END, '1.0.0', sha256(entry_id::text::bytea), 1, 1
FROM made ORDER BY i
"""
_BODIES = """
INSERT INTO audit.body (entry_id, recorded_at, salt, body)
SELECT entry_id, at, sha256(i::text::bytea),
    '{"by":"Ann Example","inputs":"' || repeat(md5(i::text), 12) || '","reason":"'
        || CASE WHEN override THEN (%(words)s::text[])[1 + nth / 60 %% 3] ELSE '' END || '"}'
FROM made ORDER BY i
"""
_LINKS = """
INSERT INTO audit.link (log_id, seq, entry_id, recorded_at, leaf)
SELECT log_id, seq, entry_id, at, sha256((i || 'leaf')::bytea) FROM made ORDER BY i
"""
