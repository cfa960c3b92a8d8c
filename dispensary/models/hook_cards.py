"""Cards that were sent to other systems through CDS Hooks, and what those say was done about them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from dispensary.models.keys import uuid7
from dispensary.models.patient import Patient
from dispensary.models.pharmacy import Pharmacy


class CardOutcome(models.TextChoices):
    """The outcome of a card in another system, as CDS Hooks has it."""

    ACCEPTED = "accepted", _("Accepted")
    OVERRIDDEN = "overridden", _("Overridden")


class HookCard(models.Model):
    """A card of one call. Its finding was never answered here: no supply rests on it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.CASCADE, related_name="+")
    patient = models.ForeignKey(Patient, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    service = models.CharField(max_length=40)
    hook_instance = models.UUIDField()
    client = models.CharField(max_length=64, help_text=_("the actor that called"))
    code = models.CharField(max_length=60, help_text=_("rule, or what else the card is about"))
    severity = models.CharField(max_length=12, blank=True)
    summary = models.CharField(max_length=140)
    sent_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["pharmacy", "-sent_at"], name="hook_card_sent")]

    def __str__(self) -> str:
        return f"{self.code} ({self.hook_instance})"


class CardFeedback(models.Model):
    """An answer that was given elsewhere. It releases nothing here."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.CASCADE, related_name="+")
    card = models.ForeignKey(HookCard, null=True, blank=True, on_delete=models.CASCADE, related_name="feedback")
    card_uuid = models.UUIDField(help_text=_("as it was sent; a card that is not known here has no row"))
    client = models.CharField(max_length=64)
    outcome = models.CharField(max_length=12, choices=CardOutcome)
    outcome_at = models.DateTimeField()
    reason_system = models.CharField(max_length=255, blank=True)
    reason_code = models.CharField(max_length=80, blank=True)
    reason_words = models.CharField(max_length=255, blank=True)
    comment = models.TextField(blank=True)
    accepted_suggestions = models.JSONField(default=list, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "card feedback"
        constraints = [
            models.UniqueConstraint(
                fields=["pharmacy", "client", "card_uuid", "outcome_at"], name="card_feedback_once"
            ),
            models.CheckConstraint(condition=models.Q(outcome__in=CardOutcome.values), name="card_feedback_known"),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} {self.card_uuid}"
