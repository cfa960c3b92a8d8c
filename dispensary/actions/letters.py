"""Letters to patients whom no message reaches: printed from the work that says so, then posted."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from dispensary import audit
from dispensary.actions.documents import not_printable
from dispensary.actions.worklist import lock_item
from dispensary.actors import Actor
from dispensary.documents import DoesNotFit, Letter, PharmacyLines, letter_pdf
from dispensary.emergency_numbers import emergency_number
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.models import Patient, WorklistItem
from dispensary.models.reminders import ReminderKind
from dispensary.reminders.compose import words_at
from dispensary.reminders.texts import language_for, say_date

IN_THE_POST = timedelta(days=1)
"""[D] The least that a letter takes: words of a message that would be out of date by then are left out."""


@transaction.atomic
def print_letter(*, item_id: UUID, address: str, by: Actor, now: datetime) -> bytes:
    """Return a letter in the patient's language as PDF, and record its print; the address is neither stored nor logged.

    Raises NotFound, NotAllowed, Conflict for work about nobody known or a patient who has died, InvalidInput without an
    address, NotPrintable.
    """
    item = lock_item(item_id, by)
    patient = item.patient
    if patient is None or patient.died_on is not None:
        raise Conflict("No letter is written about this.")
    lines = [line.strip() for line in address.splitlines() if line.strip()]
    if len(lines) < 2:
        problem = Problem("address", f"{len(lines)} lines", "street and place, each on a line of its own")
        raise InvalidInput("Where is the letter to go?", problem)
    try:
        content = letter_pdf(_write_letter(item, patient, lines, now), at=now)
    except DoesNotFit as error:
        raise not_printable(error) from None
    WorklistItem.objects.filter(pk=item.pk).update(letter_printed_at=now)
    audit.record(
        audit.Event.DOCUMENT_PRINTED,
        pharmacy=item.pharmacy_id,
        by=by,
        now=now,
        subject=item,
        patient=patient.pk,
        body={"document": "letter"},
    )
    return content


def _write_letter(item: WorklistItem, patient: Patient, lines: list[str], now: datetime) -> Letter:
    pharmacy = patient.pharmacy
    language = language_for(patient.language, pharmacy.language)
    reminder, text = item.reminder, ""
    if reminder and reminder.useful_until > now + IN_THE_POST:
        text = words_at(pharmacy, ReminderKind(reminder.kind), reminder.params, language, typewritten=False).body
    return Letter(
        address=[patient.name_on_papers, *lines],
        day=say_date(pharmacy.local_day(now), language),
        text=text,
        emergency=emergency_number(pharmacy.phone),
        language=language,
        pharmacy=PharmacyLines(pharmacy.name, pharmacy.address, pharmacy.phone),
    )
