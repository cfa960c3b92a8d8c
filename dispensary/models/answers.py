"""Answers of patients to the questions of messages and of their page."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from dispensary.models.keys import uuid7
from dispensary.models.patient import Patient
from dispensary.models.pharmacy import Pharmacy
from dispensary.models.reminders import Reminder, ReminderKind


class Answer(models.TextChoices):
    """The answers that a patient can give, each to one question; a reply gives its number, from 1, in this order."""

    ORDER = "order", _("Asks for the next supply")
    CALL = "call", _("Asks to be called about the next supply")
    CHANGED = "changed", _("Takes the new dose")
    NOT_CHANGED = "not-changed", _("Does not take the new dose")
    HOW = "how", _("Does not know how to take the new dose")
    WELL = "well", _("Is well")
    UNWELL = "unwell", _("Is not well")

    @property
    def kinds(self) -> tuple[ReminderKind, ...]:
        """The kinds of messages that ask for it."""
        if self in {Answer.ORDER, Answer.CALL}:
            return (ReminderKind.REFILL_DUE, ReminderKind.REFILL_AGAIN, ReminderKind.RUN_OUT)
        if self in {Answer.WELL, Answer.UNWELL}:
            return CHECKS
        return (ReminderKind.CHANGE_DAY,)


CHECKS = (ReminderKind.STEP_CHECK, ReminderKind.AFTER_END)
"""The kinds of messages whose silence is followed up."""


class AnswerSource(models.TextChoices):
    """The ways in which an answer comes."""

    REPLY = "reply", _("Reply to a message")
    PAGE = "page", _("The patient's page")


class PatientAnswer(models.Model):
    """One answer of a patient. Never changed; a later one is another row."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="+", db_index=False)
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="answers")
    reminder = models.ForeignKey(
        Reminder, null=True, blank=True, on_delete=models.CASCADE, related_name="answers", help_text=_("what asked")
    )
    answer = models.CharField(max_length=12, choices=Answer)
    source = models.CharField(max_length=8, choices=AnswerSource)
    answered_at = models.DateTimeField()

    class Meta:
        ordering = ["answered_at"]
        constraints = [
            models.CheckConstraint(condition=Q(answer__in=Answer.values), name="patient_answer_known"),
        ]

    def __str__(self) -> str:
        return f"{self.answer} on {self.answered_at:%Y-%m-%d}"
