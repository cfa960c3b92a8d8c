"""A whole order as an interface reads it: find or register patient and prescriber, then take it in. All or nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from dispensary import policies
from dispensary.actions import patients, prescribers, prescriptions, sender_status, transactions
from dispensary.actions.host_records import HostRecord, complete_person, fill_facts, find_host_record, read_number
from dispensary.actions.identity import compare_person, problems_of
from dispensary.actions.locks import lock_identifiers
from dispensary.actions.matching import match_patient
from dispensary.actions.prescriptions import Received
from dispensary.actors import Actor
from dispensary.errors import Conflict, DispensaryError, InvalidInput, NotFound, Problem
from dispensary.models import (
    Patient,
    Pharmacy,
    Prescriber,
    Prescription,
    ReviewReason,
    SenderStatus,
    Source,
)


@dataclass(frozen=True, slots=True)
class Intake:
    """An order with its patient and prescriber, in the words of the case format and of `patients.register`."""

    patient: Patient | Mapping[str, Any]
    """One of the pharmacy's, or identifier, identifier_system, family_name, given_name, language, time_zone, birth_date, born_in, sex."""
    prescriber: Prescriber | Mapping[str, Any]
    """One of the pharmacy's, or identifier, identifier_system, name, phone, organisation."""
    order: Mapping[str, Any]
    source: Source
    document: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    replaces: Prescription | None = None
    valid_until: date | None = None
    notes: Sequence[str] = ()
    """How something unusual in the document was read."""
    identifiers: Sequence[tuple[str, str]] = ()
    """The sender's identifiers of the order, as (system, value)."""
    compare: Callable[[Mapping[str, Any]], Sequence[str]] | None = None
    """The elements in which a stored document of the same identifiers says something else."""
    host_record: HostRecord | None = None
    """The site's own record of the patient; None before the site was asked."""


@dataclass(frozen=True, slots=True)
class Retraction:
    """An order taken back by its sender."""

    identifiers: Sequence[tuple[str, str]]
    status: SenderStatus
    reason: str = ""
    """The sender's own words."""
    patient: UUID | Mapping[str, Any] | None = None
    """Whom the order was for, as far as the sender says it: an id, or a person as in `Intake`."""


def add_host_records(intakes: Iterable[Intake]) -> list[Intake]:
    """Return orders with the site's own record of their patients, each asked for once.

    An interface calls it before it opens the transaction of a request: the site's own code may take its time, and nobody then
    waits for a lock of ours.
    """
    find = functools.cache(find_host_record)
    return [
        intake if intake.host_record else replace(intake, host_record=find(*read_number(intake.patient)))
        for intake in intakes
    ]


@transactions.atomic
def take_in(intake: Intake, *, pharmacy: Pharmacy, by: Actor, now: datetime) -> Received:
    """Register who is new, record facts and earlier supplies, take the order in.

    A patient is found by number and system. Raises `Conflict` when that number belongs to a person of another name, birth
    date or sex, and whatever `patients` and `prescriptions` raise. Names, birth date and sex of a known patient are never
    changed by an order: what the order states and the record lacks becomes a note on the order. A site that was not asked yet for
    its own record of the patient is asked before anything is locked.
    """
    policies.require(policies.may_receive(by), by, "take in a prescription", "a technician or pharmacist")
    host_record = intake.host_record or find_host_record(*read_number(intake.patient))
    lock_identifiers(pharmacy.pk, intake.identifiers)
    if earlier := sender_status.find_by_identifiers(pharmacy, intake.identifiers):
        return _repeated(earlier, intake, by, now)
    if problems := find_lapse(intake.valid_until, pharmacy.local_day(now)):
        raise InvalidInput("The order is no longer valid.", *problems)
    # A case has the facts that somebody states of the patient; a Bundle has what its sender happens to hold of them.
    is_part = intake.source is Source.FHIR
    patient, unrecorded = match_patient(
        complete_person(intake.patient, intake.facts, host_record, pharmacy),
        intake.facts,
        fills_only=is_part,
        pharmacy=pharmacy,
        by=by,
        now=now,
    )
    patient, differing = fill_facts(patient, host_record, by, now)
    if intake.history:
        patients.record_history(patient=patient, supplies=intake.history, by=by, now=now)
    prescriber = prescribers.find_or_register(intake.prescriber, pharmacy=pharmacy, by=by, now=now)
    return prescriptions.receive(
        pharmacy=pharmacy,
        patient=patient,
        prescriber=prescriber,
        order=intake.order,
        source=intake.source,
        document=intake.document,
        replaces=intake.replaces,
        notes=[
            *intake.notes,
            *unrecorded,
            *host_record.notes,
            *differing,
            *prescribers.note_differences(intake.prescriber, prescriber),
        ],
        identifiers=intake.identifiers,
        by=by,
        now=now,
    )


