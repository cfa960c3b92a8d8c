"""Answers that a patient gives on their page."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from dispensary.models import Answer, AnswerSource, Patient, PatientAnswer
from dispensary.reminders.opt_outs import lock_patient
from dispensary.reminders.two_way import find_question, record_answer

ON_PAGE = (Answer.ORDER, Answer.CALL, Answer.WELL, Answer.UNWELL)
"""The answers that the page offers."""


@transaction.atomic
def answer_on_page(*, patient: Patient, answer: Answer, now: datetime) -> PatientAnswer:
    """Record an answer of the patient's page, to the last message that asked for it where one did."""
    lock_patient(patient.pk)
    question = find_question(patient, answer, now)
    return record_answer(patient=patient, answer=answer, reminder=question, source=AnswerSource.PAGE, now=now)
