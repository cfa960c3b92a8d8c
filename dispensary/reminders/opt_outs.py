"""Opt-outs and refused addresses: consent, suppressed addresses, and reminders held back.

What was claimed under the old answer loses its lease in the same transaction, so nothing that a patient has forbidden
begins after the commit of their word.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from dispensary import audit
from dispensary.actors import Actor, Role
from dispensary.channels.subscriptions import PUSH_SERVICES, parse_subscription
from dispensary.conf import conf
from dispensary.errors import InvalidInput, NotFound, Problem
from dispensary.models import (
    Carer,
    Consent,
    ConsentAnswer,
    ConsentEvent,
    ConsentSource,
    ContactFault,
    ContactPoint,
    Medium,
    Patient,
    Suppression,
    SuppressionReason,
)
from dispensary.models.sealed import address_digest
from dispensary.reminders.carers import answer_for_carer
from dispensary.reminders.queue import count
from dispensary.reminders.reach import settle_owed

ON_A_NUMBER = frozenset({Medium.SMS, Medium.VOICE, Medium.WHATSAPP})
"""The media whose address is a telephone number."""


def clean_address(medium: str, address: str) -> str:
    """The address in its one spelling: E.164 for a telephone. Raises InvalidInput, never showing what was given."""
    text = address.strip()
    if medium == Medium.EMAIL:
        try:
            validate_email(text)
        except ValidationError as error:
            raise InvalidInput(
                "This is no e-mail address.", Problem("address", "something else", "name@example.org")
            ) from error
        return text
    if medium == Medium.PUSH:
        options = conf().channel_options.get(conf().channels.get(medium, ""), {})
        try:
            return parse_subscription(text, options.get("services", PUSH_SERVICES)).address
        except ValueError as error:
            problem = Problem("address", "something else", "the subscription of a browser at a push service used here")
            raise InvalidInput("This is no browser that can be reached.", problem) from error
    if medium not in ON_A_NUMBER:
        raise InvalidInput("There is no such medium.", Problem("medium", str(medium), ", ".join(Medium)))
    try:
        number = phonenumbers.parse(text, conf().phone_region)
    except phonenumbers.NumberParseException as error:
        raise _no_number() from error
    # A number that can be called in its own area only takes no texts.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise _no_number()
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def is_landline(address: str) -> bool:
    """Say whether a telephone number in E.164 is of a line that takes texts only by arrangement.

    Raises InvalidInput for numbers that never reach a person's telephone: premium, free and shared-cost lines, pagers, mailboxes.
    """
    kind = phonenumbers.number_type(phonenumbers.parse(address))
    if kind in _NO_PERSONS_NUMBER:
        problem = Problem("address", "a service number", "the patient's own number, such as +447700900123")
        raise InvalidInput("This is the number of a service, not of a person's telephone.", problem)
    return kind in _LANDLINE


_LANDLINE = {phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.VOIP}
_NO_PERSONS_NUMBER = {
    phonenumbers.PhoneNumberType.PREMIUM_RATE,
    phonenumbers.PhoneNumberType.TOLL_FREE,
    phonenumbers.PhoneNumberType.SHARED_COST,
    phonenumbers.PhoneNumberType.PAGER,
    phonenumbers.PhoneNumberType.UAN,
    phonenumbers.PhoneNumberType.VOICEMAIL,
}


def _no_number() -> InvalidInput:
    return InvalidInput("This is no telephone number.", Problem("address", "something else", "such as +447700900123"))


@transaction.atomic
def stop_contact(
    *,
    contact_id: UUID,
    source: str,
    evidence: str = "",
    reason: SuppressionReason = SuppressionReason.OPTED_OUT,
    everything: bool = False,
    by: Actor | None = None,
    now: datetime,
) -> bool:
    """The person behind an address wants nothing more: by one click, by reply, by their provider. Twice is once.

    `everything`: not by any other medium either. Returns whether the address had not been stopped before; of several who say
    so at once one gets True. Raises NotFound for a contact point that is not there.
    """
    contact = ContactPoint.objects.select_related("patient", "carer").filter(pk=contact_id).first()
    if contact is None:
        raise NotFound("There is no such address.")
    patient = contact.patient
    by = by or Actor("patient", "The patient", Role.PATIENT, patient.pharmacy_id)
    others = lock_all_at(contact)
    news = suppress(contact, reason, now)
    if contact.carer:
        answer_for_carer(contact.carer, ConsentAnswer.NO, ConsentSource(source), by=by, now=now)
    answers = dict(Consent.objects.filter(patient=patient).values_list("medium", "answer"))
    for medium in Medium if contact.carer is None else ():
        is_ended = medium == contact.medium or (everything and answers.get(medium) == ConsentAnswer.YES)
        if is_ended and answers.get(medium) != ConsentAnswer.NO:
            record_consent(patient, medium, ConsentAnswer.NO, ConsentSource(source), evidence, by, now)
    settle_owed(patient, by, now)
    settle_others(others, now)
    return news


@transaction.atomic
def note_refusal(*, contact_id: UUID, code: str, by: Actor, now: datetime) -> None:
    """A provider has said that this address is of no use: it is not tried again."""
    contact = ContactPoint.objects.select_related("patient").filter(pk=contact_id, fault="").first()
    if contact is None:
        return
    lock_patient(contact.patient_id)
    if ContactPoint.objects.filter(pk=contact_id, fault="").update(fault=ContactFault.REFUSED, fault_at=now):
        record_change(contact, by, now, code, {"fault": ContactFault.REFUSED.value})


def stop_address(
    *, medium: Medium, address: str, source: ConsentSource, evidence: str, everything: bool = False, now: datetime
) -> tuple[int, bool]:
    """Stop every patient's messages to an address, in the order in which everybody locks patients.

    Returns how many, and whether that was news: of several STOPs that arrive at once one is answered.

    An address that nobody has now is remembered too: whoever gives it to us later has been heard already.
    """
    digest = address_digest(medium, address)
    points = ContactPoint.objects.filter(medium=medium, address_digest=digest, retired_at__isnull=True)
    ids = list(points.order_by("patient_id").values_list("pk", flat=True))
    if not ids:
        opted_out = {"reason": SuppressionReason.OPTED_OUT, "since": now}
        Suppression.objects.get_or_create(medium=medium, address_digest=digest, defaults=opted_out)
    news = [
        stop_contact(contact_id=contact_id, source=source, evidence=evidence, everything=everything, now=now)
        for contact_id in ids
    ]
    return len(ids), any(news)


@transaction.atomic
def start_address(*, medium: Medium, address: str, evidence: str, now: datetime) -> int:
    """Give back what a STOP from an address ended, by every medium, to all who are reached there.

    Returns to how many. Whoever said no at the counter, or was never asked, is asked by a person; a complaint and a wrong
    person are not lifted.
    """
    digest = address_digest(medium, address)
    stop = Suppression.objects.select_for_update().filter(medium=medium, address_digest=digest).first()
    if stop is None or stop.reason != SuppressionReason.OPTED_OUT:
        return 0
    points = ContactPoint.objects.filter(medium=medium, address_digest=digest, retired_at__isnull=True)
    by_message = (ConsentSource.REPLY, ConsentSource.PROVIDER)
    ended_here = {"answer": ConsentAnswer.NO, "event__source__in": by_message}
    started = 0
    carers = Carer.objects.filter(
        contact_points__in=points, ended_at=None, answer=ConsentAnswer.NO, source__in=by_message
    )
    of_carers = {carer.patient_id: carer for carer in carers}
    for patient in Patient.objects.locked().filter(pk__in=points.values("patient_id")).order_by("pk"):
        media = list(Consent.objects.filter(patient=patient, **ended_here).values_list("medium", flat=True))
        carer = of_carers.get(patient.pk)
        if medium not in media and carer is None:
            continue
        by = Actor("patient", "The patient", Role.PATIENT, patient.pharmacy_id)
        Suppression.objects.filter(pk=stop.pk).delete()
        if carer:
            answer_for_carer(carer, ConsentAnswer.YES, ConsentSource.REPLY, by=by, now=now)
            media = []
        for ended in media:
            record_consent(patient, Medium(ended), ConsentAnswer.YES, ConsentSource.REPLY, evidence, by, now)
        settle_owed(patient, by, now)
        started += 1
    return started


def record_consent(  # noqa: PLR0917  (what was said, in the order of the columns)
    patient: Patient,
    medium: Medium,
    answer: ConsentAnswer,
    source: ConsentSource,
    evidence: str,
    by: Actor,
    now: datetime,
) -> ConsentEvent:
    event = ConsentEvent.objects.create(
        patient=patient,
        medium=medium,
        answer=answer,
        source=source,
        evidence=evidence[:250],
        said_at=now,
        recorded_by=by.name,
    )
    Consent.objects.update_or_create(
        patient=patient, medium=medium, defaults={"answer": answer, "since": now, "event": event}
    )
    if answer == ConsentAnswer.NO:
        transaction.on_commit(lambda: count({f"optout {source}": 1}))
    audit.record(
        audit.Event.CONSENT_CHANGED,
        pharmacy=patient.pharmacy_id,
        by=by,
        now=now,
        subject=event,
        patient=patient,
        reason_code=answer.value,
        body={"medium": medium.value, "source": source.value, "evidence": evidence[:250]},
    )
    return event


_FIRMER = (SuppressionReason.OPTED_OUT, SuppressionReason.COMPLAINED, SuppressionReason.WRONG_PERSON)
"""Each outweighs those before it: a yes lifts the first and no other."""


def suppress(contact: ContactPoint, reason: SuppressionReason, now: datetime) -> bool:
    stop, new = Suppression.objects.get_or_create(
        medium=contact.medium,
        address_digest=contact.address_digest,
        defaults={"reason": reason, "since": now, "pharmacy_id": contact.patient.pharmacy_id},
    )
    if _FIRMER.index(reason) > _FIRMER.index(SuppressionReason(stop.reason)):
        Suppression.objects.filter(pk=stop.pk).update(reason=reason)
    return new


def lock_all_at(contact: ContactPoint) -> list[Patient]:
    """Lock everybody who is reached at this address, in one order; give those besides the contact's own patient.

    What stops an address stops it for all of them: a worker may hold a message of each.
    """
    there = ContactPoint.objects.filter(
        medium=contact.medium, address_digest=contact.address_digest, retired_at__isnull=True
    )
    ids = {contact.patient_id, *there.values_list("patient_id", flat=True)}
    patients = Patient.objects.locked().filter(pk__in=ids).order_by("pk")
    return [patient for patient in patients if patient.pk != contact.patient_id]


def settle_others(patients: list[Patient], now: datetime) -> None:
    for patient in patients:
        settle_owed(patient, Actor.system("reminders", patient.pharmacy_id), now)


def lock_patient(patient_id: UUID) -> bool:
    """Plans, consent and addresses of one patient change one after the other."""
    return bool(Patient.objects.select_for_update(no_key=True).filter(pk=patient_id).values_list("pk")[:1])


def record_change(contact: ContactPoint, by: Actor, now: datetime, what: str, body: dict[str, str]) -> None:
    audit.record(
        audit.Event.CONTACT_CHANGED,
        pharmacy=contact.patient.pharmacy_id,
        by=by,
        now=now,
        subject=contact,
        patient=contact.patient_id,
        reason_code=what,
        body={"medium": str(contact.medium), **body},
    )
