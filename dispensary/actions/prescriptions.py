"""Orders: receive, cancel, replace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from baclofen_rules import Reading, read_directions
from baclofen_rules.findings import Finding
from dispensary import audit, policies
from dispensary.actions import reviews, transactions
from dispensary.actions.locks import lock, lock_record, lock_with_status
from dispensary.actions.order_terms import split_order
from dispensary.actions.owed_orders import note_owed, settle_owed
from dispensary.actions.summaries import follow_record, follow_therapy
from dispensary.actors import Actor
from dispensary.assessment import INPUT_FORMAT, Assessment, assess, assess_document, profile_of, read_case
from dispensary.audit import Event
from dispensary.conf import conf
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.handover import order_number
from dispensary.models import (
    CancelCause,
    FindingSeverity,
    Patient,
    Pharmacy,
    Phase,
    Prescriber,
    Prescription,
    PrescriptionIdentifier,
    PrescriptionStatus,
    Review,
    ReviewReason,
    Source,
)
from dispensary.models.prescription import OPEN_STATUSES
from dispensary.models.reminders import Withdrawal
from dispensary.statements import insert, new_row, update
from dispensary.text import clean_line


@dataclass(frozen=True, slots=True)
class Received:
    """A prescription taken in, with the review made of it at once."""

    prescription: Prescription
    review: Review
    is_new: bool = True
    """False where the same order was taken in before; nothing was then stored."""
    order: Prescription | None = None
    """A new one as its patient's record has it."""
    assessment: Assessment | None = None
    """What the review of a new one says."""


@transactions.atomic
def receive(
    *,
    pharmacy: Pharmacy,
    patient: Patient,
    prescriber: Prescriber,
    order: Mapping[str, Any],
    source: Source,
    document: Mapping[str, Any],
    replaces: Prescription | None = None,
    replaced_before: Prescription | None = None,
    notes: Sequence[str] = (),
    identifiers: Sequence[tuple[str, str]] = (),
    by: Actor,
    now: datetime,
) -> Received:
    """Take in an order: `order` is the `prescription` part of the case format, `document` what came in, kept as it was.

    `notes` tell how something unusual in the document was read; they stay with the order for the hand-over.
    `identifiers` are the sender's for this order, as (system, value). `replaced_before` is an order that has ended because
    the one that this corrects took its place.

    Raises `InvalidInput` with the JSON path of the first thing that cannot be read, `Conflict` for a patient who has
    died or an order that replaces one which another has replaced. A prescription that the rules stop is taken in all the same:
    it is seen, it just cannot be handed over.
    """
    policies.require(policies.may_receive(by), by, "take in a prescription", "a technician or pharmacist")
    for person in (patient, prescriber):
        policies.require_same_pharmacy(by, person.pharmacy_id)
    policies.require_same_pharmacy(by, pharmacy.pk)
    if patient.died_on:
        raise Conflict("The patient is recorded as having died. Nothing can be taken in.")
    for_the_rules, terms = split_order(order)
    checked_order = _read_order(for_the_rules, pharmacy.local_day(now))
    reading = _read_directions(checked_order, pharmacy)
    owed_note = "" if source == Source.EMERGENCY else note_owed(patient, prescriber)
    prescription = new_row(
        Prescription,
        pharmacy=pharmacy,
        patient=patient,
        prescriber=prescriber,
        written_on=_day(checked_order.get("written_on")),
        starts_on=terms.starts_on,
        medicine=checked_order.get("medicine"),
        route=checked_order.get("route") or "",
        form=checked_order.get("form") or "",
        strength_mg=_amount(checked_order.get("strength_mg")),
        brand=checked_order.get("brand") or "",
        then_stop=checked_order.get("then_stop"),
        as_needed=bool(checked_order.get("as_needed") or (reading and reading.as_needed)),
        max_mg_per_day=terms.max_mg_per_day or (reading.max_mg_per_day if reading else None),
        directions=checked_order.get("directions") or "",
        quantity=_amount(checked_order.get("quantity")),
        expected_days=checked_order.get("expected_days"),
        repeats=checked_order.get("repeats"),
        interval_days=terms.interval_days,
        group=terms.group or "",
        lines=checked_order.get("lines") or [],
        source=source,
        document=document,
        notes=[*notes, *([owed_note] if owed_note else [])],
        received_at=now,
        replaces=replaces or replaced_before,
    )
    phases = _phases(checked_order, reading)
    prescription.phases_from_directions = not checked_order.get("phases")
    prescription.notes += _note_other_lengths(prescription, phases)
    identifier_rows = [
        PrescriptionIdentifier(pharmacy=pharmacy, prescription=prescription, system=system, value=value)
        for system, value in identifiers
    ]
    phase_rows = [new_row(Phase, prescription=prescription, number=n, **phase) for n, phase in enumerate(phases, 1)]
    insert([prescription, *phase_rows, *identifier_rows])
    if replaces is not None:
        _replace(replaces, prescription, by, now)
    if owed_note:
        settle_owed(patient, by, now)
    received = audit.prepare(
        Event.PRESCRIPTION_RECEIVED,
        pharmacy=pharmacy,
        by=by,
        now=now,
        subject=prescription,
        patient=patient,
        body={
            "source": source.value,
            "prescriber": prescriber.pk,
            "prescription": _loggable(checked_order) | terms.to_json(),
            "replaces": prescription.replaces_id,
            "notes": prescription.notes,
            **_loggable({"phases": phases}),
        }
        | ({"identifiers": [list(identifier) for identifier in identifiers]} if identifiers else {}),
    )
    record = lock_record(patient.pk, [prescription.pk])
    order_of_record = record.orders[prescription.pk]
    assessment = assess(order_of_record, on=pharmacy.local_day(now))
    frozen = reviews.build_review(
        subject=prescription, assessment=assessment, reason=ReviewReason.RECEIVED, by=by, now=now
    )
    insert(frozen.rows)
    audit.record_all([received, frozen.entry])
    reason = Withdrawal.PRESCRIPTION_REPLACED if replaces is not None else Withdrawal.FACTS_CHANGED
    follow_record(record=record, reason=reason, assessments={prescription.pk: assessment}, by=by, now=now)
    return Received(prescription, frozen.review, order=order_of_record, assessment=assessment)


