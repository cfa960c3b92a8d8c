"""Exports of a log in order: bundle, CSV, FHIR; memory does not grow with the log.

One server-side cursor in one read-only snapshot. The bundle (FORMAT.md, 5) is the evidence; CSV and FHIR R4 AuditEvent as
NDJSON are views with `seq` and `leaf` to find the entry again. Each can be continued after a given number.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from dispensary.audit.evidence import bundle, fhir
from dispensary.audit.log.canonical import HEADER_KEYS
from dispensary.audit.log.reader import reading
from dispensary.audit.log.writer import REGISTER, SITE
from dispensary.audit.sealing.merkle import CompactRange
from dispensary.errors import Conflict, InvalidInput, NotFound, Problem
from dispensary.models.audit import AuditLog
from dispensary.models.pharmacy import Pharmacy

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


class Shape(StrEnum):
    """The formats of an export: the evidence, or one of its views."""

    BUNDLE = "bundle"
    CSV = "csv"
    JSON = "json"
    FHIR = "fhir"


KINDS: Mapping[Shape, tuple[str, str]] = {
    Shape.BUNDLE: ("application/zip", "zip"),
    Shape.CSV: ("text/csv; charset=utf-8", "csv"),
    Shape.JSON: ("application/x-ndjson", "jsonl"),
    Shape.FHIR: ("application/fhir+ndjson", "ndjson"),
}
"""Shape -> media type and ending of the file's name."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A log and a range of its entries by number; `last` None means up to the newest."""

    log_id: UUID
    first: int = 1
    last: int | None = None


Progress = Callable[[int, int], None]
"""Called now and then with the number reached and the last number."""


def find_log(log_id: UUID, *, using: str = DEFAULT_DB_ALIAS) -> AuditLog:
    """Return the log. Raises NotFound."""
    log: AuditLog | None = AuditLog.objects.using(using).filter(log_id=log_id).first()
    if log is None:
        raise NotFound("There is no such log.")
    return log


def find_log_by_name(name: str | None, *, using: str = DEFAULT_DB_ALIAS) -> AuditLog:
    """Return the log of that origin, log id, pharmacy id or pharmacy's name; of a name the open one.

    Without a name the only one.
    Raises InvalidInput with the names and origins that there are.
    """
    logs: list[AuditLog] = list(AuditLog.objects.using(using).order_by("origin"))
    owners = {
        SITE: "the site itself",
        REGISTER: "the register",
        **dict(Pharmacy.objects.using(using).values_list("pk", "name")),
    }
    names = {log.log_id: owners.get(log.pharmacy, "no pharmacy") for log in logs}
    matches = [log for log in logs if not name or name in (log.origin, str(log.log_id), str(log.pharmacy))]
    matches = matches or [log for log in logs if log.closed_at is None and names[log.log_id] == name]
    if len(matches) != 1:
        origins = ", ".join(f"{names[log.log_id]} ({log.origin})" for log in logs) or "none yet"
        raise InvalidInput("Say which log.", Problem("log", name or "no name", f"one of: {origins}"))
    return matches[0]


def resolve_range(scope: Scope, *, using: str = DEFAULT_DB_ALIAS) -> tuple[int, int]:
    """Return first and last number of a scope.

    Raises InvalidInput for numbers that are not a range of this log.
    """
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT coalesce(max(seq), 0) FROM audit.link WHERE log_id = %s", [scope.log_id])
        newest = cursor.fetchone()[0]
    last = newest if scope.last is None else scope.last
    if not 1 <= scope.first <= last + 1 or last > newest:
        numbers = f"{scope.first} to {last}"
        problem = Problem("first", numbers, f"numbers from 1 to {newest}, the first not after the last")
        raise InvalidInput("The log does not hold this range.", problem)
    return scope.first, last


_EDGES = """
    SELECT min(l.seq), max(l.seq) FROM (
        (SELECT entry_id FROM audit.entry WHERE log_id = %(log)s AND recorded_at >= %(since)s AND recorded_at < %(until)s
         ORDER BY recorded_at LIMIT 500)
        UNION (SELECT entry_id FROM audit.entry WHERE log_id = %(log)s AND recorded_at >= %(since)s AND recorded_at < %(until)s
         ORDER BY recorded_at DESC LIMIT 500)) AS e
    JOIN audit.link l ON l.entry_id = e.entry_id"""


