"""Read a log out of the database as evidence, in order, with memory that does not grow with it.

One server-side cursor in one read-only snapshot. Three shapes come from the same lines: the bundle (the evidence, see
README.md), CSV for a spreadsheet and FHIR R4 AuditEvent as NDJSON (both are views of it, with `seq` and `leaf` to find the
way back). Each can be continued after a given number.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from dispensary.audit.evidence import bundle, fhir
from dispensary.audit.log.canonical import HEADER_KEYS
from dispensary.audit.log.reader import reading
from dispensary.audit.sealing.merkle import CompactRange
from dispensary.errors import Conflict, InvalidInput, NotFound, Problem
from dispensary.models.audit import AuditLog

FETCH = 2000
_IDLE = "10min"
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")

CSV_COLUMNS = (
    "seq", "recorded", "occurred", "action", "outcome", "actor", "actor_role", "second_actor", "station", "request_id",
    "subject_type", "subject_id", "patient_ref", "drug_code", "reason_code", "rule_codes", "ruleset", "engine", "corrects",
    "txid", "db_role", "id", "log", "body", "body_kind", "v", "prev", "leaf",
)  # fmt: skip
if set(CSV_COLUMNS) != {*HEADER_KEYS.values(), "seq", "prev", "leaf"}:
    raise AssertionError("the spreadsheet must hold every key of the header")

_LINES = """
SELECT l.seq, l.leaf, l.entry_id, audit.header(e, l.seq, coalesce(l.before, %(before)s)), l.before, b.salt, b.body
FROM (
    SELECT seq, leaf, entry_id, recorded_at, lag(leaf) OVER (ORDER BY seq) AS before
    FROM audit.link WHERE log_id = %(log)s AND seq BETWEEN %(first)s AND %(last)s
) AS l
LEFT JOIN audit.entry e ON e.entry_id = l.entry_id AND e.recorded_at = l.recorded_at
LEFT JOIN LATERAL (
    SELECT salt, body FROM audit.readable_body WHERE entry_id = l.entry_id AND recorded_at = l.recorded_at OFFSET 0
) AS b ON true
ORDER BY l.seq
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which log, and which of its entries by number; `last` None means up to the newest."""

    log_id: UUID
    first: int = 1
    last: int | None = None


Progress = Callable[[int, int], None]
"""Called now and then with the number reached and the last number."""


def find_log(log_id: UUID, *, using: str = DEFAULT_DB_ALIAS) -> AuditLog:
    """The log; raises NotFound."""
    log = AuditLog.objects.using(using).filter(log_id=log_id).first()
    if log is None:
        raise NotFound("There is no such log.")
    return log


def named_log(named: str | None, *, using: str = DEFAULT_DB_ALIAS) -> AuditLog:
    """The log of that origin, log id or pharmacy id; without a name the only one. Raises InvalidInput with those there are."""
    logs = list(AuditLog.objects.using(using).order_by("origin"))
    found = [log for log in logs if not named or named in (log.origin, str(log.log_id), str(log.pharmacy))]
    if len(found) != 1:
        known = ", ".join(log.origin for log in logs) or "none yet"
        raise InvalidInput("Say which log.", Problem("log", named or "no name", f"one of: {known}"))
    return found[0]


def ends(scope: Scope, *, using: str = DEFAULT_DB_ALIAS) -> tuple[int, int]:
    """First and last number that will be exported. Raises InvalidInput for numbers that are not a range of this log."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT coalesce(max(seq), 0) FROM audit.link WHERE log_id = %s", [scope.log_id])
        newest = cursor.fetchone()[0]
    last = newest if scope.last is None else scope.last
    if not 1 <= scope.first <= last + 1 or last > newest:
        given = f"{scope.first} to {last}"
        problem = Problem("first", given, f"numbers from 1 to {newest}, the first not after the last")
        raise InvalidInput("The log does not hold this range.", problem)
    return scope.first, last


