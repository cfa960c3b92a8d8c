"""Reviews: the answers of the rule book, frozen."""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from dispensary.models.keys import uuid7
from dispensary.models.patient import PriorSupply
from dispensary.models.pharmacy import Pharmacy
from dispensary.models.prescription import Prescription

Reviewed = Prescription | PriorSupply
"""The rows that reviews and answers are about: an order, or a supply from elsewhere whose course is to be stopped."""
ABOUT_ONE_THING = Q(prescription__isnull=True) ^ Q(prior_supply__isnull=True)


class Outcome(models.TextChoices):
    """The highest severity among the findings, information not counted."""

    PASS = "pass", _("Pass")
    ACKNOWLEDGE = "acknowledge", _("Needs an acknowledgement")
    OVERRIDE = "override", _("Needs an override")
    STOP = "stop", _("Stop")


class FindingSeverity(models.TextChoices):
    """The severities of a finding, mildest first."""

    INFORMATION = "information", _("Information")
    ACKNOWLEDGE = "acknowledge", _("Acknowledge")
    OVERRIDE = "override", _("Override")
    STOP = "stop", _("Stop")


class ReviewReason(models.TextChoices):
    """The reasons for asking the rule book."""

    RECEIVED = "received", _("The prescription came in")
    CHECKED = "checked", _("Somebody checked it")
    DISPENSE = "dispense", _("It was about to be handed over")
    STOP = "stop", _("It was about to be stopped")
    LATE = "late", _("Its hand-over was recorded late, and is reviewed as of then")


class Review(models.Model):
    """A case and its review, byte for byte as the rule book read and gave them. Never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="reviews")
    prescription = models.ForeignKey(
        Prescription, null=True, blank=True, on_delete=models.PROTECT, related_name="reviews"
    )
    prior_supply = models.ForeignKey(
        PriorSupply,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="reviews",
        help_text=_("the supply from elsewhere whose course was to be stopped"),
    )
    reason = models.CharField(max_length=12, choices=ReviewReason)
    case_text = models.TextField(help_text=_("the case, canonical JSON"))
    result_text = models.TextField(help_text=_("the review, canonical JSON"))
    outcome = models.CharField(max_length=12, choices=Outcome)
    profile_name = models.CharField(max_length=64)
    profile_digest = models.CharField(max_length=80)
    rules_version = models.CharField(max_length=32)
    reviewed_at = models.DateTimeField()
    reviewed_by = models.CharField(max_length=64)

    class Meta:
        ordering = ["-reviewed_at"]
        constraints = [
            models.CheckConstraint(condition=Q(outcome__in=Outcome.values), name="review_outcome_known"),
            models.CheckConstraint(condition=Q(reason__in=ReviewReason.values), name="review_reason_known"),
            models.CheckConstraint(condition=ABOUT_ONE_THING, name="review_is_about_one_thing"),
        ]
        indexes = [models.Index(fields=["prescription", "reviewed_at"], name="review_of_prescription")]

    def __str__(self) -> str:
        return f"Review {self.id}: {self.outcome}"

    @property
    def subject(self) -> Reviewed:
        """The subject of a review."""
        return subject_of(self.prescription, self.prior_supply)

    @property
    def case(self) -> dict[str, Any]:
        """The case as a document."""
        document: dict[str, Any] = json.loads(self.case_text)
        return document

    @property
    def result(self) -> dict[str, Any]:
        """The review as a document."""
        document: dict[str, Any] = json.loads(self.result_text)
        return document


def subject_of(prescription: Prescription | None, prior_supply: PriorSupply | None) -> Reviewed:
    """Return the one of both that is there; the database keeps rows from having none."""
    subject = prescription or prior_supply
    if subject is None:
        raise ValueError("a review or an answer is about an order or a recorded supply")
    return subject


class Finding(models.Model):
    """A finding of a rule, as shown at the time. Never changed."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="findings")
    number = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=64)
    severity = models.CharField(max_length=12, choices=FindingSeverity)
    summary = models.CharField(max_length=200)
    detail = models.TextField(blank=True)
    dur = models.CharField(max_length=8, blank=True, help_text=_("NCPDP reason for service, 439-E4"))
    detected_issue = models.CharField(max_length=16, blank=True, help_text=_("v3-ActCode"))
    fingerprint = models.CharField(max_length=64, help_text=_("the same finding on the same facts has the same one"))

    class Meta:
        ordering = ["review", "number"]
        constraints = [
            models.UniqueConstraint(fields=["review", "number"], name="finding_number_unique"),
            models.CheckConstraint(condition=Q(severity__in=FindingSeverity.values), name="finding_severity_known"),
        ]
        indexes = [models.Index(fields=["code", "severity"], name="finding_by_code")]

    def __str__(self) -> str:
        return f"{self.code}: {self.summary}"