def find_lapse(valid_until: date | None, on: date) -> list[Problem]:
    """Return what is wrong with an order that is valid until a day; nothing where it is on `on`, or says no day."""
    if valid_until is None or valid_until >= on:
        return []
    return [Problem("valid_until", valid_until.isoformat(), "a day that has not passed", "Ask for a new order.")]


@transaction.atomic
def take_all(
    items: Sequence[Intake | Retraction], *, pharmacy: Pharmacy, by: Actor, now: datetime
) -> list[Received | Prescription]:
    """Take several orders in or back, all or none, in their sequence.

    A site that was not asked yet for its own records is asked before the first order, so that no row is locked meanwhile.
    Raises what `take_in` and `take_back` raise, with the `position` of the item.
    """
    intakes = iter(add_host_records(item for item in items if isinstance(item, Intake)))
    results: list[Received | Prescription] = []
    for position, item in enumerate(items):
        try:
            if isinstance(item, Intake):
                results.append(take_in(next(intakes), pharmacy=pharmacy, by=by, now=now))
            else:
                results.append(take_back(item, pharmacy=pharmacy, by=by, now=now))
        except DispensaryError as error:
            error.position = position
            raise
    return results


@transaction.atomic
def take_in_supplies(
    *,
    patient: Mapping[str, Any],
    supplies: Sequence[Mapping[str, Any]],
    pharmacy: Pharmacy,
    by: Actor,
    now: datetime,
) -> bool:
    """Find or register a patient and record supplies made elsewhere. Returns whether one was new.

    `patient` as in `Intake`, `supplies` as `history` of the case format. Raises what `take_in` raises for them.
    """
    policies.require(policies.may_receive(by), by, "record earlier supplies", "a technician or pharmacist")
    record, _ = match_patient(patient, {}, pharmacy=pharmacy, by=by, now=now)
    return bool(patients.record_history(patient=record, supplies=supplies, by=by, now=now))


@transaction.atomic
def take_back(retraction: Retraction, *, pharmacy: Pharmacy, by: Actor, now: datetime) -> Prescription:
    """Withdraw the order that its sender's identifiers name.

    Raises `NotFound` when there is none here, `Conflict` when it is for another patient than the sender says.
    """
    policies.require(policies.may_receive(by), by, "take in a withdrawal", "a technician or pharmacist")
    lock_identifiers(pharmacy.pk, retraction.identifiers)
    prescription = sender_status.find_by_identifiers(pharmacy, retraction.identifiers)
    if prescription is None:
        problem = Problem(
            "MedicationRequest.identifier",
            "an identifier unknown here",
            "the identifier of an order that was taken in here",
            "Nothing was stored. If the order is still on its way, send the withdrawal again after it.",
        )
        raise NotFound("There is no order with this identifier here.", problem)
    patient = prescription.patient
    if isinstance(retraction.patient, UUID):
        others = Patient.objects.filter(pharmacy=pharmacy, pk=retraction.patient).exclude(
            Q(pk=patient.pk) | Q(joined_to=patient)
        )
        problems = [
            Problem("MedicationRequest.subject", "another patient", "the patient of the order", "Check the identifier.")
            for _ in others
        ]
    else:
        problems = problems_of(compare_person(patient, retraction.patient or {}))
    if problems:
        raise Conflict("The order with this identifier is for another patient. Nothing was changed.", *problems)
    return sender_status.withdraw(
        prescription=prescription, status=retraction.status, reason=retraction.reason, by=by, now=now
    )


def _repeated(earlier: Prescription, intake: Intake, by: Actor, now: datetime) -> Received:
    """Answer an order that came before with what came of it then; one on hold is released.

    Raises `Conflict` where it says something else now.
    """
    differing = intake.compare(earlier.document) if intake.compare else ()
    if differing:
        problem = Problem(
            "MedicationRequest.identifier",
            f"the identifier of MedicationRequest/{earlier.pk}, which says something else in {', '.join(differing)}",
            "the same order again, or an identifier of its own for another order",
            f"To change the order, withdraw MedicationRequest/{earlier.pk} and send the new one with its own identifier.",
        )
        raise Conflict("There is another order with this identifier here. Nothing was stored.", problem)
    earlier = sender_status.release(prescription=earlier, by=by, now=now)
    review = earlier.reviews.filter(reason=ReviewReason.RECEIVED).earliest("reviewed_at")
    return Received(earlier, review, is_new=False)
