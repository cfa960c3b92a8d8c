"""Exports by a worker, of answers, of records and of a patient's record: it writes the table page by page, in slices, and a link shows it for some days.

The table ends at the moment it was asked for, so that what is recorded meanwhile changes nothing. An erasure removes all exports of its
pharmacy (`audit.erase`): what is erased may stand in them.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import IO, Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from dispensary import audit, policies
from dispensary.actions import person_records, record_tables
from dispensary.actions.export_sentences import describe_answers, describe_records
from dispensary.actions.person_records import PERSON
from dispensary.actions.record_tables import RecordKind
from dispensary.actors import Actor
from dispensary.audit import Event
from dispensary.audit.evidence import answers
from dispensary.audit.evidence.tables import Table, write_archive
from dispensary.audit.log import reader
from dispensary.audit.log import search as searching
from dispensary.audit.log.search import Filters
from dispensary.errors import Conflict, NotFound, Problem
from dispensary.models import LogExport, LogExportPart, Patient, Pharmacy
from dispensary.replica import read_from_replica

KEPT = timedelta(days=7)
"""The file of an export is there for so long after it was prepared [D]."""
ABANDONED = timedelta(minutes=5)
"""An export of which nothing was heard for so long is gone on with: its worker is gone."""
_TIMES = ("since", "until")
_ANSWERS = "answers"
_NOT_AS_LOGGED = Problem(
    "", "another SHA-256", "that of the log", "Have the log verified, and ask for the export again."
)
EXPORT_PERSON = ("prepare or release a patient's file", "a manager in person")
_EXPORT = ("export the audit log", "an auditor or manager")
_EXPORT_RECORDS = ("export records", "a manager")


@transaction.atomic
def request_export(*, pharmacy: Pharmacy, filters: Filters, purpose: str, by: Actor, now: datetime) -> LogExport:
    """Ask for a table of the answers that fit and are recorded by now. Raises Conflict while an earlier one is being prepared."""
    policies.require(policies.may_read_log(by), by, *_EXPORT)
    policies.require_same_pharmacy(by, pharmacy.pk)
    chosen = replace(filters.checked(), until=min(filters.until or now, now))
    sentence = describe_answers(chosen, pharmacy)
    return _request(_ANSWERS, chosen.as_body(), pharmacy=pharmacy, sentence=sentence, purpose=purpose, by=by, now=now)


@transaction.atomic
def request_records(
    *,
    kind: RecordKind,
    pharmacy: Pharmacy,
    since: datetime | None = None,
    until: datetime | None = None,
    purpose: str,
    by: Actor,
    now: datetime,
) -> LogExport:
    """Ask for a table of the records of a kind that were made from `since` until `until`, and by now.

    Raises Conflict while an earlier one is being prepared.
    """
    policies.require(policies.may_export_records(by), by, *_EXPORT_RECORDS)
    policies.require_same_pharmacy(by, pharmacy.pk)
    until = min(until or now, now)
    sentence = describe_records(kind, since, until, pharmacy)
    values = {"until": until} | ({"since": since} if since else {})
    return _request(kind, values, pharmacy=pharmacy, sentence=sentence, purpose=purpose, by=by, now=now)


@transaction.atomic
def request_person(*, patient: Patient, received_on: date, by: Actor, now: datetime) -> LogExport:
    """Ask for the lines of a patient's record as far as they are recorded by now, for `subject_files`.

    Raises Conflict while an earlier export is being prepared.
    """
    policies.require(policies.may_decide_file(by), by, *EXPORT_PERSON)
    policies.require_same_pharmacy(by, patient.pharmacy_id)
    return _request(
        PERSON, {"patient": str(patient.pk), "until": now}, pharmacy=patient.pharmacy, patient=patient,
        sentence=f"What is recorded about the patient No. {patient.identifier}.", purpose=f"asked for by the patient on {received_on}",
        by=by, now=now,
    )  # fmt: skip


def _request(
    shape: str,
    values: Mapping[str, Any],
    *,
    pharmacy: Pharmacy,
    patient: Patient | None = None,
    sentence: str,
    purpose: str,
    by: Actor,
    now: datetime,
) -> LogExport:
    stored = {name: value.isoformat() if name in _TIMES else value for name, value in values.items()}
    try:
        with transaction.atomic():
            export = LogExport.objects.create(
                pharmacy=pharmacy, requested_by=by.display or by.name, requested_at=now, purpose=purpose,
                filters=stored | ({} if shape == _ANSWERS else {"table": shape}), sentence=sentence[:500],
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict("Another export is being prepared; wait until it is finished.") from error
    audit.record(
        Event.EXPORT_REQUESTED, pharmacy=pharmacy, by=by, now=now, subject=export, patient=patient,
        body={"shape": shape, "filters": values, "reason": purpose or None},
    )  # fmt: skip
    return export


def prepare_next(read_clock: Callable[[], datetime], is_over: Callable[[], bool] = lambda: False) -> bool:
    """Go on with the oldest export that waits; return whether it was finished.

    Once `is_over` says so the rest is left to the next call.
    """
    now = read_clock()
    with transaction.atomic():
        waiting = LogExport.objects.filter(Q(seen_at=None) | Q(seen_at__lt=now - ABANDONED), finished_at=None)
        rows = waiting.select_for_update(skip_locked=True, of=("self",)).select_related("pharmacy")
        export = rows.order_by("requested_at").first()
        if export is None:
            return False
        LogExport.objects.filter(pk=export.pk).update(seen_at=now)
    while not is_over():
        try:
            if _write_page(export, read_clock()):
                return True
        except LogExport.DoesNotExist:
            return False
    LogExport.objects.filter(pk=export.pk).update(seen_at=None)
    return False


@transaction.atomic
def _write_page(export: LogExport, now: datetime) -> bool:
    """Store the next page of the table; after the last one finish the export and return True.

    Raises LogExport.DoesNotExist where an erasure removed it. Until the page is stored an erasure waits.
    """
    LogExport.objects.select_for_update().only("pk").get(pk=export.pk)
    number = export.parts.count()
    content, count, export.cursor, reached = _read_page(export, is_first=number == 0)
    LogExportPart.objects.create(export=export, number=number, content=content)
    export.rows, export.seen_at, export.reached = export.rows + count, now, reached or export.reached
    if not export.cursor:
        digest = hashlib.sha256()
        for chunk in _chunks(export):
            digest.update(chunk)
        export.sha256, export.finished_at = digest.hexdigest(), now
        by = Actor.system("desk", export.pharmacy_id)
        patient = _patient_of(export)
        audit.record(
            Event.LOG_EXPORTED, pharmacy=export.pharmacy, by=by, now=now, subject=export, patient=patient,
            body={
                "shape": export.table, "filters": _read_values(export), "rows": export.rows,
                "columns": person_records.VERSION if patient else _table_of(_kind_of(export)).version,
                "sha256": export.sha256, "sentence": export.sentence, "reason": export.purpose or None, "requested_by": export.requested_by,
            },
        )  # fmt: skip
    export.save(update_fields=["rows", "cursor", "seen_at", "reached", "sha256", "finished_at"])
    return export.finished_at is not None


def _read_page(export: LogExport, *, is_first: bool) -> tuple[bytes, int, str, datetime | None]:
    """Return the next rows as they are stored, how many, the cursor after them, and the moment of the last of them."""
    values = _read_values(export)
    if patient := _patient_of(export):
        return person_records.read_page(patient=patient, until=values["until"], cursor=export.cursor, is_first=is_first)
    if kind := _kind_of(export):
        # Only from a copy that has everything: not what an erasure removed before, and all that was recorded until the end.
        (rows, cursor, reached), _ = read_from_replica(
            lambda: record_tables.read_page(
                kind, pharmacy=export.pharmacy, since=values.get("since"), until=values["until"], cursor=export.cursor
            ),
            at_most=timedelta(),
        )
        return record_tables.encode_lines(rows), len(rows), cursor, reached
    page = searching.search([export.pharmacy_id], Filters(**values), cursor=export.cursor, limit=searching.MAX_PAGE)
    answered = answers.make_rows(reader.recheck(audit.lines(page.entries, export.pharmacy_id)), export.pharmacy)
    content = (answers.TABLE.encode_heading() if is_first else b"") + answers.TABLE.encode_rows(answered)
    return content, len(answered), page.next, page.entries[-1].recorded_at if page.entries else None


def find_export(*, export_id: UUID, by: Actor) -> LogExport:
    """Return an export of the caller's pharmacy. Raises NotFound."""
    policies.require(policies.may_read_log(by), by, *_EXPORT)
    export = select_exports().filter(pk=export_id, pharmacy=by.pharmacy_id).first()
    if export is None:
        raise NotFound("There is no such export here, or it was removed when details in the log were erased.")
    if _kind_of(export):
        policies.require(policies.may_export_records(by), by, *_EXPORT_RECORDS)
    return export


