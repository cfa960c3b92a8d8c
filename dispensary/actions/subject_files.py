"""A patient's file for the patient: one manager has it prepared, another reads and releases it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from dispensary import audit, policies
from dispensary.actions import long_exports, person_records
from dispensary.actions.long_exports import EXPORT_PERSON, KEPT
from dispensary.actors import Actor
from dispensary.audit import Event, Line
from dispensary.audit.log import reader
from dispensary.errors import Conflict, InvalidInput, NotAllowed, NotFound, Problem, Stale
from dispensary.models import LogExport, Patient, SubjectRequest, SubjectRequestState
from dispensary.text import clean_line

READ_FILE = ("read a patient's file", "an auditor or manager in person")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared file as who decides reads it."""

    lines: list[dict[str, Any]]
    """Without the facts; newest first."""
    facts: dict[str, Any]
    sha256: str


@transaction.atomic
def request_file(*, patient_id: UUID, received_on: date, identity: str, by: Actor, now: datetime) -> SubjectRequest:
    """Have the file of a patient prepared. `identity` says how it was checked who asks.

    Raises NotFound, InvalidInput, and Conflict while another request of the patient waits, or another export is being prepared.
    """
    policies.require(policies.may_decide_file(by), by, *EXPORT_PERSON)
    patient = Patient.objects.select_related("pharmacy").filter(pk=patient_id, pharmacy=by.pharmacy_id).first()
    if patient is None:
        raise NotFound("There is no such patient here.")
    if not date(2000, 1, 1) <= received_on <= patient.pharmacy.local_day(now):
        raise InvalidInput(
            "The request cannot have been received on this day.",
            Problem("received_on", str(received_on), "the day on which the patient asked, today or earlier"),
        )
    export = long_exports.request_person(patient=patient, received_on=received_on, by=by, now=now)
    try:
        with transaction.atomic():
            return SubjectRequest.objects.create(
                pharmacy=patient.pharmacy, patient=patient, received_on=received_on, export=export,
                identity=clean_line(identity, "identity", longest=250), requested_by=by.name, requester_name=by.display or by.name,
                requested_at=now,
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict("A request of this patient waits already. Decide it first.") from error


def list_requests(by: Actor) -> QuerySet[SubjectRequest]:
    """Return the requests at the caller's pharmacy, newest first."""
    policies.require(policies.may_read_log(by), by, "read requests for a patient's file", "an auditor or manager")
    return SubjectRequest.objects.select_related("patient", "pharmacy").filter(pharmacy=by.pharmacy_id)


def find_request(*, request_id: UUID, by: Actor) -> SubjectRequest:
    """Return a request at the caller's pharmacy. Raises NotFound."""
    request: SubjectRequest | None = list_requests(by).filter(pk=request_id).first()
    if request is None:
        raise NotFound("There is no such request here.")
    return request


@transaction.atomic
def read_prepared(*, request_id: UUID, by: Actor, now: datetime) -> Prepared | None:
    """Return what was prepared, for the decision; reading it is recorded. None until the worker has finished.

    Raises Conflict where it is decided, where an erasure removed it, or where it is not what the log says.
    """
    policies.require(policies.may_decide_file(by), by, *EXPORT_PERSON)
    request = find_request(request_id=request_id, by=by)
    _require_waiting(request)
    content = long_exports.read_content(_find_export(request))
    if content is None:
        return None
    facts, *lines = map(json.loads, content.splitlines())
    digest = hashlib.sha256(content).hexdigest()
    audit.record(
        Event.RECORD_READ, pharmacy=request.pharmacy, by=by, now=now, subject=request, patient=request.patient,
        body={"part": "prepared", "sha256": digest},
    )  # fmt: skip
    return Prepared(lines, facts, digest)


@transaction.atomic
def release_file(
    *,
    request_id: UUID,
    sha256: str,
    withheld: Collection[int] = (),
    names_staff: bool = False,
    words: str = "",
    by: Actor,
    now: datetime,
) -> SubjectRequest:
    """Release a prepared file as another manager than who asked for it, who has read it: `sha256` is that of what was read.

    Details of the entries `withheld` are left out, as they are about another person; `names_staff` names who only looked. Both need
    `words`. Raises NotAllowed for who asked, Stale for a file that this person has not read, InvalidInput, and Conflict.
    """
    request = _lock_waiting(request_id, by)
    content = long_exports.read_content(_find_export(request))
    if content is None:
        raise Conflict("This file is not ready yet.")
    digest = hashlib.sha256(content).hexdigest()
    reading = {"part": "prepared", "sha256": digest}
    if sha256 != digest or not any(
        line.entry.actor == by.name and reading.items() <= (line.body or {}).items() for line in list_readings(request)
    ):
        raise Stale("This is not the file that you have read.", Problem("sha256", "another file", "the one you read"))
    entries = {line["entry"] for line in map(json.loads, content.splitlines()[1:]) if not person_records.is_look(line)}
    if unknown := sorted(set(withheld) - entries):
        problem = Problem("withheld", ", ".join(map(str, unknown)), "numbers of events in the file")
        raise InvalidInput("These are no events of the file.", problem)
    request.withheld, request.names_staff = sorted(set(withheld)), names_staff
    request.words = _clean_reason(words, is_needed=bool(withheld) or names_staff)
    document = person_records.make_document(content, request, request.requested_at)
    request.state = SubjectRequestState.RELEASED
    _record_decision(request, Event.FILE_RELEASED, _release_values(request, document), by, now)
    return request


@transaction.atomic
def refuse_file(*, request_id: UUID, words: str, by: Actor, now: datetime) -> SubjectRequest:
    """Refuse to release a file, with the reason, as another manager than who asked for it; what was prepared is deleted.

    Raises NotAllowed, InvalidInput, Conflict."""
    request = _lock_waiting(request_id, by)
    request.words = _clean_reason(words, is_needed=True)
    if request.export_id is not None:
        LogExport.objects.filter(pk=request.export_id).delete()
        request.export = None
    request.state = SubjectRequestState.REFUSED
    _record_decision(request, Event.FILE_REFUSED, {"words": request.words}, by, now)
    return request


@transaction.atomic
def open_file(*, request_id: UUID, by: Actor, now: datetime) -> bytes:
    """Return the zip file of a released request; opening it is recorded.

    Raises Conflict where it is not released, `KEPT` after it was, and where it is not what was released by the log.
    """
    policies.require(policies.may_read_file(by), by, *READ_FILE)
    request = find_request(request_id=request_id, by=by)
    if request.state != SubjectRequestState.RELEASED or request.decided_at is None:
        raise Conflict("This file is not released.", Problem("", request.get_state_display(), "released"))
    if request.decided_at <= now - KEPT:
        problem = Problem("", "an old link", f"one of the last {KEPT.days} days", "Have the file prepared again.")
        raise Conflict("This file is gone.", problem)
    document = person_records.make_document(
        long_exports.read_content(_find_export(request)) or b"", request, request.requested_at
    )
    if not reader.has_entry(
        request, Event.FILE_RELEASED, _release_values(request, document), pharmacy=request.pharmacy_id
    ):
        problem = Problem(
            "", "another content", "that of the log", "Have the log verified, and the file prepared again."
        )
        raise Conflict("This file is not the one that was released.", problem)
    audit.record(
        Event.RECORD_READ, pharmacy=request.pharmacy, by=by, now=now, subject=request, patient=request.patient,
        body={"part": "file"},
    )  # fmt: skip
    return person_records.write_archive(document, request, request.requested_at)


def list_readings(request: SubjectRequest) -> list[Line]:
    """Return the entries of who opened what was prepared or released, newest first."""
    return reader.history(request, pharmacy=request.pharmacy_id, events=[Event.RECORD_READ])


def _release_values(request: SubjectRequest, document: bytes) -> dict[str, Any]:
    return {
        "sha256": hashlib.sha256(document).hexdigest(), "withheld": request.withheld, "names_staff": request.names_staff, "words": request.words,
    }  # fmt: skip


def _clean_reason(words: str, *, is_needed: bool) -> str:
    reason = clean_line(words, "words", longest=500, required=False)
    if is_needed and not reason:
        raise InvalidInput("The reason is missing.", Problem("words", "nothing", "the reason in words"))
    return reason


def _find_export(request: SubjectRequest) -> LogExport:
    export = None if request.export_id is None else LogExport.objects.filter(pk=request.export_id).first()
    if export is None:
        problem = Problem("", "no file", "a prepared file", "Refuse this request, and have the file prepared again.")
        raise Conflict("What was prepared was removed when details in the log were erased.", problem)
    return export


def _require_waiting(request: SubjectRequest) -> None:
    if request.state != SubjectRequestState.WAITING:
        raise Conflict(f"This request is {request.get_state_display()} already.")


def _lock_waiting(request_id: UUID, by: Actor) -> SubjectRequest:
    """Return a request that waits, locked for the decision of another manager."""
    policies.require(policies.may_decide_file(by), by, *EXPORT_PERSON)
    request = find_request(request_id=request_id, by=by)
    locked = (
        SubjectRequest.objects.select_for_update(of=("self",)).select_related("patient", "pharmacy").get(pk=request.pk)
    )
    _require_waiting(locked)
    if locked.requested_by == by.name:
        raise NotAllowed(
            "You had this file prepared. Another manager decides about it.",
            Problem("", "the same person", "another manager of this pharmacy"),
        )
    return locked


def _record_decision(request: SubjectRequest, event: Event, body: dict[str, Any], by: Actor, now: datetime) -> None:
    request.decided_by, request.decider_name, request.decided_at = by.name, by.display or by.name, now
    request.save()
    audit.record(
        event, pharmacy=request.pharmacy, by=by, now=now, subject=request, patient=request.patient,
        second_actor=request.requested_by,
        body=body | {"requested_by": request.requester_name, "received_on": request.received_on, "identity": request.identity},
    )  # fmt: skip
