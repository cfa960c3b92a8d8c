"""Reading of the log, with an audit entry of its own: searches, opened entries, exports and proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from dispensary import audit, policies
from dispensary.actors import Actor, Role
from dispensary.audit import Event, Subject
from dispensary.audit.evidence.export import Scope, Shape, find_log, resolve_range
from dispensary.audit.evidence.proof import find_covering_size
from dispensary.audit.log import search as searching
from dispensary.audit.log.search import Count, Filters, Page
from dispensary.errors import NotFound
from dispensary.models import AuditEntry, AuditLog

_DOING, _WHO = "read the audit log", "an auditor or manager"


ONE_ENTRY = "proof"
"""The shape of an export of one entry, as the log names it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search, with how many there are in all when that was asked for."""

    page: Page
    count: Count | None


@transaction.atomic
def search(
    *,
    filters: Filters,
    by: Sequence[Actor],
    now: datetime,
    cursor: str = "",
    limit: int = searching.PAGE,
    counted: bool = False,
) -> Found:
    """Search the logs of the pharmacies where `by` acts: one actor for each, and one line in the log of each.

    Raises `NotAllowed` for anybody but auditors and managers, `InvalidInput` for filters that cannot be answered.
    """
    filters.checked()
    for actor in by:
        policies.require(policies.may_read_log(actor), actor, _DOING, _WHO)
    pharmacies = [actor.pharmacy_id for actor in by]
    page = searching.search(pharmacies, filters, cursor=cursor, limit=limit)
    count = searching.count(pharmacies, filters) if counted else None
    for actor in by:
        body = {"filters": filters.as_body(), "further_page": bool(cursor), "shown": len(page.entries)}
        audit.record(
            Event.LOG_SEARCHED,
            pharmacy=actor.pharmacy_id,
            by=actor,
            now=now,
            subject=Subject("log", str(actor.pharmacy_id)),
            body=body,
        )
    return Found(page, count)


@transaction.atomic
def open_entry(*, entry_id: UUID, by: Sequence[Actor], now: datetime) -> audit.Line:
    """Return an entry with its body, for reading. Raises `NotFound` for one of another pharmacy as for one that never was."""
    for actor in by:
        policies.require(policies.may_read_log(actor), actor, _DOING, _WHO)
    entry = searching.find([actor.pharmacy_id for actor in by], entry_id)
    if entry is None:
        raise NotFound("There is no such entry here.")
    actor = next(reader for reader in by if reader.pharmacy_id == entry.pharmacy)
    audit.record(
        Event.RECORD_READ,
        pharmacy=entry.pharmacy,
        by=actor,
        now=now,
        subject=Subject("entry", str(entry.entry_id)),
        patient=entry.patient_ref,
        body={"entry": entry.entry_id},
    )
    return _describe(entry)


def _describe(entry: AuditEntry) -> audit.Line:
    return audit.lines([entry], entry.pharmacy)[0]


@dataclass(frozen=True, slots=True)
class Export:
    """An export that was allowed and recorded; what it holds is read afterwards, in a snapshot."""

    log: AuditLog
    scope: Scope
    shape: Shape


@transaction.atomic
def export(*, scope: Scope, shape: Shape, by: Actor, now: datetime, reason: str = "") -> Export:
    """Allow and record an export of part of a log, before the first byte leaves. The range is fixed here.

    Raises `NotAllowed`, `NotFound` for another pharmacy's log, `InvalidInput` for a range that the log does not hold.
    """
    policies.require(policies.may_read_log(by) or by.role is Role.SYSTEM, by, "export the audit log", _WHO)
    log = find_log(scope.log_id)
    if log.pharmacy != by.pharmacy_id:
        raise NotFound("There is no such log.")
    first, last = resolve_range(scope)
    _record_export(log, shape, first, last, by, now, reason)
    return Export(log, Scope(log.log_id, first, last), shape)


@dataclass(frozen=True, slots=True)
class Provable:
    """An entry that may be proved against the checkpoint of that size; the proof itself is made afterwards."""

    log: AuditLog
    seq: int
    size: int


@transaction.atomic
def prove(*, entry_id: UUID, size: int | None = None, by: Sequence[Actor], now: datetime) -> Provable:
    """Allow and record that one entry leaves with its proof. Raises `NotFound`, `NotAllowed`, `Conflict` before it is signed."""
    for actor in by:
        policies.require(policies.may_read_log(actor), actor, _DOING, _WHO)
    entry = searching.find([actor.pharmacy_id for actor in by], entry_id)
    if entry is None:
        raise NotFound("There is no such entry here.")
    actor = next(reader for reader in by if reader.pharmacy_id == entry.pharmacy)
    log, seq = find_log(entry.log_id), entry.seq or 0
    tree_size = find_covering_size(log, seq, size)
    _record_export(log, ONE_ENTRY, seq, seq, actor, now, "")
    return Provable(log, seq, tree_size)


def _record_export(log: AuditLog, shape: str, first: int, last: int, by: Actor, now: datetime, reason: str) -> None:  # noqa: PLR0917  (the words of one line)
    audit.record(
        Event.LOG_EXPORTED,
        pharmacy=log.pharmacy,
        by=by,
        now=now,
        subject=Subject("log", str(log.log_id)),
        body={"shape": shape, "first": first, "last": last, "reason": reason or None},
    )