def select_exports() -> QuerySet[LogExport]:
    """Return the exports whose file a link opens: all but patients' files, which a second person releases."""
    return LogExport.objects.exclude(filters__contains={"table": PERSON})


def list_exports(pharmacy: Pharmacy, now: datetime) -> list[LogExport]:
    """Return the exports of a pharmacy that are being prepared or whose file is still there, newest first."""
    return list(select_exports().filter(Q(finished_at=None) | Q(finished_at__gt=now - KEPT), pharmacy=pharmacy))


@transaction.atomic
def open_export(*, export_id: UUID, by: Actor, now: datetime) -> IO[bytes]:
    """Return the zip file of a prepared export; opening it is recorded.

    Raises NotFound, and Conflict where it is not there (any more) or is not what the log says.
    """
    export = find_export(export_id=export_id, by=by)
    if export.finished_at is None:
        raise Conflict("This export is not ready yet.")
    if export.finished_at <= now - KEPT:
        problem = Problem("", "an old link", f"one of the last {KEPT.days} days", "Ask for the export again.")
        raise Conflict("The file of this export is gone.", problem)
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (whoever sends it closes it)
    kind = _kind_of(export)
    contents = record_tables.list_contents(kind, lambda: _chunks(export)) if kind else {"csv": _chunks(export)}
    digest = write_archive(
        file, _table_of(kind), contents, rows=export.rows, sentence=export.sentence, now=export.finished_at
    )
    if not _is_as_logged(export, digest):
        file.close()
        raise Conflict("The file of this export is not the one that was prepared.", _NOT_AS_LOGGED)
    audit.record(
        Event.RECORD_READ, pharmacy=export.pharmacy_id, by=by, now=now, subject=export, body={"part": "file"}
    )  # fmt: skip
    file.seek(0)
    return file


