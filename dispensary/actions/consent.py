"""Contact points, consent and detail of messages. Each change takes back the leases of workers.

What was claimed under the old answer loses its lease in the same transaction, so nothing that a patient has forbidden
begins after the commit of their word.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from dispensary.actors import Actor, Role
from dispensary.errors import InvalidInput, NotAllowed, Problem
from dispensary.models import (
    Carer,
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
from dispensary.models.contacts import GUARDIANS, new_page_code
from dispensary.models.sealed import address_digest
from dispensary.policies import may_send_reminders, require, require_same_pharmacy
from dispensary.reminders.opt_outs import (
    ON_A_NUMBER,
    clean_address,
    is_landline,
    lock_all_at,
    lock_patient,
    record_change,
    record_consent,
    settle_others,
    suppress,
)
from dispensary.reminders.reach import settle_owed, take_back_leases
from dispensary.reminders.work import open_work

_FIRST_TRY = {Medium.PUSH: 0, Medium.VOICE: 5}
"""A browser is tried before the other addresses, which are at 1: what is not opened there goes on to them; a call comes last."""
_MOST_BROWSERS = 5
"""In use for one reader."""


@transaction.atomic
def add_contact(
    *,
    patient: Patient,
    medium: Medium,
    address: str,
    detail_level: DetailLevel = DetailLevel.PLAIN,
    preference: int | None = None,
    takes_texts: bool = False,
    carer: Carer | None = None,
    by: Actor,
    now: datetime,
) -> ContactPoint:
    """Record an address of the patient or of a `carer`. The same address again is the same contact point. It is used once the patient says yes.

    Without a `preference` a carer who is no guardian is tried after the patient, browsers before all and calls after all.
    `takes_texts` is the patient's word that a landline takes text messages. Raises InvalidInput for what is no address of
    that medium, and for a landline without that word; NotAllowed for another pharmacy's patient.
    """
    _require_access(patient, by)
    clean = clean_address(medium, address)
    is_line = medium in ON_A_NUMBER and is_landline(clean)
    if is_line and medium == Medium.SMS and not takes_texts:
        problem = Problem(
            "takes_texts",
            "the number of a landline",
            "a mobile number",
            "Ask the patient. If texts do reach this number, record it again and say so.",
        )
        raise InvalidInput("A landline rarely takes text messages.", problem)
    _require_words(medium, detail_level)
    digest = address_digest(medium, clean)
    same_contact = (
        lock_patient(patient.pk)
        and patient.contact_points.filter(medium=medium, address_digest=digest, retired_at__isnull=True).first()
    )
    if same_contact and same_contact.carer != carer:
        problem = Problem(
            "address", "an address recorded here already", "one of their own", "Use the other entry no more first."
        )
        raise InvalidInput("This address is that of another reader of this patient's messages.", problem)
    if same_contact:
        return same_contact
    if preference is None:
        is_second = carer is not None and carer.relation not in GUARDIANS
        preference = _FIRST_TRY.get(medium, 1) + is_second
    point = ContactPoint.objects.create(
        patient=patient,
        carer=carer,
        medium=medium,
        address=clean,
        address_digest=digest,
        detail_level=detail_level,
        preference=preference,
        added_at=now,
        added_by=by.name,
    )
    masked_address = point.shown_address if medium == Medium.PUSH else hint(clean)
    event_body = {"carer": str(carer.relation)} if carer else {"address": masked_address}
    record_change(point, by, now, "added", {**event_body, "address_digest": digest, "detail": detail_level.value})
    settle_owed(patient, by, now)
    return point


def hint(address: str) -> str:
    """Return enough of an address to recognise it, too little to write to it; the log's copy of a sealed address."""
    name, at, domain = address.rpartition("@")
    return f"{name[:1]}…@{domain}" if at else f"…{address[-3:]}"


def select_browsers(contact: ContactPoint) -> QuerySet[ContactPoint]:
    """Return the browsers in use of the reader at an address, the first one first."""
    browsers = contact.patient.contact_points.filter(medium=Medium.PUSH, carer=contact.carer, retired_at__isnull=True)
    return browsers.filter(fault="").order_by("added_at")


@transaction.atomic
def switch_on_notifications(*, contact: ContactPoint, subscription: str, by: Actor, now: datetime) -> ContactPoint:
    """Record the browser in which the reader at an address asked for notifications, and a patient's yes to them. Twice is once.

    Raises InvalidInput for what is no subscription at a push service used here, for one browser too many, and for a carer
    who has not said yes to messages.
    """
    patient, carer = contact.patient, contact.carer
    if carer is not None and carer.answer != ConsentAnswer.YES:
        raise InvalidInput("This carer gets no messages.", Problem("subscription", "a browser", "a yes at the counter"))
    browser = add_contact(patient=patient, medium=Medium.PUSH, address=subscription, carer=carer, by=by, now=now)
    if browser.fault:
        problem = Problem(
            "subscription", "one that is not used", "another browser", "Remove the site's data there first."
        )
        raise InvalidInput("This browser was refused before.", problem)
    if (
        select_browsers(contact).count() > _MOST_BROWSERS
    ):  # counted after the patient was locked; what was recorded is undone
        problem = Problem("subscription", "one more browser", f"at most {_MOST_BROWSERS}", "End another one first.")
        raise InvalidInput("There are too many browsers.", problem)
    is_allowed = patient.consents.filter(medium=Medium.PUSH, answer=ConsentAnswer.YES).exists()
    if carer is None and not is_allowed:
        record_answer(
            patient=patient, medium=Medium.PUSH, answer=ConsentAnswer.YES, source=ConsentSource.PATIENT_PAGE,
            evidence="button on the page", by=by, now=now,
        )  # fmt: skip
    return browser


