"""Whether, where and how plainly a patient is messaged. Each change also takes back what a worker holds.

What was claimed under the old answer loses its lease in the same transaction, so nothing that a patient has forbidden
begins after the commit of their word.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from dispensary import audit
from dispensary.actions.reach import settle_owed, take_back_leases
from dispensary.actions.worklist import open_work
from dispensary.actors import Actor, Role
from dispensary.conf import conf
from dispensary.errors import InvalidInput, NotAllowed, NotFound, Problem
from dispensary.models import (
    Consent,
    ConsentAnswer,
    ConsentEvent,
    ConsentSource,
    ContactFault,
    ContactPoint,
    DetailLevel,
    Medium,
    Patient,
    Suppression,
    SuppressionReason,
    WorkKind,
)
from dispensary.models.sealed import address_digest
from dispensary.policies import may_send_reminders, require, require_same_pharmacy


@transaction.atomic
def add_contact(
    *,
    patient: Patient,
    medium: Medium,
    address: str,
    detail_level: DetailLevel = DetailLevel.PLAIN,
    preference: int = 1,
    by: Actor,
    now: datetime,
) -> ContactPoint:
    """Record an address. The same address again is the same contact point. It is used once the patient says yes.

    Raises InvalidInput for what is no address of that medium, NotAllowed for another pharmacy's patient.
    """
    _guard(patient, by)
    clean = clean_address(medium, address)
    digest = address_digest(medium, clean)
    known = (
        _lock(patient.pk)
        and patient.contact_points.filter(medium=medium, address_digest=digest, retired_at__isnull=True).first()
    )
    if known:
        return known
    point = ContactPoint.objects.create(
        patient=patient,
        medium=medium,
        address=clean,
        address_digest=digest,
        detail_level=detail_level,
        preference=preference,
        added_at=now,
        added_by=by.name,
    )
    told = {"address": hint(clean), "address_digest": digest, "detail": detail_level.value}
    _tell_contact(point, by, now, "added", told)
    settle_owed(patient, by, now)
    return point


def hint(address: str) -> str:
    """Enough of an address to know it again, too little to write to it: what the log keeps of what the table seals."""
    name, at, domain = address.rpartition("@")
    return f"{name[:1]}…@{domain}" if at else f"…{address[-3:]}"


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
    if medium != Medium.SMS:
        raise InvalidInput("There is no such medium.", Problem("medium", str(medium), "email or sms"))
    try:
        number = phonenumbers.parse(text, conf().phone_region)
    except phonenumbers.NumberParseException as error:
        raise _no_number() from error
    if not phonenumbers.is_possible_number(number):
        raise _no_number()
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _no_number() -> InvalidInput:
    return InvalidInput("This is no telephone number.", Problem("address", "something else", "such as +447700900123"))


@transaction.atomic
def retire_contact(*, contact: ContactPoint, by: Actor, now: datetime) -> None:
    """Use an address no more, because it was corrected or is out of use."""
    _guard(contact.patient, by)
    _lock(contact.patient_id)
    ContactPoint.objects.filter(pk=contact.pk, retired_at__isnull=True).update(retired_at=now)
    _tell_contact(contact, by, now, "retired", {})
    settle_owed(contact.patient, by, now)


@transaction.atomic
def choose_detail(*, contact: ContactPoint, detail_level: DetailLevel, by: Actor, now: datetime) -> None:
    """The patient's choice of how much a message to this address may say. The same again is no change.

    More is told at the counter, where somebody can see who asks; from the patient's page only less.
    """
    _guard(contact.patient, by)
    if by.role == Role.PATIENT and detail_level != DetailLevel.PLAIN:
        raise NotAllowed("Ask at the counter for messages that name the medicine.")
    _lock(contact.patient_id)
    others = ContactPoint.objects.filter(pk=contact.pk).exclude(detail_level=detail_level)
    if not others.update(detail_level=detail_level):
        return
    _tell_contact(contact, by, now, "detail", {"detail": detail_level.value})
    take_back_leases(contact.patient_id)


@transaction.atomic
def report_wrong_person(*, contact: ContactPoint, by: Actor, now: datetime) -> None:
    """Somebody else answered at this address: it gets nothing more, and a person must ask the patient for the right one.

    Twice is once.
    """
    _guard(contact.patient, by)
    others = _lock_all_at(contact)
    heard = ContactPoint.objects.filter(pk=contact.pk).exclude(fault=ContactFault.WRONG_PERSON)
    if not heard.update(fault=ContactFault.WRONG_PERSON, fault_at=now):
        return
    _suppress(contact, SuppressionReason.WRONG_PERSON, now)
    _tell_contact(contact, by, now, "wrong-person", {})
    open_work(
        WorkKind.WRONG_PERSON,
        pharmacy_id=contact.patient.pharmacy_id,
        patient_id=contact.patient_id,
        reason=f"Somebody else answered at the patient's {contact.get_medium_display().lower()} address.",
        by=by,
        now=now,
    )
    settle_owed(contact.patient, by, now)
    _settle_others(others, now)


@transaction.atomic
def record_answer(
    *,
    patient: Patient,
    medium: Medium,
    answer: ConsentAnswer,
    source: ConsentSource,
    evidence: str = "",
    by: Actor,
    now: datetime,
) -> ConsentEvent:
    """Record what the patient said about one medium. The last word holds. Raises InvalidInput, NotAllowed.

    A yes lifts an earlier stop from the addresses in use. Not from one that is retired or another's, whose owner now may be
    who said stop; nor a complaint.
    """
    _guard(patient, by)
    if answer not in {ConsentAnswer.YES, ConsentAnswer.NO}:
        raise InvalidInput("What did the patient say?", Problem("answer", str(answer), "yes or no"))
    _lock(patient.pk)
    event = _say(patient, medium, answer, source, evidence, by, now)
    if answer == ConsentAnswer.YES:
        in_use = patient.contact_points.filter(medium=medium, retired_at__isnull=True)
        digests = in_use.exclude(fault=ContactFault.WRONG_PERSON).values("address_digest")
        Suppression.objects.filter(
            medium=medium, address_digest__in=digests, reason=SuppressionReason.OPTED_OUT
        ).delete()
    settle_owed(patient, by, now)
    return event


@transaction.atomic
def stop_media(
    *, patient: Patient, media: Iterable[Medium], source: ConsentSource, evidence: str = "", by: Actor, now: datetime
) -> None:
    """The patient wants nothing more by these media, to whatever address. What was refused already stays as it is."""
    _guard(patient, by)
    _lock(patient.pk)
    refused = set(Consent.objects.filter(patient=patient, answer=ConsentAnswer.NO).values_list("medium", flat=True))
    for medium in media:
        if medium not in refused:
            _say(patient, medium, ConsentAnswer.NO, source, evidence, by, now)
    settle_owed(patient, by, now)


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
    contact = ContactPoint.objects.select_related("patient").filter(pk=contact_id).first()
    if contact is None:
        raise NotFound("There is no such address.")
    patient = contact.patient
    by = by or Actor("patient", "The patient", Role.PATIENT, patient.pharmacy_id)
    others = _lock_all_at(contact)
    news = _suppress(contact, reason, now)
    answers = dict(Consent.objects.filter(patient=patient).values_list("medium", "answer"))
    for medium in Medium:
        meant = medium == contact.medium or (everything and answers.get(medium) == ConsentAnswer.YES)
        if meant and answers.get(medium) != ConsentAnswer.NO:
            _say(patient, medium, ConsentAnswer.NO, ConsentSource(source), evidence, by, now)
    settle_owed(patient, by, now)
    _settle_others(others, now)
    return news


@transaction.atomic
def note_refusal(*, contact_id: UUID, code: str, by: Actor, now: datetime) -> None:
    """A provider has said that this address is of no use: it is not tried again."""
    contact = ContactPoint.objects.select_related("patient").filter(pk=contact_id, fault="").first()
    if contact is None:
        return
    _lock(contact.patient_id)
    if ContactPoint.objects.filter(pk=contact_id, fault="").update(fault=ContactFault.REFUSED, fault_at=now):
        _tell_contact(contact, by, now, code, {"fault": ContactFault.REFUSED.value})


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


def _say(  # noqa: PLR0917  (what was said, in the order of the columns)
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
        transaction.on_commit(lambda: _count_no(source))
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


def _count_no(source: str) -> None:
    from dispensary.actions.reminders.counting import count

    count({f"optout {source}": 1})


_FIRMER = (SuppressionReason.OPTED_OUT, SuppressionReason.COMPLAINED, SuppressionReason.WRONG_PERSON)
"""Each outweighs those before it: a yes lifts the first and no other."""


def _suppress(contact: ContactPoint, reason: SuppressionReason, now: datetime) -> bool:
    stop, new = Suppression.objects.get_or_create(
        medium=contact.medium,
        address_digest=contact.address_digest,
        defaults={"reason": reason, "since": now, "pharmacy_id": contact.patient.pharmacy_id},
    )
    if _FIRMER.index(reason) > _FIRMER.index(SuppressionReason(stop.reason)):
        Suppression.objects.filter(pk=stop.pk).update(reason=reason)
    return new


def _lock_all_at(contact: ContactPoint) -> list[Patient]:
    """Lock everybody who is reached at this address, in one order; give those besides the contact's own patient.

    What stops an address stops it for all of them: a worker may hold a message of each.
    """
    there = ContactPoint.objects.filter(
        medium=contact.medium, address_digest=contact.address_digest, retired_at__isnull=True
    )
    ids = {contact.patient_id, *there.values_list("patient_id", flat=True)}
    locked = Patient.objects.select_for_update(of=("self",), no_key=True).select_related("pharmacy")
    return [each for each in locked.filter(pk__in=ids).order_by("pk") if each.pk != contact.patient_id]


def _settle_others(patients: list[Patient], now: datetime) -> None:
    for patient in patients:
        settle_owed(patient, Actor.system("reminders", patient.pharmacy_id), now)


def _guard(patient: Patient, by: Actor) -> None:
    require(
        may_send_reminders(by) or by.role == Role.PATIENT,
        by,
        "change how a patient is messaged",
        "staff at the counter",
    )
    require_same_pharmacy(by, patient.pharmacy_id)


def _lock(patient_id: UUID) -> bool:
    """Plans, consent and addresses of one patient change one after the other."""
    return bool(Patient.objects.select_for_update(no_key=True).filter(pk=patient_id).values_list("pk")[:1])


def _tell_contact(contact: ContactPoint, by: Actor, now: datetime, what: str, body: dict[str, str]) -> None:
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