@transaction.atomic
def cancel(
    *, prescription: Prescription, reason: str, cause: str = "", version: int | None = None, by: Actor, now: datetime
) -> Prescription:
    """End an order of which nothing more is to be handed over: written in error, withdrawn by the prescriber.

    `cause` is a `CancelCause`, "" where it is not said: for a finding, the rules of the newest review are recorded.
    Cancelling is not stopping: where the patient already takes the medicine, `stop` asks the rule book first. What was
    handed over is still taken, so its reminders stay.
    """
    policies.require(policies.may_end(by), by, "cancel a prescription", "a pharmacist")
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    body: dict[str, Any] = {"reason": clean_line(reason, "reason", longest=250)}
    locked = lock_with_status(prescription, version, *OPEN_STATUSES)
    if cause:
        newest = locked.reviews.first() if cause == CancelCause.FINDING else None
        findings = newest.result["findings"] if newest else ()
        rules = {finding["code"] for finding in findings if finding["severity"] != FindingSeverity.INFORMATION}
        body["cause"] = {"kind": cause, "rules": sorted(rules)}
    end(locked, PrescriptionStatus.CANCELLED, body["reason"], now)
    follow_therapy(patient_id=locked.patient_id, reason=Withdrawal.PRESCRIPTION_CANCELLED, by=by, now=now)
    audit.record(
        Event.PRESCRIPTION_CANCELLED,
        pharmacy=locked.pharmacy,
        by=by,
        now=now,
        subject=locked,
        patient=locked.patient,
        body=body,
    )
    return locked


def compare_witnesses(order: Mapping[str, Any], *, pharmacy: Pharmacy, on: date) -> tuple[Finding, ...]:
    """Return what the words, doses, quantity and days of an order say of each other, as far as they can be read."""
    try:
        assessment = review_alone(order, pharmacy=pharmacy, on=on)
    except InvalidInput:
        return ()
    return tuple(finding for finding in assessment.review.findings if finding.code in {"directions", "quantity"})


def review_alone(order: Mapping[str, Any], *, pharmacy: Pharmacy, on: date) -> Assessment:
    """Review an order of which nothing but its own words is known. Raises `InvalidInput` where it is no order."""
    for_the_rules, _ = split_order(order)
    return assess_document(_case_of(for_the_rules, on), profile_of(pharmacy, on), on)


def end(prescription: Prescription, status: PrescriptionStatus, reason: str, now: datetime) -> None:
    """Set a status that ends an order; the caller holds its lock."""
    prescription.status = status
    prescription.awaiting = ""
    prescription.ended_at = now
    prescription.ended_reason = reason
    prescription.version += 1
    update(prescription, "status", "awaiting", "ended_at", "ended_reason", "version")


def _replace(old: Prescription, new: Prescription, by: Actor, now: datetime) -> None:
    policies.require_same_pharmacy(by, old.pharmacy_id)
    if old.patient_id != new.patient_id:
        raise InvalidInput(
            "The order replaces another patient's.",
            Problem("replaces", "another patient's order", "an order for the same patient"),
        )
    locked = lock(old)
    if locked.status in OPEN_STATUSES:
        replace_order(locked, new, by, now)
    elif locked.status == PrescriptionStatus.REPLACED:
        raise Conflict(f"The order to be replaced is {locked.get_status_display().lower()} already.")


