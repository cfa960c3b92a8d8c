"""Answers of patients to what messages and the page ask: stored with what they make, and missed where none comes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef

from dispensary import audit
from dispensary.actors import Actor, Role
from dispensary.channels import channels_in_use
from dispensary.conf import conf
from dispensary.models import (
    CHECKS,
    Answer,
    AnswerSource,
    ContactPoint,
    OrderSummary,
    Patient,
    PatientAnswer,
    Pharmacy,
    Reminder,
    TherapySummary,
    WorkKind,
)
from dispensary.models.pharmacy import SharedNames
from dispensary.models.reminders import MAY_HAVE_LEFT
from dispensary.reminders.outcomes import engine_actor
from dispensary.reminders.texts import letter_of, say_date, short_name
from dispensary.reminders.work import close_unanswered, open_or_add, open_work

ANSWERED_WITHIN = timedelta(hours=24)
"""The time after which no answer to a question about a step down is followed up. [D]"""
OPEN_FOR = timedelta(days=7)
"""The time after which an answer is to nothing that was asked. [D]"""
SAME_WITHIN = timedelta(hours=1)
"""The time in which the same answer again is a button pressed twice. [D]"""
_WORK: Mapping[Answer, tuple[WorkKind, str]] = {
    Answer.CALL: (WorkKind.REPLY, "The patient asks to be called about the next supply."),
    Answer.NOT_CHANGED: (WorkKind.REPLY, "The patient does not take the new dose{since}."),
    Answer.HOW: (WorkKind.REPLY, "The patient does not know how to take the new dose{since}."),
    Answer.UNWELL: (WorkKind.RED_FLAG, "The patient is not well{since}: ask about withdrawal."),
}
"""The work that an answer makes; what is not named makes none, or has words of its own."""


def find_question(patient: Patient, answer: Answer, now: datetime) -> Reminder | None:
    """Return the last message to a patient that asked for an answer and is still in force."""
    asked = Reminder.objects.filter(
        patient=patient,
        kind__in=answer.kinds,
        state__in=MAY_HAVE_LEFT,
        plan__ended_at=None,
        due_at__range=(now - OPEN_FOR, now),
    )
    return asked.order_by("-local_date", "-local_time", F("reader").asc(nulls_first=True), "-id").first()


def find_questions(points: list[ContactPoint], answer: Answer, letter: str, now: datetime) -> dict[str, Reminder]:
    """Return the open questions that a reply from an address may answer, by the letters of their patients."""
    patients = sorted({point.patient_id: point.patient for point in points}.values(), key=lambda patient: patient.pk)
    questions = {}
    for rank, patient in enumerate(patients):
        question = find_question(patient, answer, now)
        if question is not None and letter in {"", letter_of(rank)}:
            questions[letter_of(rank)] = question
    return questions


def describe_people(points: list[ContactPoint]) -> str:
    """Return the letters of the patients at one address with their names, as short as the pharmacy chose."""
    patients = sorted({point.patient_id: point.patient for point in points}.values(), key=lambda patient: patient.pk)
    return ", ".join(
        f"{letter_of(rank)} {short_name(p.given_name, p.family_name, SharedNames(p.pharmacy.shared_names))}"
        for rank, p in enumerate(patients)
    )


def record_answer(
    *, patient: Patient, answer: Answer, reminder: Reminder | None, source: AnswerSource, now: datetime
) -> PatientAnswer:
    """Store an answer with its audit entry, and open the work that it makes; twice in an hour is once.

    Call inside a transaction, with the patient locked.
    """
    same = patient.answers.filter(answer=answer, reminder=reminder, answered_at__gt=now - SAME_WITHIN).first()
    if same is not None:
        return same
    by = Actor("patient", "The patient", Role.PATIENT, patient.pharmacy_id)
    row = PatientAnswer.objects.create(
        pharmacy_id=patient.pharmacy_id,
        patient=patient,
        reminder=reminder,
        answer=answer,
        source=source,
        answered_at=now,
    )
    audit.record(
        audit.Event.PATIENT_ANSWERED,
        pharmacy=patient.pharmacy_id,
        by=by,
        now=now,
        subject=row,
        patient=patient.pk,
        reason_code=answer.value,
        body={"kind": reminder.kind if reminder else "", "source": source.value},
    )
    if reminder is not None:
        close_unanswered(reminder, by=by, now=now)
    since = f" since {date.fromisoformat(reminder.params['date']):%d %b %Y}" if reminder is not None else ""
    kind, words = _WORK.get(answer, (WorkKind.ORDER_REQUESTED, ""))
    if answer is Answer.ORDER:
        words = _describe_request(patient)
    if words:
        open_or_add(
            kind,
            pharmacy_id=patient.pharmacy_id,
            patient_id=patient.pk,
            reason=words.format(since=since),
            by=by,
            now=now,
        )
    return row


def _describe_request(patient: Patient) -> str:
    """Return which supply is asked for, until when the last one lasts, and what the rule book says of its order."""
    ends = TherapySummary.objects.filter(patient=patient, more_needed=True).order_by("first_uncovered_on")
    end = next((row.first_uncovered_on for row in ends if row.first_uncovered_on), None)
    lasts = "" if end is None else f" The tablets last to {end - timedelta(days=1):%d %b %Y}."
    orders = OrderSummary.objects.filter(patient=patient).order_by("due_on", "received_at")
    lines = [
        f"{row.get_state_display().lower()}{f', due {row.due_on:%d %b %Y}' if row.due_on else ''}"
        f"{f': {row.finding}' if row.finding else ''}"
        for row in orders
    ]
    order = f" Order: {'; '.join(lines)}" if lines else " No order is open: ask the prescriber."
    return f"The patient asks for the next supply.{lasts}{order}"[:300].replace("{", "(").replace("}", ")")


def open_unanswered(*, now: datetime) -> int:
    """Turn questions about a step down or an end that nobody answered into work. Returns how much is new.

    Where neither a reply nor a page can answer, silence says nothing.
    """
    if not conf().public_url and not any(channel.takes_replies for channel in channels_in_use().values()):
        return 0
    copies = Reminder.objects.filter(plan=OuterRef("plan"), kind=OuterRef("kind"), local_date=OuterRef("local_date"))
    asked = Reminder.objects.filter(
        pharmacy__in=list(Pharmacy.objects.values_list("pk", flat=True)),
        due_at__range=(now - ANSWERED_WITHIN - OPEN_FOR, now - ANSWERED_WITHIN),
        kind__in=CHECKS,
        state__in=MAY_HAVE_LEFT,
        plan__ended_at=None,
    ).exclude(
        Exists(copies.filter(answers__isnull=False))
        | Exists(copies.filter(work__kind=WorkKind.NO_ANSWER))
        | Exists(copies.filter(pk__lt=OuterRef("pk"), state__in=MAY_HAVE_LEFT))
    )
    opened = 0
    for reminder in asked.select_related("plan")[:200]:
        with transaction.atomic():
            opened += open_work(
                WorkKind.NO_ANSWER,
                pharmacy_id=reminder.pharmacy_id,
                patient_id=reminder.patient_id,
                reason=f"{reminder.get_kind_display().capitalize()}, about {say_date(date.fromisoformat(reminder.params['date']), 'en')}: no answer. Call the patient.",
                by=engine_actor(reminder.pharmacy_id),
                now=now,
                reminder_id=reminder.pk,
            )
    return opened
