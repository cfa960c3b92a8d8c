"""Requests of patients for what is recorded about them."""

from __future__ import annotations

from datetime import date

from django.db import models
from django.utils.translation import gettext_lazy as _

from baclofen_rules.months import months_after
from dispensary.models.keys import uuid7
from dispensary.models.log_export import LogExport
from dispensary.models.patient import Patient
from dispensary.models.pharmacy import Pharmacy


class SubjectRequestState(models.TextChoices):
    """The states of a request; the last two do not change any more."""

    WAITING = "waiting", _("waits for a second manager")
    RELEASED = "released", _("released")
    REFUSED = "refused", _("refused")


class SubjectRequest(models.Model):
    """A subject access request: the file that one manager had prepared, and what another decided about it.

    `export` holds the prepared lines. An erasure removes it, and leaves the key here: without a constraint.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="+")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="subject_requests")
    received_on = models.DateField(help_text=_("the day on which the patient asked"))
    identity = models.CharField(max_length=250, help_text=_("how it was checked who asks"))
    requested_by = models.CharField(max_length=64)
    requester_name = models.CharField(max_length=120)
    requested_at = models.DateTimeField()
    export = models.ForeignKey(
        LogExport, on_delete=models.SET_NULL, null=True, blank=True, db_constraint=False, related_name="+"
    )
    state = models.CharField(max_length=8, choices=SubjectRequestState.choices, default=SubjectRequestState.WAITING)
    withheld = models.JSONField(default=list, help_text=_("numbers of the entries whose details are left out"))
    names_staff = models.BooleanField(default=False, help_text=_("name who only looked"))
    words = models.CharField(max_length=500, blank=True, help_text=_("the reason of the decision"))
    decided_by = models.CharField(max_length=64, blank=True)
    decider_name = models.CharField(max_length=120, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["patient"], condition=models.Q(decided_at=None), name="subject_request_one_open"
            ),
            models.CheckConstraint(
                condition=~models.Q(decided_by=models.F("requested_by")), name="subject_request_two_people"
            ),
        ]

    def __str__(self) -> str:
        return f"Request of {self.patient_id}, {self.get_state_display()}"

    @property
    def answer_by(self) -> date:
        """The day by which it is to be answered: one month after it was received (GDPR, Article 12(3))."""
        return months_after(self.received_on, 1)
