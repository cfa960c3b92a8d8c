"""Bags: what is prepared for an order before it is handed over, where the pharmacy separates the steps."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from dispensary.models.dispense import Dispense
from dispensary.models.keys import uuid7
from dispensary.models.pharmacy import Pharmacy
from dispensary.models.prescription import Prescription


class Stage(models.TextChoices):
    """The steps of a bag. `RETURNED` was put back into stock and never left the pharmacy."""

    PREPARED = "prepared", _("Prepared")
    CHECKED = "checked", _("Checked")
    SHELVED = "shelved", _("On the shelf")
    HANDED_OVER = "handed-over", _("Handed over")
    RETURNED = "returned", _("Put back")


OPEN_STAGES = (Stage.PREPARED, Stage.CHECKED, Stage.SHELVED)
"""Of a bag that is in the pharmacy."""
CHECKED_STAGES = (Stage.CHECKED, Stage.SHELVED)
"""Of a bag that may be handed over."""


class Preparation(models.Model):
    """A bag prepared for an order: its packs, who prepared, checked and shelved it, and what became of it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="+")
    prescription = models.ForeignKey(
        Prescription,
        on_delete=models.PROTECT,
        related_name="preparations",
        help_text=_("the order; of one of several strengths the first"),
    )
    stage = models.CharField(max_length=12, choices=Stage, default=Stage.PREPARED)
    bag = models.JSONField(
        help_text=_("of each strength: prescription, quantity, and its packs, as they are handed over")
    )
    prepared_by = models.CharField(max_length=64)
    preparer_name = models.CharField(max_length=120)
    prepared_at = models.DateTimeField()
    checked_by = models.CharField(max_length=64, blank=True)
    checker_name = models.CharField(max_length=120, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    shelf = models.CharField(max_length=20, blank=True)
    shelved_at = models.DateTimeField(null=True, blank=True)
    label_prints = models.PositiveSmallIntegerField(default=0, help_text=_("how often a label was printed"))
    dispense = models.OneToOneField(
        Dispense, null=True, blank=True, on_delete=models.PROTECT, related_name="preparation"
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.CharField(max_length=250, blank=True)

    class Meta:
        verbose_name = _("bag")
        ordering = ["prepared_at"]
        constraints = [
            models.CheckConstraint(condition=Q(stage__in=Stage.values), name="preparation_stage_known"),
            models.UniqueConstraint(
                fields=["prescription"], condition=Q(stage__in=OPEN_STAGES), name="preparation_one_open_for_an_order"
            ),
            models.CheckConstraint(
                condition=Q(checked_at__isnull=True) | ~Q(checked_by=F("prepared_by")),
                name="preparation_checked_by_another_person",
            ),
            models.CheckConstraint(
                condition=~Q(stage__in=CHECKED_STAGES) | Q(checked_at__isnull=False),
                name="preparation_checked_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(stage__in=OPEN_STAGES, ended_at__isnull=True)
                | (~Q(stage__in=OPEN_STAGES) & Q(ended_at__isnull=False)),
                name="preparation_ended_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(stage=Stage.HANDED_OVER, dispense__isnull=False)
                | (~Q(stage=Stage.HANDED_OVER) & Q(dispense__isnull=True)),
                name="preparation_handed_over_by_a_dispense",
            ),
        ]
        indexes = [
            models.Index(fields=["pharmacy", "stage"], condition=Q(stage__in=OPEN_STAGES), name="preparation_open"),
        ]

    def __str__(self) -> str:
        return f"{self.prescription_id}: {self.stage}"
