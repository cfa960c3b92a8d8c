"""Messages that will be sent to a patient, for the patient's page and the counter.

Writes nothing. The patient's page says no more than the messages to this very address do: medicine and dose only where the patient chose that for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from dispensary.conf import conf
from dispensary.models import ConsentAnswer, ContactFault, ContactPoint, DetailLevel, Medium, Patient, Reminder
from dispensary.models.pharmacy import SharedNames
from dispensary.models.reminders import OWED, ReminderKind
from dispensary.reminders import reach
from dispensary.reminders.compose import words_at
from dispensary.reminders.links import sample_page_url
from dispensary.reminders.planning import manners_of
from dispensary.reminders.reach import Address
from dispensary.reminders.segments import count_segments
from dispensary.reminders.texts import language_for, name_reader

MOST = 60


@dataclass(frozen=True, slots=True)
class Coming:
    """One message that will be sent. `leaves_at` is in the patient's zone; `medium` is the one it would take today."""

    leaves_at: datetime
    medium: Medium
    text: str
    kind: ReminderKind
    segments: int
    """Text messages that it costs; 0 for a letter."""


@dataclass(frozen=True, slots=True)
class PatientPage:
    """All that the page shows."""

    language: str
    coming: tuple[Coming, ...]
    media: tuple[tuple[Medium, bool], ...]
    """The media that an address is known for, and whether messages leave by them."""
    names_medicine: bool
    """Messages to this address, and so perhaps others, name medicine and dose."""


def is_closed(contact: ContactPoint) -> bool:
    """Does this address belong to the patient no more, or to somebody else, so that its page must show nothing?"""
    is_over = contact.carer is not None and contact.carer.ended_at is not None
    return bool(
        contact.retired_at
        or is_over
        or contact.fault == ContactFault.WRONG_PERSON
        or contact.patient.died_on is not None
    )


def is_old(contact: ContactPoint, now: datetime) -> bool:
    """Say whether the last message to this patient was about a day too long ago for its link to show anything."""
    since = now - timedelta(days=conf().patient_page_days)
    return not Reminder.objects.filter(patient=contact.patient_id, useful_until__gt=since).exists()


def patient_page(*, contact: ContactPoint, now: datetime) -> PatientPage:
    """Return what the reader of messages to this contact point may see and change."""
    patient, pharmacy = contact.patient, contact.patient.pharmacy
    language = language_for(contact.language, pharmacy.language)
    through = _first_used(reach.addresses_of(patient))
    carer = contact.carer
    if carer is None:
        said_no = set(patient.consents.filter(answer=ConsentAnswer.NO).values_list("medium", flat=True))
    else:
        said_no = set(Medium) if carer.answer == ConsentAnswer.NO else set()
    points = patient.contact_points.filter(carer=carer, retired_at__isnull=True, fault="")
    reachable_media = {point.medium for point in points}
    return PatientPage(
        language=language,
        coming=tuple(_coming(contact, through, language, now)) if through else (),
        media=tuple((medium, medium not in said_no) for medium in Medium if medium in reachable_media),
        names_medicine=contact.detail_level == DetailLevel.DETAILED,
    )


def _first_used(addresses: list[Address]) -> Address | None:
    return next(
        (address for address in addresses if address.is_usable and address.point.medium in conf().channels), None
    )


def _coming(contact: ContactPoint, through: Address, language: str, now: datetime) -> list[Coming]:
    detailed = {contact.detail_level, through.point.detail_level} == {DetailLevel.DETAILED}
    return _as_they_will_read(contact.patient, through, language, detailed, now)


def coming_to(*, patient: Patient, addresses: list[Address], now: datetime) -> list[Coming]:
    """Return upcoming messages as they will read at the address tried first; as plain texts without one."""
    through = _first_used(addresses)
    detailed = through is not None and through.point.detail_level == DetailLevel.DETAILED
    language = language_for(through.point.language if through else patient.language, patient.pharmacy.language)
    return _as_they_will_read(patient, through, language, detailed, now)


def _as_they_will_read(
    patient: Patient, through: Address | None, language: str, detailed: bool, now: datetime
) -> list[Coming]:
    zone, _quiet = manners_of(patient)
    pharmacy, medium = patient.pharmacy, Medium(through.point.medium) if through else Medium.SMS
    typewritten = medium == Medium.SMS
    sender = pharmacy.name_in_texts if typewritten else pharmacy.name
    if through is not None and through.is_shared:
        names = SharedNames(pharmacy.shared_names)
        sender = name_reader(sender, language, patient.given_name, patient.family_name, names)
    rows = Reminder.objects.filter(
        OWED, patient=patient, reader=None, plan__ended_at__isnull=True, useful_until__gt=now
    )
    messages = []
    for row in rows.order_by("due_at", "id")[:MOST]:
        kind = ReminderKind(row.kind)
        text = words_at(pharmacy, kind, row.params, language, sender=sender, detailed=detailed, typewritten=typewritten)
        whole = " ".join(filter(None, (text.body, text.offer, sample_page_url(conf().link_url), text.opt_out)))
        length = count_segments(whole).count if typewritten else 0
        messages.append(Coming(max(row.due_at, now).astimezone(zone), medium, text.body, kind, length))
    return messages