def replace_order(locked: Prescription, new: Prescription, by: Actor, now: datetime) -> None:
    """End an open order because another takes its place; the caller holds its lock."""
    end(locked, PrescriptionStatus.REPLACED, "replaced by a newer order", now)
    audit.record(
        Event.PRESCRIPTION_REPLACED,
        pharmacy=locked.pharmacy,
        by=by,
        now=now,
        subject=locked,
        patient=locked.patient,
        body={"replaced_by": new.pk},
    )


def _case_of(order: Mapping[str, Any], on: date) -> dict[str, Any]:
    """Return a case of nothing but an order."""
    whole = {"format": INPUT_FORMAT, "on": on.isoformat(), "action": "dispense", "patient": {}}
    return whole | {"prescription": dict(order)}


def _read_order(order: Mapping[str, Any], on: date) -> dict[str, Any]:
    """Return the order, checked and normalised by the rule book."""
    normalised: dict[str, Any] = read_case(_case_of(order, on)).to_json()["prescription"]
    quantity = _amount(normalised.get("quantity"))
    if quantity is not None and quantity > conf().max_quantity:
        raise InvalidInput(
            "The quantity is not believable.",
            Problem(
                "prescription.quantity",
                f"{quantity:f} tablets",
                f"at most {conf().max_quantity} tablets",
                "Check the order.",
            ),
        )
    # Vials and millilitres are no tablets: the rules stop such an order, and it has none.
    if quantity is None and normalised.get("form") in (None, "tablet"):
        raise InvalidInput(
            "The order names no quantity.",
            Problem("prescription.quantity", "nothing", "a number of tablets", "Ask the prescriber."),
        )
    return normalised


def _read_directions(order: Mapping[str, Any], pharmacy: Pharmacy) -> Reading | None:
    """Return what the directions say, where they can be read without doubt."""
    reading = read_directions(
        order.get("directions") or "",
        strength_mg=_amount(order.get("strength_mg")),
        od_means_once_daily=pharmacy.od_means_once_daily,
    )
    return reading if isinstance(reading, Reading) else None


def _phases(order: Mapping[str, Any], reading: Reading | None) -> list[dict[str, Any]]:
    """Return the phases as ordered, with the times of day that only the words name; those of the words where there are none."""
    of_words = reading.to_json()["phases"] if reading else []
    phases = order.get("phases") or of_words
    if len(phases) == len(of_words):
        phases = [_with_times(phase, words) for phase, words in zip(phases, of_words, strict=True)]
    names = ("times", "unit", "days", "from_day")
    return [
        {"doses": [Decimal(str(dose)) for dose in phase["doses"]], **{name: phase.get(name) for name in names}}
        for phase in phases
    ]


def _note_other_lengths(prescription: Prescription, phases: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a note for each other strength of a new order's group that is ordered for other days: they are no one order."""
    if not prescription.group or not phases:
        return []
    lengths = [phase["days"] for phase in phases]
    siblings = Prescription.objects.filter(
        patient=prescription.patient,
        prescriber=prescription.prescriber,
        group=prescription.group,
        written_on=prescription.written_on,
        status=PrescriptionStatus.ACTIVE,
    ).exclude(strength_mg=prescription.strength_mg)
    notes = []
    for sibling in siblings.prefetch_related("phases").order_by("received_at", "pk"):
        other_lengths = [phase.days for phase in sibling.phases.all()]
        if other_lengths and other_lengths != lengths:
            notes.append(
                f"group: prescription No. {order_number(sibling)} of the same group is {_describe_lengths(other_lengths)}, this one "
                f"{_describe_lengths(lengths)}: they are read as two orders. Ask the prescriber whether both end on one day."
            )
    return notes


def _describe_lengths(lengths: Sequence[int | None]) -> str:
    """Return the lengths of phases in days in words: "for 14 days and then without an end"."""
    return " and then ".join("without an end" if days is None else f"for {days} days" for days in lengths)


def _with_times(phase: Mapping[str, Any], words: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a phase with the doses and times of its words where it names no times and the doses are the same."""
    amounts = sorted(map(Decimal, map(str, phase["doses"]))), sorted(map(Decimal, words["doses"]))
    is_same = amounts[0] == amounts[1] and phase.get("unit") == words["unit"]
    if phase.get("times") or not words.get("times") or not is_same:
        return phase
    return {**phase, "doses": words["doses"], "times": words["times"]}


def _loggable(order: Mapping[str, Any]) -> dict[str, Any]:
    """Return an order for the log, whose lists hold no null: the time of a dose that has none is empty text."""
    phases = [
        {**phase, "times": [moment or "" for moment in phase["times"]]} if phase.get("times") else phase
        for phase in order.get("phases") or ()
    ]
    return {**order, **({"phases": phases} if phases else {})}


def _amount(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _day(value: Any) -> date | None:
    return None if value is None else date.fromisoformat(value)
