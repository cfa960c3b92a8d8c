"""Overrides: the signed answers of pharmacists to findings, and acknowledgements."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from dispensary.models.dispense import Dispense
from dispensary.models.keys import uuid7
from dispensary.models.patient import PriorSupply
from dispensary.models.prescription import Prescription
from dispensary.models.review import ABOUT_ONE_THING, FindingSeverity, Reviewed, subject_of


class Mitigation(models.TextChoices):
    """The codes of FHIR `detectedissue-mitigation-action`."""

    THERAPY_APPROPRIATE = "1", _("Therapy appropriate")
    ASSESSED_PATIENT = "2", _("Assessed patient")
    PATIENT_EXPLANATION = "3", _("Patient explanation")
    OTHER_SOURCE = "4", _("Consulted other source")
    CONSULTED_PRESCRIBER = "5", _("Consulted prescriber")
    PRESCRIBER_DECLINED = "6", _("Consulted prescriber, declined change")
    NO_LONGER_ACTIVE = "7", _("Interacting therapy no longer active")
    OTHER_ACTION = "8", _("Other action")
    MONITORING = "9", _("Instituted ongoing monitoring")
    EDUCATION = "10", _("Provided patient education")
    ADDED_THERAPY = "11", _("Added concurrent therapy")
    SUSPENDED_THERAPY = "12", _("Temporarily suspended concurrent therapy")
    STOPPED_THERAPY = "13", _("Stopped concurrent therapy")
    SUPPLY_APPROPRIATE = "14", _("Supply appropriate")
    REPLACEMENT = "15", _("Replacement")
    VACATION = "16", _("Vacation supply")
    WEEKEND = "17", _("Weekend supply")
    LEAVE = "18", _("Leave of absence")
    CONSULTED_SUPPLIER = "19", _("Consulted supplier")
    SEPARATE_DISPENSE = "20", _("Additional quantity on separate dispense")
    AUTHORISATION = "21", _("Authorisation confirmed")
    INDICATION = "22", _("Appropriate indication or diagnosis")
    PRIOR_THERAPY = "23", _("Prior therapy documented")
    EMERGENCY = "EMAUTH", _("Emergency authorisation override")


class OverrideState(models.TextChoices):
    """An answer is open until a dispense uses it; before, one of the worst class waits for a second signature."""

    WAITING = "waiting", _("Waits for a second pharmacist")
    OPEN = "open", _("Open")
    USED = "used", _("Used")
    WITHDRAWN = "withdrawn", _("Withdrawn")


UNUSED_STATES = (OverrideState.WAITING, OverrideState.OPEN)
"""The states of an answer that no hand-over has used, and that was not withdrawn."""


class SignatureMethod(models.TextChoices):
    """The proofs of identity of a signer."""

    PASSWORD = "password", _("Password, typed for this signature")
    SECOND_FACTOR = "second-factor", _("Second factor, for this signature")
    PASSKEY = "passkey", _("Passkey, for this signature")
    TOKEN = "token", _("API token of the signer's own")
    SIGNED_IN = "signed-in", _("Signed in, no fresh proof (acknowledgements only)")


class Override(models.Model):
    """A pharmacist's answer to one finding; also the one-step acknowledgement of a milder one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    prescription = models.ForeignKey(
        Prescription, null=True, blank=True, on_delete=models.PROTECT, related_name="overrides"
    )
    prior_supply = models.ForeignKey(
        PriorSupply,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="overrides",
        help_text=_("the supply from elsewhere whose course was stopped"),
    )
    code = models.CharField(max_length=64, help_text=_("rule code, or not-assessed"))
    severity = models.CharField(max_length=12, choices=FindingSeverity)
    summary = models.CharField(max_length=200, help_text=_("the finding as shown"))
    detail = models.TextField(blank=True, help_text=_("its arithmetic as shown"))
    fingerprint = models.CharField(max_length=64)
    observed = models.JSONField(null=True, blank=True, help_text=_("the numbers and words found, by name"))
    mitigation = models.CharField(max_length=8, choices=Mitigation, blank=True)
    words = models.TextField(blank=True, max_length=2000)
    asked = models.CharField(max_length=120, blank=True, help_text=_("whom the signer spoke to"))
    asked_at = models.DateTimeField(null=True, blank=True)
    agreed = models.CharField(max_length=500, blank=True, help_text=_("what was agreed"))
    signed_by = models.CharField(max_length=64)
    signer_name = models.CharField(max_length=120)
    signer_role = models.CharField(max_length=16)
    signature = models.CharField(max_length=16, choices=SignatureMethod)
    signed_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=OverrideState, default=OverrideState.OPEN)
    dispense = models.ForeignKey(Dispense, null=True, blank=True, on_delete=models.PROTECT, related_name="overrides")

    class Meta:
        ordering = ["-signed_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["prescription", "fingerprint"],
                condition=Q(state__in=UNUSED_STATES),
                name="override_one_open_for_a_finding",
            ),
            models.UniqueConstraint(
                fields=["prior_supply", "fingerprint"],
                condition=Q(state=OverrideState.OPEN),
                name="override_one_open_for_a_recorded_supply",
            ),
            models.CheckConstraint(condition=ABOUT_ONE_THING, name="override_is_about_one_thing"),
            models.CheckConstraint(condition=Q(state__in=OverrideState.values), name="override_state_known"),
            models.CheckConstraint(condition=Q(signature__in=SignatureMethod.values), name="override_signature_known"),
            models.CheckConstraint(
                condition=(Q(state=OverrideState.USED) & Q(dispense__isnull=False))
                | (~Q(state=OverrideState.USED) & Q(dispense__isnull=True)),
                name="override_used_by_a_dispense",
            ),
            models.CheckConstraint(
                condition=~Q(severity=FindingSeverity.OVERRIDE) | (~Q(mitigation="") & ~Q(words="")),
                name="override_has_reason_and_words",
            ),
            models.CheckConstraint(condition=~Q(severity=FindingSeverity.STOP), name="override_never_answers_a_stop"),
            models.CheckConstraint(
                condition=~Q(severity=FindingSeverity.OVERRIDE) | ~Q(signature=SignatureMethod.SIGNED_IN),
                name="override_is_signed_afresh",
            ),
        ]
        indexes = [models.Index(fields=["prescription", "state"], name="override_of_prescription")]

    def __str__(self) -> str:
        return f"{self.code} answered by {self.signer_name}"

    @property
    def subject(self) -> Reviewed:
        """The order or the recorded supply about which the finding was."""
        return subject_of(self.prescription, self.prior_supply)


class SecondSignature(models.Model):
    """A second pharmacist's signature under an answer of the worst class; or the first one's own, alone, with the reason. Never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    override = models.OneToOneField(Override, on_delete=models.PROTECT, related_name="second")
    signed_by = models.CharField(max_length=64)
    signer_name = models.CharField(max_length=120)
    signer_role = models.CharField(max_length=16)
    signature = models.CharField(max_length=16, choices=SignatureMethod)
    signed_at = models.DateTimeField()
    is_alone = models.BooleanField(default=False, help_text=_("signed by the first signer, as nobody else answered"))
    because = models.CharField(max_length=250, blank=True, help_text=_("why alone"))

    class Meta:
        ordering = ["-signed_at"]
        constraints = [
            models.CheckConstraint(condition=Q(is_alone=False) | ~Q(because=""), name="second_signature_alone_because"),
            models.CheckConstraint(
                condition=Q(signature__in=["password", "second-factor", "passkey"]), name="second_signature_is_fresh"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.override} and {self.signer_name}"
