"""Trials of another limit on recorded decisions, as asked for at the review desk."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from dispensary.models.keys import uuid7
from dispensary.models.pharmacy import Pharmacy


class LimitTrial(models.Model):
    """A request to ask the decisions of some days again with another number, with how far it is and its result.

    `line` is the digest of the profile's line. The result holds counts and numbers of entries; no patient, no words.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.CASCADE, related_name="+")
    requested_by = models.CharField(max_length=120)
    requested_at = models.DateTimeField()
    line = models.CharField(max_length=64)
    place = models.CharField(max_length=120)
    ages = models.CharField(max_length=60, blank=True)
    unit = models.CharField(max_length=40)
    value_before = models.CharField(max_length=40)
    value = models.DecimalField(max_digits=12, decimal_places=4)
    since = models.DateField()
    until = models.DateField(help_text=_("the last day"))
    seen_at = models.DateTimeField(null=True, blank=True, help_text=_("when the worker last said so"))
    reached = models.PositiveBigIntegerField(default=0)
    last = models.PositiveBigIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(default=dict)

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["pharmacy"], condition=models.Q(finished_at__isnull=True), name="limit_trial_one_open"
            ),
        ]

    @property
    def value_text(self) -> str:
        """The number as it is written: `80`, `2.5`."""
        return format(self.value.normalize(), "f")

    def __str__(self) -> str:
        return f"Trial of {self.place}, {self.pharmacy_id}"
