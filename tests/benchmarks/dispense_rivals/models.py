"""Tables of a dispense as a peer would write it, with a history of every change, and the three tables of the bare view.

Rows are about as wide as the project's own: the order with its directions and document, the review with a kilobyte of JSON.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords


class Row(models.Model):
    """What every table has."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)

    class Meta:
        abstract = True


class PeerPatient(Row):
    """A patient, with the facts as JSON."""

    family_name = models.CharField(max_length=120)
    given_name = models.CharField(max_length=120)
    birth_date = models.DateField()
    facts = models.JSONField(default=dict)
    history = HistoricalRecords()

    def __str__(self) -> str:
        return self.family_name


class PeerPrescriber(Row):
    """A prescriber."""

    name = models.CharField(max_length=120)
    history = HistoricalRecords()

    def __str__(self) -> str:
        return self.name


class PeerOrder(Row):
    """An order with the doses as JSON."""

    patient = models.ForeignKey(PeerPatient, on_delete=models.PROTECT, related_name="orders")
    prescriber = models.ForeignKey(PeerPrescriber, on_delete=models.PROTECT, related_name="orders")
    status = models.CharField(max_length=12, default="active")
    directions = models.TextField()
    strength_mg = models.DecimalField(max_digits=8, decimal_places=3)
    quantity = models.DecimalField(max_digits=9, decimal_places=3)
    repeats = models.PositiveSmallIntegerField(default=0)
    phases = models.JSONField(default=list)
    received_at = models.DateTimeField(auto_now_add=True)
    history = HistoricalRecords()

    def __str__(self) -> str:
        return self.directions


class PeerReview(Row):
    """A check of an order, with its findings as JSON."""

    order = models.ForeignKey(PeerOrder, on_delete=models.PROTECT, related_name="reviews")
    outcome = models.CharField(max_length=12)
    findings = models.JSONField(default=list)
    reviewed_at = models.DateTimeField(auto_now_add=True)
    history = HistoricalRecords()

    def __str__(self) -> str:
        return self.outcome


class PeerDispense(Row):
    """A hand-over."""

    order = models.ForeignKey(PeerOrder, on_delete=models.PROTECT, related_name="dispenses")
    review = models.ForeignKey(PeerReview, on_delete=models.PROTECT)
    quantity = models.DecimalField(max_digits=9, decimal_places=3)
    gtin = models.CharField(max_length=14)
    lot = models.CharField(max_length=20)
    expiry = models.DateField()
    dispensed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    handed_over_at = models.DateTimeField(auto_now_add=True)
    history = HistoricalRecords()

    def __str__(self) -> str:
        return self.lot


class PeerReminder(Row):
    """A message owed to a patient."""

    patient = models.ForeignKey(PeerPatient, on_delete=models.PROTECT)
    dispense = models.ForeignKey(PeerDispense, on_delete=models.PROTECT)
    due_at = models.DateTimeField()
    text = models.CharField(max_length=200)
    history = HistoricalRecords()

    def __str__(self) -> str:
        return self.text


class BareHandOver(Row):
    """The first row of the bare view."""

    order = models.ForeignKey(PeerOrder, on_delete=models.PROTECT)
    quantity = models.DecimalField(max_digits=9, decimal_places=3)
    lot = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.lot


class BareReview(Row):
    """The second row of the bare view."""

    hand_over = models.ForeignKey(BareHandOver, on_delete=models.PROTECT)
    case: models.TextField[Any, Any] = models.TextField()

    def __str__(self) -> str:
        return self.case


class BareLine(Row):
    """The third row of the bare view."""

    hand_over = models.ForeignKey(BareHandOver, on_delete=models.PROTECT)
    actor = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.actor
