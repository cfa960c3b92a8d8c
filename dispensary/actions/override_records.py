"""The printed record of an override, from its entries in the log; each print is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet

from dispensary import audit, policies
from dispensary.actions.documents import not_printable
from dispensary.actors import Actor
from dispensary.audit import Event, Line
from dispensary.audit.log import reader
from dispensary.documents import DoesNotFit, OverrideRecord, PharmacyLines, PrintedSignature, override_record_pdf
from dispensary.errors import Conflict, Problem
from dispensary.handover import order_number
from dispensary.models import FindingSeverity, Mitigation, Override, Pharmacy, SecondSignature, SignatureMethod
from dispensary.text import format_amounts

_METHODS = {member.value: str(member.label) for member in SignatureMethod}


def select_overrides() -> QuerySet[Override]:
    """Return all answers with what their records need."""
    return Override.objects.select_related(
        "prescription__patient__pharmacy", "prior_supply__patient__pharmacy", "dispense"
    )


@transaction.atomic
def print_override(*, override: Override, by: Actor, now: datetime) -> bytes:
    """Return the record of an override as PDF; who read it stands in the log.

    Raises `NotAllowed`, `NotPrintable`, and `Conflict` for an acknowledgement and for an answer whose entry is erased or does not fit its hash.
    """
    policies.require(
        policies.may_read_override(by), by, "read the record of an override", "a pharmacist, manager or auditor"
    )
    patient = override.subject.patient
    policies.require_same_pharmacy(by, patient.pharmacy_id)
    record = _make_record(override, patient.pharmacy, by, now)
    try:
        content = override_record_pdf(record, at=now)
    except DoesNotFit as error:
        raise not_printable(error) from None
    audit.record(
        Event.RECORD_READ, pharmacy=patient.pharmacy, by=by, now=now, subject=override, patient=patient,
        body={"document": "override record"},
    )  # fmt: skip
    return content


def _make_record(override: Override, pharmacy: Pharmacy, by: Actor, now: datetime) -> OverrideRecord:
    if override.severity != FindingSeverity.OVERRIDE:
        problem = Problem("override", override.severity, "an override", "Look at the answer itself.")
        raise Conflict("This answer is an acknowledgement: there is no record of an override.", problem)
    first = _read_line(override, Event.OVERRIDE_SIGNED, pharmacy)
    body = first.body or {}
    second = SecondSignature.objects.filter(override=override).first()
    signatures = [_signature(first, f"{body['signer']}, {first.entry.actor_role}", body["meaning"], pharmacy)]
    if second is not None:
        event = Event.OVERRIDE_ALONE if second.is_alone else Event.OVERRIDE_SECONDED
        meaning = (
            f"I take responsibility alone for supplying in spite of this, because: {second.because}"
            if second.is_alone
            else "I have looked at this myself and take responsibility for supplying in spite of it."
        )
        line = _read_line(second, event, pharmacy)
        signatures.append(_signature(line, f"{second.signer_name}, {line.entry.actor_role}", meaning, pharmacy))
    patient, subject = override.subject.patient, override.prescription
    return OverrideRecord(
        patient=f"{patient}, born {patient.birth_date:%d %b %Y}, No. {patient.identifier}"
        if patient.birth_date
        else f"{patient}, No. {patient.identifier}",
        order="A supply recorded from elsewhere"
        if subject is None
        else f"No. {order_number(subject)}: {subject.directions}",
        finding=body["summary"],
        rule=override.code,
        details=list(_details(first, body, pharmacy)),
        shown=body.get("shown", ""),
        signatures=signatures,
        state=_state_words(override, pharmacy),
        printed=f"Printed {_time_words(now, pharmacy)} for {by.display or by.name}",
        pharmacy=PharmacyLines(pharmacy.name, pharmacy.address, pharmacy.phone),
    )


def _details(line: Line, body: dict[str, Any], pharmacy: Pharmacy) -> Iterator[tuple[str, str]]:
    finding = body.get("finding") or {}
    asked_at = body.get("asked_at")
    sources = [f"{source['title']}, {source['where']}" for source in finding.get("sources") or ()]
    details = (
        ("How worked out", finding.get("detail", "")),
        ("Found", format_amounts(finding.get("observed") or {})),
        ("Limit", format_amounts(finding.get("limit") or {})),
        ("Source", "; ".join(dict.fromkeys(sources))),
        ("Reason", str(Mitigation(line.entry.reason_code or "").label)),
        ("In words", body["words"]),
        ("Asked", body.get("asked", "")),
        ("Asked at", _time_words(datetime.fromisoformat(asked_at), pharmacy) if asked_at else ""),
        ("Agreed", body.get("agreed", "")),
    )
    return ((name, value) for name, value in details if value)


def _read_line(row: Override | SecondSignature, event: Event, pharmacy: Pharmacy) -> Line:
    """Return the entry of a signature. Raises `Conflict` where it is gone or cannot be relied on."""
    checked = reader.recheck(audit.history(row, pharmacy=pharmacy, events=[event])[-1:])
    if not checked or checked[0].body is None or checked[0].doubt:
        problem = Problem("", "", "The entry of the signature in the log", "Have the log verified.")
        raise Conflict("The log's entry of this signature is erased, or does not fit its hash.", problem)
    return checked[0]


def _signature(line: Line, who: str, meaning: str, pharmacy: Pharmacy) -> PrintedSignature:
    body, entry = line.body or {}, line.entry
    number = "not numbered yet" if entry.seq is None else f"{entry.seq}"
    leaf = "" if entry.leaf is None else f", leaf {bytes(entry.leaf).hex()}"
    return PrintedSignature(
        who=who,
        meaning=meaning,
        proof=_METHODS.get(body.get("method", ""), ""),
        at=_time_words(entry.occurred_at, pharmacy),
        digest=body.get("signed", ""),
        entry=f"{number}{leaf}",
    )


def _state_words(override: Override, pharmacy: Pharmacy) -> str:
    dispense = override.dispense
    if dispense is None:
        return f"{override.get_state_display()}."
    state = dispense.get_status_display().lower()
    return f"Used for a hand-over on {_time_words(dispense.handed_over_at, pharmacy)} ({state})."


def _time_words(moment: datetime, pharmacy: Pharmacy) -> str:
    return f"{moment.astimezone(ZoneInfo(pharmacy.time_zone)):%d %b %Y, %H:%M} ({pharmacy.time_zone})"