def find_period(log_id: UUID, since: dt.datetime, until: dt.datetime, *, using: str = DEFAULT_DB_ALIAS) -> Scope:
    """Return the entries recorded from `since` until before `until`; numbers are given at commit, so the edges may hold others.

    Raises InvalidInput where nothing was recorded.
    """
    with connections[using].cursor() as cursor:
        cursor.execute(_EDGES, {"log": log_id, "since": since, "until": until})
        first, last = cursor.fetchone()
    if first is None:
        raise InvalidInput(
            "Nothing was recorded then.", Problem("since", "a period without entries", "a day on which there are some")
        )
    return Scope(log_id, first, last)


def find_log_of_period(pharmacy: UUID, since: dt.datetime, until: dt.datetime) -> AuditLog:
    """Return the log of a pharmacy that holds what was recorded from `since` until before `until`.

    Raises InvalidInput for a period in which one log was continued as another: each is evidence of its own.
    """
    logs: list[AuditLog] = list(
        AuditLog.objects.filter(pharmacy=pharmacy).exclude(closed_at__lte=since).order_by("opened_at")
    )
    first, *later = logs
    if later and later[0].opened_at < until:
        moment = later[0].opened_at.isoformat(timespec="minutes")
        problem = Problem("since", "a period with the end of one log and the beginning of another", "one of them")
        raise InvalidInput(f"The log was continued as another at {moment}; ask for each part apart.", problem)
    return first


