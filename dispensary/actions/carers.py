"""Carers of a patient: people who get the messages about the patient, each with a yes or a no of their own."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from dispensary.actions.consent import add_contact
from dispensary.actors import Actor, Role
from dispensary.errors import InvalidInput, Problem
from dispensary.models import (
    Carer,
    CarerRelation,
    ConsentAnswer,
    ConsentSource,
    ContactPoint,
    Language,
    Medium,
    Patient,
    Suppression,
    SuppressionReason,
    WorkKind,
)
from dispensary.models.contacts import GUARDIANS
from dispensary.models.sealed import address_digest
from dispensary.policies import may_send_reminders, require, require_same_pharmacy
from dispensary.reminders import carers
from dispensary.reminders.opt_outs import clean_address, lock_patient
from dispensary.reminders.reach import settle_owed, take_back_leases
from dispensary.reminders.work import open_or_add

ASKED_AT_MOST = 3
"""[D] Carers named on the patient's page who have not been asked yet: the page needs no account."""


@transaction.atomic
def add_carer(
    *,
    patient: Patient,
    name: str,
    relation: CarerRelation,
    language: Language,
    medium: Medium,
    address: str,
    takes_texts: bool = False,
    by: Actor,
    now: datetime,
) -> Carer:
    """Record a carer with an address. It is used once the carer says yes, while the patient does not refuse.

    Raises InvalidInput for a guardian of a patient who is of age or whose birth date is not known, for an address that is the
    patient's own, and as `add_contact` does; NotAllowed for anybody but staff of the pharmacy.
    """
    require(may_send_reminders(by), by, "record a carer", "staff at the counter")
    require_same_pharmacy(by, patient.pharmacy_id)
    lock_patient(patient.pk)
    _require_under_age(patient, relation, now)
    if not (name := " ".join(name.split())):
        raise InvalidInput("Who is it?", Problem("name", "nothing", "the carer's name"))
    carer = Carer.objects.create(
        patient=patient, name=name[:120], relation=relation, language=language, added_at=now, added_by=by.name
    )
    add_contact(patient=patient, carer=carer, medium=medium, address=address, takes_texts=takes_texts, by=by, now=now)
    return carer


@transaction.atomic
def answer_carer(*, carer: Carer, answer: ConsentAnswer, source: ConsentSource, by: Actor, now: datetime) -> None:
    """Record a carer's own yes or no; a yes lifts an earlier stop from the carer's addresses. Raises InvalidInput, NotAllowed."""
    _require_access(carer, by)
    if answer == ConsentAnswer.NOT_ASKED:
        raise InvalidInput("What did the carer say?", Problem("answer", answer.value, "yes or no"))
    lock_patient(carer.patient_id)
    carers.answer_for_carer(carer, answer, source, by=by, now=now)
    if answer == ConsentAnswer.YES:
        digests = carer.contact_points.filter(retired_at=None, fault="").values("address_digest")
        Suppression.objects.filter(address_digest__in=digests, reason=SuppressionReason.OPTED_OUT).delete()
    settle_owed(carer.patient, by, now)


@transaction.atomic
def end_carer(*, carer: Carer, by: Actor, now: datetime) -> None:
    """Send a carer nothing more. Twice is once."""
    _require_access(carer, by)
    lock_patient(carer.patient_id)
    carers.end_carer(carer, "carer-ended", by=by, now=now)
    settle_owed(carer.patient, by, now)


@transaction.atomic
def choose_language(*, carer: Carer, language: Language, by: Actor, now: datetime) -> None:
    """Write to a carer in a language. The same again is no change."""
    _require_access(carer, by)
    lock_patient(carer.patient_id)
    Carer.objects.filter(pk=carer.pk).update(language=language)
    take_back_leases(carer.patient_id)


@transaction.atomic
def ask_for_carer(
    *,
    contact: ContactPoint,
    name: str,
    relation: CarerRelation,
    medium: Medium,
    address: str,
    by: Actor,
    now: datetime,
) -> None:
    """Record from the patient's page whom staff are to ask, and open the work. The same address again is the same carer.

    The address stands sealed at the carer alone, never in the work or the log. Raises InvalidInput for no name, for a guardian of a patient
    who is not known to be under age, for an address that `add_contact` refuses, and where ASKED_AT_MOST carers wait for being asked.
    """
    if not (name := " ".join(name.split())[:60]):
        raise InvalidInput("Who is it?", Problem("name", "nothing", "the carer's name"))
    patient, digest = contact.patient, address_digest(medium, clean_address(medium, address))
    lock_patient(patient.pk)
    _require_under_age(patient, relation, now)
    waiting = patient.carers.filter(ended_at=None, answer=ConsentAnswer.NOT_ASKED)
    carers_there = patient.carers.filter(
        contact_points__medium=medium, contact_points__address_digest=digest, contact_points__retired_at=None
    )
    if not carers_there.exists():
        if waiting.count() >= ASKED_AT_MOST:
            problem = Problem("name", "one more", f"at most {ASKED_AT_MOST}", "The pharmacy asks the others first.")
            raise InvalidInput("Several people wait for being asked.", problem)
        carer = Carer.objects.create(
            patient=patient,
            name=name,
            relation=relation,
            language=patient.language,
            added_at=now,
            added_by=by.name,
        )
        add_contact(patient=patient, carer=carer, medium=medium, address=address, by=by, now=now)
    reason = f"The patient asks on the page that {name}, {relation.label.lower()}, gets the messages, too. Ask them: the address stands with the patient's messages."
    open_or_add(WorkKind.REPLY, pharmacy_id=patient.pharmacy_id, patient_id=patient.pk, reason=reason, by=by, now=now)


def _require_under_age(patient: Patient, relation: CarerRelation, now: datetime) -> None:
    """Raise InvalidInput for a guardian of a patient who is of age or whose birth date is not known."""
    if relation in GUARDIANS and not carers.is_under_age(patient, patient.pharmacy.local_day(now)):
        problem = Problem(
            "relation", relation.label.lower(), "a carer", "Whoever is of age is asked, and may name a carer."
        )
        raise InvalidInput("A guardian answers only for a patient known to be under the age of consent.", problem)


def _require_access(carer: Carer, by: Actor) -> None:
    require(may_send_reminders(by) or by.role == Role.PATIENT, by, "change what a carer gets", "staff at the counter")
    require_same_pharmacy(by, carer.patient.pharmacy_id)
