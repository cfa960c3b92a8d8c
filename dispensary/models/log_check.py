"""Requests to verify a pharmacy's log. The result is an entry of the log; a row here says only how far it is."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from dispensary.models.keys import uuid7
from dispensary.models.pharmacy import Pharmacy


class CheckResult(models.TextChoices):
    """The result of a check, as `audit verify` has it in its exit status."""

    VERIFIED = "verified", _("Verified")
    TAMPERED = "tampered", _("Tampered with")
    UNREADABLE = "unreadable", _("Could not be read")
    INCOMPLETE = "incomplete", _("Nothing wrong, but incomplete")


class LogCheck(models.Model):
    """A request that the sealer's process verifies a pharmacy's log, with how far it is. The result is an entry of the log."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.CASCADE, related_name="+")
    requested_by = models.CharField(max_length=120)
    requested_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True, blank=True, help_text=_("when the process that verifies last said so"))
    reached = models.PositiveBigIntegerField(default=0)
    last = models.PositiveBigIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)
    result = models.CharField(max_length=12, blank=True, choices=CheckResult)

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["pharmacy"], condition=models.Q(finished_at__isnull=True), name="log_check_one_open"
            ),
            models.CheckConstraint(
                condition=models.Q(result__in=["", *CheckResult.values]), name="log_check_result_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Check of {self.pharmacy_id}, {self.result or 'open'}"