def _is_as_logged(export: LogExport, digest: str) -> bool:
    """Return whether an entry that fits its hash names this export with this SHA-256 and these words."""
    values = {"sha256": digest, "rows": export.rows, "sentence": export.sentence}
    return reader.has_entry(export, Event.LOG_EXPORTED, values, pharmacy=export.pharmacy_id)


def read_content(export: LogExport) -> bytes | None:
    """Return what was prepared, None where it is not ready. Raises Conflict where it is not what the log says."""
    if export.finished_at is None:
        return None
    content = b"".join(_chunks(export))
    if not _is_as_logged(export, hashlib.sha256(content).hexdigest()):
        raise Conflict("This file is not the one that was prepared.", _NOT_AS_LOGGED)
    return content


def _chunks(export: LogExport) -> Iterator[bytes]:
    for content in export.parts.values_list("content", flat=True).iterator(chunk_size=20):
        yield bytes(content)


def _kind_of(export: LogExport) -> RecordKind | None:
    """Return which records an export has; None for one of answers."""
    return None if export.table == _ANSWERS else RecordKind(export.table)


def _patient_of(export: LogExport) -> Patient | None:
    """Return whose record an export holds; None for a table."""
    return Patient.objects.get(pk=export.filters["patient"]) if export.table == PERSON else None


def _table_of(kind: RecordKind | None) -> Table:
    return record_tables.RECORDS[kind].table if kind else answers.TABLE


def _read_values(export: LogExport) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value) if name in _TIMES else tuple(value) if isinstance(value, list) else value
        for name, value in export.filters.items()
        if name != "table"
    }
