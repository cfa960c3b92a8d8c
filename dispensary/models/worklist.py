"""The worklist: failures and doubts that a person must settle."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from dispensary.models.keys import uuid7
from dispensary.models.patient import Patient
from dispensary.models.pharmacy import Pharmacy
from dispensary.models.reminders import Reminder


class WorkKind(models.TextChoices):
    """The kinds of work."""

    RED_FLAG = "red-flag", _("A message that cannot wait")
    WITHDRAWAL_RISK = "withdrawal-risk", _("Supply ends or has ended, nothing collected")
    UNREACHABLE = "unreachable", _("No address that a message may go to")
    FAILED = "failed", _("A message could not be sent")
    MAYBE_SENT = "maybe-sent", _("A message may or may not have been sent")
    EXPIRED = "expired", _("A message was not sent in time")
    REPLY = "reply", _("The patient answered a message")
    WRONG_PERSON = "wrong-person", _("An address belongs to somebody else")
    ORDER_WITHDRAWN = "order-withdrawn", _("An order was withdrawn after a supply")
    PAPERS_OUTDATED = "papers-outdated", _("Papers no longer true")
    ORDER_OWED = "order-owed", _("The order for an emergency supply is owed")
    LATE_ENTRY = "late-entry", _("A hand-over recorded late, to be reviewed by a pharmacist")
    ORDER_REQUESTED = "order-requested", _("The patient asks for the next supply")
    NO_ANSWER = "no-answer", _("No answer to a question after a step down")
    CONSENT_AGE = "consent-age", _("The patient reaches the age of consent")
    RELATION_UNKNOWN = "relation-unknown", _("Whether supplies replace each other is not known")


class WorkState(models.TextChoices):
    """`PUT_OFF` comes back on its day."""

    OPEN = "open", _("Open")
    PUT_OFF = "put-off", _("Put off")
    RESOLVED = "resolved", _("Done")


class Resolution(models.TextChoices):
    """The ways in which work is closed."""

    CALLED = "called", _("Spoke to the patient")
    SENT_AGAIN = "sent-again", _("Sent again")
    POSTED = "posted", _("Posted a letter")
    ADDRESS_CORRECTED = "address-corrected", _("Corrected the address")
    SUPPLY_ARRANGED = "supply-arranged", _("Arranged a supply")
    REVIEWED = "reviewed", _("Reviewed what was recorded late")
    NOT_NEEDED = "not-needed", _("No longer needed")
    BY_EVENT = "by-event", _("Answered by what happened since")


class WorklistItem(models.Model):
    """A piece of work at a pharmacy, about a patient or, for a message from a number on no record, about nobody known."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="work")
    patient = models.ForeignKey(Patient, null=True, blank=True, on_delete=models.CASCADE, related_name="work")
    reminder = models.ForeignKey(Reminder, null=True, blank=True, on_delete=models.CASCADE, related_name="work")
    kind = models.CharField(max_length=16, choices=WorkKind)
    reason = models.CharField(max_length=300, help_text=_("why, in words, as it was when it was opened"))
    state = models.CharField(max_length=8, choices=WorkState, default=WorkState.OPEN)
    opened_at = models.DateTimeField()
    due_by = models.DateTimeField()
    put_off_until = models.DateField(null=True, blank=True)
    reprinted_at = models.DateTimeField(
        null=True, blank=True, help_text=_("when papers that were no longer true were printed again")
    )
    letter_asked_at = models.DateTimeField(
        null=True, blank=True, help_text=_("when a channel was asked to post one; empty once it has answered")
    )
    letter_printed_at = models.DateTimeField(null=True, blank=True, help_text=_("when a letter about it was printed"))
    resolution = models.CharField(max_length=20, choices=Resolution, blank=True)
    note = models.CharField(max_length=500, blank=True)
    resolved_by = models.CharField(max_length=64, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(db_default=Now(), editable=False, help_text=_("kept by a trigger"))

    class Meta:
        ordering = ["due_by"]
        constraints = [
            models.UniqueConstraint(
                fields=["reminder", "kind"],
                condition=Q(reminder__isnull=False) & ~Q(state=WorkState.RESOLVED),
                name="work_once_for_a_reminder",
            ),
            models.UniqueConstraint(
                fields=["patient", "kind"],
                condition=Q(reminder__isnull=True) & ~Q(state=WorkState.RESOLVED),
                name="work_once_for_a_patient",
            ),
            models.CheckConstraint(
                condition=Q(state=WorkState.RESOLVED, resolved_at__isnull=False) & ~Q(resolution="")
                | ~Q(state=WorkState.RESOLVED) & Q(resolved_at__isnull=True, resolution=""),
                name="work_done_says_how",
            ),
            models.CheckConstraint(
                condition=Q(patient__isnull=False) | Q(kind__in=(WorkKind.RED_FLAG, WorkKind.REPLY)),
                name="work_about_nobody_known_is_a_message",
            ),
            models.CheckConstraint(
                condition=~Q(state=WorkState.PUT_OFF) | Q(put_off_until__isnull=False), name="work_put_off_has_a_day"
            ),
        ]
        indexes = [
            models.Index(fields=["pharmacy", "due_by"], condition=~Q(state=WorkState.RESOLVED), name="work_open"),
            models.Index(fields=["pharmacy", "changed_at", "id"], name="work_by_change"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.state}"