@transaction.atomic
def retire_contact(*, contact: ContactPoint, by: Actor, now: datetime) -> None:
    """Use an address no more, because it was corrected or is out of use."""
    _require_access(contact.patient, by)
    lock_patient(contact.patient_id)
    ContactPoint.objects.filter(pk=contact.pk, retired_at__isnull=True).update(retired_at=now)
    record_change(contact, by, now, "retired", {})
    settle_owed(contact.patient, by, now)


@transaction.atomic
def choose_detail(*, contact: ContactPoint, detail_level: DetailLevel, by: Actor, now: datetime) -> None:
    """Set the detail of messages to an address, as the patient chose. The same again is no change.

    More detail needs the counter, where the person is seen; the patient's page only reduces it.
    """
    _require_access(contact.patient, by)
    if by.role == Role.PATIENT and detail_level != DetailLevel.PLAIN:
        raise NotAllowed("Ask at the counter for messages that name the medicine.")
    _require_words(Medium(contact.medium), detail_level)
    lock_patient(contact.patient_id)
    others = ContactPoint.objects.filter(pk=contact.pk).exclude(detail_level=detail_level)
    if not others.update(detail_level=detail_level):
        return
    record_change(contact, by, now, "detail", {"detail": detail_level.value})
    take_back_leases(contact.patient_id)


def _require_words(medium: Medium, detail_level: DetailLevel) -> None:
    """Raise InvalidInput for medicine and dose by approved templates, which name neither, and on a locked screen."""
    reasons = {
        Medium.WHATSAPP: "WhatsApp takes approved templates alone, and they name no medicine.",
        Medium.PUSH: "A notification stands on a locked screen, and names no medicine.",
    }
    if medium in reasons and detail_level != DetailLevel.PLAIN:
        raise InvalidInput(reasons[medium], Problem("detail_level", detail_level.value, DetailLevel.PLAIN.value))


@transaction.atomic
def renew_page_link(*, contact: ContactPoint, by: Actor, now: datetime) -> None:
    """End every link to the patient's page that was sent to an address, as of a lost telephone; later messages carry a new one."""
    _require_access(contact.patient, by)
    lock_patient(contact.patient_id)
    ContactPoint.objects.filter(pk=contact.pk).update(page_code=new_page_code())
    record_change(contact, by, now, "link-renewed", {})
    take_back_leases(contact.patient_id)


@transaction.atomic
def report_wrong_person(*, contact: ContactPoint, by: Actor, now: datetime) -> None:
    """Stop messages to an address where another person answered, and open work to ask the patient for the right one.

    Twice is once.
    """
    _require_access(contact.patient, by)
    others = lock_all_at(contact)
    unreported = ContactPoint.objects.filter(pk=contact.pk).exclude(fault=ContactFault.WRONG_PERSON)
    if not unreported.update(fault=ContactFault.WRONG_PERSON, fault_at=now):
        return
    suppress(contact, SuppressionReason.WRONG_PERSON, now)
    record_change(contact, by, now, "wrong-person", {})
    open_work(
        WorkKind.WRONG_PERSON,
        pharmacy_id=contact.patient.pharmacy_id,
        patient_id=contact.patient_id,
        reason=f"Somebody else answered at the patient's {contact.get_medium_display().lower()} address.",
        by=by,
        now=now,
    )
    settle_owed(contact.patient, by, now)
    settle_others(others, now)


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
    """Record the patient's answer about a medium; the last one holds. Raises InvalidInput, NotAllowed.

    A yes lifts an earlier stop from the addresses in use. Not from one that is retired or another's, whose owner now may be
    who said stop; nor a complaint.
    """
    _require_access(patient, by)
    if answer not in {ConsentAnswer.YES, ConsentAnswer.NO}:
        raise InvalidInput("What did the patient say?", Problem("answer", str(answer), "yes or no"))
    lock_patient(patient.pk)
    event = record_consent(patient, medium, answer, source, evidence, by, now)
    if answer == ConsentAnswer.YES:
        in_use = patient.contact_points.filter(carer=None, medium=medium, retired_at__isnull=True)
        digests = in_use.exclude(fault=ContactFault.WRONG_PERSON).values("address_digest")
        Suppression.objects.filter(
            medium=medium, address_digest__in=digests, reason=SuppressionReason.OPTED_OUT
        ).delete()
    settle_owed(patient, by, now)
    return event


@transaction.atomic
def record_answers(
    *,
    patient: Patient,
    media: Iterable[Medium],
    answer: ConsentAnswer,
    source: ConsentSource,
    evidence: str = "",
    by: Actor,
    now: datetime,
) -> None:
    """Record one answer of the patient about several media. Raises as `record_answer` does."""
    for medium in media:
        record_answer(patient=patient, medium=medium, answer=answer, source=source, evidence=evidence, by=by, now=now)


@transaction.atomic
def stop_media(
    *, patient: Patient, media: Iterable[Medium], source: ConsentSource, evidence: str = "", by: Actor, now: datetime
) -> None:
    """Record the patient's refusal of these media, at any address. What was refused already stays as it is."""
    _require_access(patient, by)
    lock_patient(patient.pk)
    refused = set(Consent.objects.filter(patient=patient, answer=ConsentAnswer.NO).values_list("medium", flat=True))
    for medium in media:
        if medium not in refused:
            record_consent(patient, medium, ConsentAnswer.NO, source, evidence, by, now)
    settle_owed(patient, by, now)


def _require_access(patient: Patient, by: Actor) -> None:
    require(
        may_send_reminders(by) or by.role == Role.PATIENT,
        by,
        "change how a patient is messaged",
        "staff at the counter",
    )
    require_same_pharmacy(by, patient.pharmacy_id)
