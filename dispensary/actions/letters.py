"""Letters to patients whom no message reaches: printed from the work that says so, then posted, by staff or by a channel."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid5

from django.db import transaction

from dispensary import audit
from dispensary.actions.documents import not_printable
from dispensary.actions.worklist import lock_item, resolve_work
from dispensary.actors import Actor
from dispensary.channels import Accepted, AfterCrash, Channel, Message, Unknown, channel_named
from dispensary.conf import conf
from dispensary.documents import DoesNotFit, Letter, PharmacyLines, letter_pdf, letter_words
from dispensary.documents.words import RIGHT_TO_LEFT
from dispensary.emergency_numbers import emergency_number
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.models import Resolution, WorklistItem, WorkState
from dispensary.models.reminders import ReminderKind
from dispensary.reminders.compose import words_at
from dispensary.reminders.texts import language_for, say_date

ASKED_FOR = timedelta(minutes=1)
"""The longest that a channel takes to answer, and more: until then nobody else asks it. [D]"""
IN_THE_POST = timedelta(days=1)
"""[D] The least that a letter takes: words of a message that would be out of date by then are left out."""
_MARKS = dict.fromkeys(map(ord, "\u2066\u2067\u2068\u2069"))
"""Marks of direction, which are for our own typesetting."""


@transaction.atomic
def print_letter(*, item_id: UUID, address: str, by: Actor, now: datetime) -> bytes:
    """Return a letter in the patient's language as PDF, and record its print; the address is neither stored nor logged.

    Raises NotFound, NotAllowed, Conflict for work about nobody known or a patient who has died, InvalidInput without an
    address, NotPrintable.
    """
    item, letter = _write_letter(item_id, address, by, now)
    try:
        content = letter_pdf(letter, at=now)
    except DoesNotFit as error:
        raise not_printable(error) from None
    _record_print(item, {"document": "letter"}, by, now)
    return content


def post_letter(*, item_id: UUID, address: str, by: Actor, now: datetime) -> str:
    """Have the site's channel print and post a letter; return its answer: "accepted", "unknown", or its fault.

    A letter that was accepted is posted, and the work done. There is one for a piece of work: that the channel is asked is
    committed before it is, without a lock meanwhile, and one whose answer was lost is looked up before another is handed
    over; while the channel cannot say, none is. Raises what `print_letter` does, and Conflict without a channel, for a
    language that it does not print, and while it is being asked. Not to be called inside a transaction.
    """
    letter, channel, was_lost = _claim_letter(item_id, address, by, now)
    key = uuid5(item_id, "letter")
    heading, paragraphs = letter_words(letter)
    text = "\n\n".join(paragraphs).translate(_MARKS)
    try:
        answer = channel.look_up(key) if channel.after_crash is AfterCrash.LOOK_UP else None
        if answer is None and was_lost:
            answer = Unknown()
        if not isinstance(answer, Accepted | Unknown):
            answer = channel.send(Message(key, "\n".join(letter.address), letter.pharmacy.name, heading, text, ""))
    finally:
        channel.close()
    words = "accepted" if isinstance(answer, Accepted) else "unknown" if isinstance(answer, Unknown) else answer.fault
    name = conf().letter_channel
    body: dict[str, object] = {"document": "letter", "channel": name, "answer": words, "reference": str(key)}
    _record_answer(item_id, body, by, now)
    return words


@transaction.atomic
def _claim_letter(item_id: UUID, address: str, by: Actor, now: datetime) -> tuple[Letter, Channel, bool]:
    """Return the letter, the channel for it, and whether the answer to one before was lost. It is marked as asked about."""
    item, letter = _write_letter(item_id, address, by, now)
    name = conf().letter_channel
    if not name:
        raise Conflict("No channel posts letters here: print it, and post it yourself.")
    if letter.language in RIGHT_TO_LEFT:
        raise Conflict("The channel prints Latin letters only: print this letter, and post it yourself.")
    if item.letter_asked_at and now < item.letter_asked_at + ASKED_FOR:
        raise Conflict("This letter is being handed over at this moment. Look again in a minute.")
    channel = channel_named(name)  # one that cannot be made leaves no mark
    WorklistItem.objects.filter(pk=item.pk).update(letter_asked_at=now)
    return letter, channel, item.letter_asked_at is not None


@transaction.atomic
def _record_answer(item_id: UUID, body: dict[str, object], by: Actor, now: datetime) -> None:
    """Record what the channel answered, and close the work of a letter that it took."""
    item = WorklistItem.objects.select_for_update().get(pk=item_id)
    if body["answer"] != "unknown":
        WorklistItem.objects.filter(pk=item_id).update(letter_asked_at=None)
    if body["answer"] != "accepted":
        _record(item, body, audit.Outcome.FAILURE, by, now)
        return
    _record_print(item, body, by, now)
    if item.state != WorkState.RESOLVED:  # somebody may have done it meanwhile
        resolve_work(item_id=item_id, resolution=Resolution.POSTED, by=by, now=now)


def _record_print(item: WorklistItem, body: dict[str, object], by: Actor, now: datetime) -> None:
    WorklistItem.objects.filter(pk=item.pk).update(letter_printed_at=now)
    _record(item, body, audit.Outcome.SUCCESS, by, now)


def _record(item: WorklistItem, body: dict[str, object], outcome: audit.Outcome, by: Actor, now: datetime) -> None:
    audit.record(
        audit.Event.DOCUMENT_PRINTED,
        pharmacy=item.pharmacy_id,
        by=by,
        now=now,
        subject=item,
        patient=item.patient_id,
        outcome=outcome,
        body=body,
    )


def _write_letter(item_id: UUID, address: str, by: Actor, now: datetime) -> tuple[WorklistItem, Letter]:
    """Return a piece of work, locked, and the letter about it to the address that was typed."""
    item = lock_item(item_id, by)
    patient = item.patient
    if patient is None or patient.died_on is not None:
        raise Conflict("No letter is written about this.")
    lines = [line.strip() for line in address.splitlines() if line.strip()]
    if len(lines) < 2:
        problem = Problem("address", f"{len(lines)} lines", "street and place, each on a line of its own")
        raise InvalidInput("Where is the letter to go?", problem)
    pharmacy = patient.pharmacy
    language = language_for(patient.language, pharmacy.language)
    reminder, text = item.reminder, ""
    if reminder and reminder.useful_until > now + IN_THE_POST:
        text = words_at(pharmacy, ReminderKind(reminder.kind), reminder.params, language, typewritten=False).body
    letter = Letter(
        address=[patient.name_on_papers, *lines],
        day=say_date(pharmacy.local_day(now), language),
        text=text,
        emergency=emergency_number(pharmacy.phone),
        language=language,
        pharmacy=PharmacyLines(pharmacy.name, pharmacy.address, pharmacy.phone),
        pharmacy_language=language_for(pharmacy.language),
    )
    return item, letter