@contextmanager
def snapshot(log: AuditLog, *, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Open a read-only snapshot of the log, with the bodies of its own pharmacy only."""
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
) -> Generator[bundle.Entry, None, None]:
    """The entries `first` to `last` in order, inside a `snapshot`."""
    before = _read_leaf(log, first - 1, using)
    parameters: dict[str, Any] = {"log": log.log_id, "first": first, "last": last, "before": before}
    with connections[using].chunked_cursor() as cursor:
        cursor.execute(_LINES, parameters)
        while rows := cursor.fetchmany(FETCH):
            for seq, leaf, entry_id, stored_header, previous, salt, body in rows:
                header = stored_header or _read_moved_header(entry_id, seq, previous or before, using)
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
    """Return the bundle of a range, to be written while the `snapshot` is open."""
    first, last = resolve_range(scope, using=using)
    if resume_after > last:
        raise Conflict(f"The folder already holds entry {resume_after}, beyond the range that was asked for.")
    checkpoints, in_all = _read_checkpoints(log, first, last, using)
    span = bundle.Range(log.origin, log.log_id, first, last, log.predecessor_note or "", _read_start(log, first, using))
    entries = lines(log, max(first, resume_after + 1), last, progress=progress, using=using)
    return bundle.Bundle(span, entries, checkpoints, now, describe_software(), _vkeys_lines(log, using), in_all)


def encode_csv(entries: Iterator[bundle.Entry], *, heading: bool = True) -> Iterator[bytes]:
    """Yield entries as CSV (RFC 4180).

    A cell that a spreadsheet would run as a formula begins with an apostrophe.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    if heading:
        writer.writerow(CSV_COLUMNS)
    for entry in entries:
        columns = {**(json.loads(entry.header) if entry.header else {}), "seq": entry.seq, "leaf": entry.leaf.hex()}
        writer.writerow([guard_cell(columns.get(name)) for name in CSV_COLUMNS])
        if buffer.tell() > 1 << 16:
            yield _empty_buffer(buffer)
    yield _empty_buffer(buffer)


def encode_json(entries: Iterator[bundle.Entry]) -> Iterator[bytes]:
    """Yield entries as JSON, one a line: number, leaf, header and body. Of a retired entry the number and the leaf."""
    for entry in entries:
        content = {name: text and json.loads(text) for name, text in (("header", entry.header), ("body", entry.body))}
        line = {"seq": entry.seq, "leaf": entry.leaf.hex(), **content}
        yield json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def stream_file(log: AuditLog, scope: Scope, shape: Shape, *, now: dt.datetime) -> Iterator[bytes]:
    """Yield the bytes of an export, read from one snapshot while they are sent."""
    with snapshot(log):
        if shape is Shape.BUNDLE:
            yield from bundle.zip_bundle(make_bundle(log, scope, now=now))
            return
        entries = lines(log, scope.first, scope.last or 0)
        match shape:
            case Shape.CSV:
                yield from encode_csv(entries)
            case Shape.JSON:
                yield from encode_json(entries)
            case _:
                yield from encode_fhir(log.origin, entries)


def encode_fhir(origin: str, entries: Iterator[bundle.Entry]) -> Iterator[bytes]:
    """Yield entries as FHIR R4 AuditEvent, one a line (NDJSON).

    A retired entry has none.
    """
    for entry in entries:
        if entry.header is not None:
            event = fhir.audit_event(json.loads(entry.header), leaf=entry.leaf, origin=origin)
            yield json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def describe_software() -> str:
    """Return this software's name and version, for the manifest."""
    try:
        return f"django-dispensary {version('django-dispensary')}"
    except PackageNotFoundError:
        return "django-dispensary"


def _read_leaf(log: AuditLog, seq: int, using: str) -> bytes:
    if seq == 0:
        return bytes(log.genesis)
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT leaf FROM audit.link WHERE log_id = %s AND seq = %s", [log.log_id, seq])
        row = cursor.fetchone()
    return bytes(row[0]) if row else bytes(32)


def _read_moved_header(entry_id: UUID, seq: int, before: bytes, using: str) -> str | None:
    """Return the header of an entry that is not where its link says."""
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT audit.header(e, %s, %s) FROM audit.entry e WHERE entry_id = %s", [seq, before, entry_id])
        row = cursor.fetchone()
    return row[0] if row else None


def _read_start(log: AuditLog, first: int, using: str) -> bundle.Start | None:
    if first == 1:
        return None
    edge = CompactRange()
    with connections[using].chunked_cursor() as cursor:
        cursor.execute("SELECT leaf FROM audit.link WHERE log_id = %s AND seq < %s ORDER BY seq", [log.log_id, first])
        while rows := cursor.fetchmany(FETCH):
            edge.extend(bytes(leaf) for (leaf,) in rows)
    return bundle.Start(_read_leaf(log, first - 1, using), tuple(edge.hashes))


def _read_checkpoints(log: AuditLog, first: int, last: int, using: str) -> tuple[list[tuple[int, str]], int]:
    """Return the notes about a range, thinned when very many, and their full number."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            # Also those of more entries, when the entry after the last was written later than they were: the end was cut off.
            "SELECT size FROM audit.checkpoint c WHERE log_id = %(log)s AND size >= %(from)s AND (size <= %(last)s OR NOT EXISTS "
            "(SELECT FROM audit.link l WHERE l.log_id = c.log_id AND l.seq = %(last)s + 1 AND l.recorded_at <= c.created_at))",
            {"log": log.log_id, "from": first - 1, "last": last},
        )
        sizes = [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT DISTINCT size FROM audit.cosignature WHERE log_id = %s", [log.log_id])
        cosigned = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            """SELECT c.size, c.note || coalesce(
                   (SELECT string_agg(rtrim(s.line, E'\\n') || E'\\n', '' ORDER BY s.witness)
                    FROM audit.cosignature s WHERE s.log_id = c.log_id AND s.size = c.size), '')
               FROM audit.checkpoint c WHERE c.log_id = %s AND c.size = ANY (%s) ORDER BY c.size""",
            [log.log_id, bundle.thin_sizes(sizes, cosigned)],
        )
        return cursor.fetchall(), len(sizes)


_VKEYS = """
    SELECT b.body::json -> 'vkeys' FROM audit.entry e
    JOIN audit.readable_body b ON b.entry_id = e.entry_id AND b.recorded_at = e.recorded_at
    WHERE e.log_id = %s AND e.action = 'audit.posture' ORDER BY e.recorded_at DESC LIMIT 1"""


def _vkeys_lines(log: AuditLog, using: str) -> list[str]:
    """Return the lines of vkeys.txt: the keys that the log's newest posture names. An auditor brings their own copy."""
    with connections[using].cursor() as cursor:
        cursor.execute(_VKEYS, [log.log_id])
        row = cursor.fetchone()
    keys: list[str] = (row and row[0]) or []
    return [
        "# The log says that it is signed with these keys. Check with the key (vkey) from your own records: whoever forges a",
        "# bundle can put another one here.",
        *keys,
    ]


def guard_cell(value: Any) -> str:
    """Return a value as a cell; one that a spreadsheet would run as a formula begins with an apostrophe."""
    if isinstance(value, list):
        value = " ".join(value)
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def _empty_buffer(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
