"""Exports of the log for people: answers as a table for an inspector, a patient's file for the patient. Each is an entry."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db import transaction

from dispensary import audit, policies
from dispensary.actions.export_sentences import describe_answers
from dispensary.actors import Actor
from dispensary.assessment import facts_document
from dispensary.audit import Event, Line, Subject
from dispensary.audit.evidence import answers
from dispensary.audit.log import reader
from dispensary.audit.log import search as searching
from dispensary.audit.log.events import READINGS
from dispensary.audit.log.search import Filters
from dispensary.errors import InvalidInput, NotFound, Problem
from dispensary.models import Patient, Pharmacy

_DOING, _WHO = "export the audit log", "an auditor or manager"
MOST_ROWS = 5000
"""Entries that one file holds; more are asked for by parts."""
PERSON_FORMAT = "dispensary-person/1"


@transaction.atomic
def export_answers(*, pharmacy: Pharmacy, filters: Filters, purpose: str, by: Actor, now: datetime) -> bytes:
    """Return the answers that fit as a zip file with a CSV and its dictionary.

    Raises InvalidInput for more than `MOST_ROWS`.
    """
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    rows = answers.make_rows(reader.recheck(_read_all(filters, by)), pharmacy)
    content, digest = answers.write_zip(rows, sentence=describe_answers(filters, pharmacy), now=now)
    body = {
        "shape": "answers", "filters": filters.as_body(), "rows": len(rows), "columns": answers.TABLE.version, "sha256": digest,
        "reason": purpose or None,
    }  # fmt: skip
    subject = Subject("log", str(pharmacy.pk))
    audit.record(Event.LOG_EXPORTED, pharmacy=pharmacy, by=by, now=now, subject=subject, body=body)
    return content


@transaction.atomic
def export_person(*, patient_id: UUID, purpose: str, by: Actor, now: datetime) -> bytes:
    """Return what is recorded about a patient as JSON, for the patient: facts, events with their details, and who looked.

    Of staff who only looked the role stands there, not the name (CJEU C-579/21); who signed or handed over is named.
    """
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    patient = Patient.objects.filter(pk=patient_id, pharmacy=by.pharmacy_id).first()
    if patient is None:
        raise NotFound("There is no such patient here.")
    lines = reader.recheck(_read_all(Filters(patient=str(patient.pk)), by))
    looks = {event.value for event in READINGS}
    document = {
        "format": PERSON_FORMAT,
        "written": now.isoformat(),
        "person": {
            "family_name": patient.family_name, "given_name": patient.given_name, "number": patient.identifier,
            "language": patient.language, "facts": facts_document(patient),
        },
        "events": [_event(line, patient) for line in lines if line.entry.action not in looks],
        "looks": [
            {"at": line.entry.recorded_at.isoformat(), "role": line.entry.actor_role, "what": line.entry.action}
            for line in lines if line.entry.action in looks
        ],
    }  # fmt: skip
    content = json.dumps(document, indent=2, ensure_ascii=False, default=str).encode()
    body = {
        "shape": "person",
        "rows": len(lines),
        "sha256": hashlib.sha256(content).hexdigest(),
        "reason": purpose or None,
    }
    audit.record(
        Event.LOG_EXPORTED, pharmacy=patient.pharmacy_id, by=by, now=now, subject=patient, patient=patient, body=body
    )
    return content


def _event(line: Line, patient: Patient) -> dict[str, object]:
    name = f"{patient.given_name} {patient.family_name}".strip()
    return {
        "entry": line.entry.seq,
        "at": line.entry.recorded_at.isoformat(),
        "what": audit.sentence(line.entry, line.body, name),
        "details": None if line.doubt else line.body,
        "doubt": line.doubt or None,
    }


def is_long(filters: Filters, by: Actor) -> bool:
    """Return whether more entries fit than one request exports."""
    return searching.count([by.pharmacy_id], filters).value > MOST_ROWS


def _read_all(filters: Filters, by: Actor) -> Iterator[Line]:
    """Yield the entries that fit with their bodies, newest first. Raises InvalidInput for more than `MOST_ROWS`."""
    number = searching.count([by.pharmacy_id], filters).value
    if number > MOST_ROWS:
        raise InvalidInput(
            f"These are more than {MOST_ROWS:,} entries.",
            Problem("since", "a period with too many", "a shorter period", "Export it in parts."),
        )
    cursor = ""
    while True:
        page = searching.search([by.pharmacy_id], filters, cursor=cursor, limit=searching.MAX_PAGE)
        yield from audit.lines(page.entries, by.pharmacy_id)
        if not page.next:
            return
        cursor = page.next
