"""Signatures that were begun, and how often somebody failed to sign."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from dispensary.models.keys import uuid7
from dispensary.models.prescription import Prescription


class BegunSignature(models.Model):
    """A signature that a person has begun: for what they were shown, to be used once. Its id is the nonce of the signature."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prescription = models.ForeignKey(
        Prescription, null=True, blank=True, on_delete=models.CASCADE, related_name="+", help_text=_("none: of limits")
    )
    signer = models.CharField(max_length=64, help_text=_("name of the actor"))
    shown = models.CharField(max_length=64, help_text=_("SHA-256 of what the signer was shown, hexadecimal"))
    begun_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-begun_at"]
        indexes = [models.Index(fields=["prescription", "signer"], name="begun_signature_of_signer")]

    def __str__(self) -> str:
        return f"{self.signer} since {self.begun_at:%Y-%m-%d %H:%M}"


class SignatureLock(models.Model):
    """The failed attempts of a person to sign, since the first of them. It locks their signature, nothing else."""

    signer = models.CharField(primary_key=True, max_length=64, help_text=_("name of the actor"))
    since = models.DateTimeField()
    failures = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.signer}: {self.failures}"