@contextmanager
def snapshot(log: AuditLog, *, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """One unchanging view of the log for as long as the export takes, with the bodies of its pharmacy and of no other."""
    connection = connections[using]
    nested = connection.in_atomic_block
    with transaction.atomic(using=using):
        with connection.cursor() as cursor:
            if not nested:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", [_IDLE])
            # Link by link in order, each entry by its key: a hash join would first read everything.
            cursor.execute(
                "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)"
            )
        with reading(log.pharmacy, using=using):
            yield


def lines(
    log: AuditLog, first: int, last: int, *, progress: Progress | None = None, using: str = DEFAULT_DB_ALIAS
) -> Iterator[bundle.Entry]:
    """The entries `first` to `last` in order, inside a `snapshot`."""
    before = _leaf(log, first - 1, using)
    parameters = {"log": log.log_id, "first": first, "last": last, "before": before}
    with connections[using].chunked_cursor() as cursor:
        cursor.execute(_LINES, parameters)
        while rows := cursor.fetchmany(FETCH):
            for seq, leaf, entry_id, found, previous, salt, body in rows:
                header = found or _moved_entry(entry_id, seq, previous or before, using)
                yield bundle.Entry(seq, bytes(leaf), header, None if salt is None else bytes(salt), body)
            if progress:
                progress(rows[-1][0], last)


def make_bundle(
    log: AuditLog,
    scope: Scope,
    *,
    now: dt.datetime,
    resume_after: int = 0,
    progress: Progress | None = None,
    using: str = DEFAULT_DB_ALIAS,
) -> bundle.Bundle:
    """The bundle of a range, ready to be written while the `snapshot` is open."""
    first, last = ends(scope, using=using)
    if resume_after > last:
        raise Conflict(f"The folder already holds entry {resume_after}, beyond the range that was asked for.")
    checkpoints, in_all = _checkpoints(log, first, last, using)
    span = bundle.Range(log.origin, log.log_id, first, last, log.predecessor_note or "", _start(log, first, using))
    entries = lines(log, max(first, resume_after + 1), last, progress=progress, using=using)
    return bundle.Bundle(span, entries, checkpoints, now, tool(), _signers(checkpoints), in_all)


def as_csv(entries: Iterator[bundle.Entry], *, heading: bool = True) -> Iterator[bytes]:
    """RFC 4180 with one heading row. A cell that a spreadsheet would run as a formula begins with an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    if heading:
        writer.writerow(CSV_COLUMNS)
    for entry in entries:
        told = {**(json.loads(entry.header) if entry.header else {}), "seq": entry.seq, "leaf": entry.leaf.hex()}
        writer.writerow([_cell(told.get(name)) for name in CSV_COLUMNS])
        if buffer.tell() > 1 << 16:
            yield _taken(buffer)
    yield _taken(buffer)


def as_fhir(origin: str, entries: Iterator[bundle.Entry]) -> Iterator[bytes]:
    """One FHIR R4 AuditEvent a line (NDJSON). An entry that is gone has none."""
    for entry in entries:
        if entry.header is not None:
            event = fhir.audit_event(json.loads(entry.header), leaf=entry.leaf, origin=origin)
            yield json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def tool() -> str:
    """This software's name and version, for the manifest."""
    try:
        return f"django-dispensary {version('django-dispensary')}"
    except PackageNotFoundError:
        return "django-dispensary"


def _leaf(log: AuditLog, seq: int, using: str) -> bytes:
    if seq == 0:
        return bytes(log.genesis)
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT leaf FROM audit.link WHERE log_id = %s AND seq = %s", [log.log_id, seq])
        row = cursor.fetchone()
    return bytes(row[0]) if row else bytes(32)


def _moved_entry(entry_id: UUID, seq: int, before: bytes, using: str) -> str | None:
    """An entry that is not at the time its link says: somebody changed the time, and the header must show it."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT audit.header(e, %s, %s) FROM audit.entry e WHERE entry_id = %s", [seq, before, entry_id])
        row = cursor.fetchone()
    return row[0] if row else None


def _start(log: AuditLog, first: int, using: str) -> bundle.Start | None:
    if first == 1:
        return None
    edge = CompactRange()
    with connections[using].chunked_cursor() as cursor:
        cursor.execute("SELECT leaf FROM audit.link WHERE log_id = %s AND seq < %s ORDER BY seq", [log.log_id, first])
        while rows := cursor.fetchmany(FETCH):
            edge.extend(bytes(leaf) for (leaf,) in rows)
    return bundle.Start(_leaf(log, first - 1, using), tuple(edge.hashes))


def _checkpoints(log: AuditLog, first: int, last: int, using: str) -> tuple[list[tuple[int, str]], int]:
    """The stored notes about this range with their cosignatures; of very many an even choice that keeps the cosigned."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT size FROM audit.checkpoint WHERE log_id = %s AND size BETWEEN %s AND %s",
            [log.log_id, first - 1, last],
        )
        sizes = [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT DISTINCT size FROM audit.cosignature WHERE log_id = %s", [log.log_id])
        cosigned = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            """SELECT c.size, c.note || coalesce(
                   (SELECT string_agg(rtrim(s.line, E'\\n') || E'\\n', '' ORDER BY s.witness)
                    FROM audit.cosignature s WHERE s.log_id = c.log_id AND s.size = c.size), '')
               FROM audit.checkpoint c WHERE c.log_id = %s AND c.size = ANY (%s) ORDER BY c.size""",
            [log.log_id, bundle.thinned(sizes, cosigned)],
        )
        return cursor.fetchall(), len(sizes)


def _signers(checkpoints: list[tuple[int, str]]) -> list[str]:
    """Whose signatures are on the checkpoints, by name. The key itself is not here: an auditor brings it."""
    names = {line.split(" ")[1] for _, note in checkpoints for line in note.splitlines() if line.startswith("— ")}
    return [
        "# Signed by the names below. Check with the key (vkey) from your own records, not with one from a bundle."
    ] + [f"# {name}" for name in sorted(names)]


def _cell(value: Any) -> str:
    if isinstance(value, list):
        value = " ".join(value)
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
