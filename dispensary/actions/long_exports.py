"""Long exports of answers: a worker writes the table page by page, in slices, and a link shows it for some days.

The table ends at the moment it was asked for, so that what is recorded meanwhile changes nothing. An erasure removes all exports of its
pharmacy (`audit.erase`): what is erased may stand in them.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import IO, Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from dispensary import audit, policies
from dispensary.actors import Actor
from dispensary.audit import Event
from dispensary.audit.evidence import answers
from dispensary.audit.log import reader
from dispensary.audit.log import search as searching
from dispensary.audit.log.search import Filters
from dispensary.errors import Conflict, NotFound, Problem
from dispensary.models import LogExport, LogExportPart, Pharmacy

KEPT = timedelta(days=7)
"""The file of an export is there for so long after it was prepared [D]."""
ABANDONED = timedelta(minutes=5)
"""An export of which nothing was heard for so long is gone on with: its worker is gone."""
_TIMES = ("since", "until")


@transaction.atomic
def request_export(
    *, pharmacy: Pharmacy, filters: Filters, sentence: str, purpose: str, by: Actor, now: datetime
) -> LogExport:
    """Ask for a table of the answers that fit and are recorded by now. Raises Conflict while an earlier one is being prepared."""
    policies.require(policies.may_read_log(by), by, "export the audit log", "an auditor or manager")
    policies.require_same_pharmacy(by, pharmacy.pk)
    until = min(filters.until or now, now)
    values = replace(filters.checked(), until=until).as_body()
    try:
        with transaction.atomic():
            export = LogExport.objects.create(
                pharmacy=pharmacy, requested_by=by.display or by.name, requested_at=now, purpose=purpose,
                filters={name: value.isoformat() if name in _TIMES else value for name, value in values.items()},
                sentence=sentence[:500],
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict("Another export is being prepared; wait until it is finished.") from error
    audit.record(
        Event.EXPORT_REQUESTED, pharmacy=pharmacy, by=by, now=now, subject=export,
        body={"shape": "answers", "filters": values, "reason": purpose or None},
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
    filters = _read_filters(export)
    while not is_over():
        try:
            if _write_page(export, filters, read_clock()):
                return True
        except LogExport.DoesNotExist:
            return False
    LogExport.objects.filter(pk=export.pk).update(seen_at=None)
    return False


@transaction.atomic
def _write_page(export: LogExport, filters: Filters, now: datetime) -> bool:
    """Store the next page of the table; after the last one finish the export and return True.

    Raises LogExport.DoesNotExist where an erasure removed it. Until the page is stored an erasure waits.
    """
    LogExport.objects.select_for_update().only("pk").get(pk=export.pk)
    page = searching.search([export.pharmacy_id], filters, cursor=export.cursor, limit=searching.MAX_PAGE)
    lines = reader.recheck(audit.lines(page.entries, export.pharmacy_id))
    rows = answers.make_rows(lines, export.pharmacy)
    number = export.parts.count()
    content = (b"" if number else answers.encode_heading()) + answers.encode_rows(rows)
    LogExportPart.objects.create(export=export, number=number, content=content)
    export.rows, export.cursor, export.seen_at = export.rows + len(rows), page.next, now
    if page.entries:
        export.reached = page.entries[-1].recorded_at
    if not page.next:
        digest = hashlib.sha256()
        for chunk in _chunks(export):
            digest.update(chunk)
        export.sha256, export.finished_at = digest.hexdigest(), now
        by = Actor.system("desk", export.pharmacy_id)
        audit.record(
            Event.LOG_EXPORTED, pharmacy=export.pharmacy, by=by, now=now, subject=export,
            body={
                "shape": "answers", "filters": filters.as_body(), "rows": export.rows, "columns": answers.VERSION,
                "sha256": export.sha256, "sentence": export.sentence, "reason": export.purpose or None, "requested_by": export.requested_by,
            },
        )  # fmt: skip
    export.save(update_fields=["rows", "cursor", "seen_at", "reached", "sha256", "finished_at"])
    return export.finished_at is not None


def find_export(*, export_id: UUID, by: Actor) -> LogExport:
    """Return an export of the caller's pharmacy. Raises NotFound."""
    policies.require(policies.may_read_log(by), by, "export the audit log", "an auditor or manager")
    export = LogExport.objects.filter(pk=export_id, pharmacy=by.pharmacy_id).first()
    if export is None:
        raise NotFound("There is no such export here, or it was removed when details in the log were erased.")
    return export


def list_exports(pharmacy: Pharmacy, now: datetime) -> list[LogExport]:
    """Return the exports of a pharmacy that are being prepared or whose file is still there, newest first."""
    return list(LogExport.objects.filter(Q(finished_at=None) | Q(finished_at__gt=now - KEPT), pharmacy=pharmacy))


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
    digest = answers.write_archive(
        file, _chunks(export), rows=export.rows, sentence=export.sentence, now=export.finished_at
    )
    if not _is_as_logged(export, digest):
        file.close()
        problem = Problem(
            "", "another SHA-256", "that of the log", "Have the log verified, and ask for the export again."
        )
        raise Conflict("The file of this export is not the one that was prepared.", problem)
    audit.record(
        Event.RECORD_READ, pharmacy=export.pharmacy_id, by=by, now=now, subject=export, body={"part": "file"}
    )  # fmt: skip
    file.seek(0)
    return file


def _is_as_logged(export: LogExport, digest: str) -> bool:
    """Return whether an entry that fits its hash names this export with this SHA-256 and these words."""
    values = {"sha256": digest, "rows": export.rows, "sentence": export.sentence}
    return reader.has_entry(export, Event.LOG_EXPORTED, values, pharmacy=export.pharmacy_id)


def _chunks(export: LogExport) -> Iterator[bytes]:
    for content in export.parts.values_list("content", flat=True).iterator(chunk_size=20):
        yield bytes(content)


def _read_filters(export: LogExport) -> Filters:
    values: dict[str, Any] = {
        name: datetime.fromisoformat(value) if name in _TIMES else tuple(value) if isinstance(value, list) else value
        for name, value in export.filters.items()
    }
    return Filters(**values)
