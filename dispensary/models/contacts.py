"""Contact points of a patient, and their consent to messages."""

from __future__ import annotations

import json
import secrets
from urllib.parse import urlsplit

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from dispensary.models.keys import uuid7
from dispensary.models.patient import Patient
from dispensary.models.pharmacy import Language, Pharmacy
from dispensary.models.sealed import SealedTextField


class Medium(models.TextChoices):
    """The kinds of addresses. Which provider serves each is a setting."""

    EMAIL = "email", _("E-mail")
    SMS = "sms", _("Text message")
    VOICE = "voice", _("Telephone call")
    WHATSAPP = "whatsapp", _("WhatsApp")
    PUSH = "push", _("Notification")


class DetailLevel(models.TextChoices):
    """The detail of a message. `PLAIN` names no medicine, dose or condition."""

    PLAIN = "plain", _("No medicine, no dose")
    DETAILED = "detailed", _("With medicine and dose, as the patient chose")


class ContactFault(models.TextChoices):
    """The reasons for which an address is no longer used."""

    REFUSED = "refused", _("The provider refuses it for good")
    WRONG_PERSON = "wrong-person", _("It belongs to somebody else")


PAGE_CODE_LENGTH = 12


def new_page_code() -> str:
    """Return the code of a link to a patient's page: 72 random bits, for the address of a page in few letters."""
    return secrets.token_urlsafe(PAGE_CODE_LENGTH * 6 // 8)


class ConsentAnswer(models.TextChoices):
    """The patient's answer about one medium. Only `YES` lets a message leave."""

    NOT_ASKED = "not-asked", _("Not asked")
    YES = "yes", _("Yes")
    NO = "no", _("No")


class ConsentSource(models.TextChoices):
    """The origin of an answer."""

    COUNTER = "counter", _("At the counter")
    PATIENT_PAGE = "patient-page", _("On the patient's page")
    ONE_CLICK = "one-click", _("One-click unsubscribe")
    REPLY = "reply", _("Reply to a message")
    PROVIDER = "provider", _("Told by the provider")
    IMPORT = "import", _("Taken over from another system")


class CarerRelation(models.TextChoices):
    """What another person who gets the messages about a patient is to the patient."""

    PARENT = "parent", _("Parent")
    GUARDIAN = "guardian", _("Guardian")
    CARER = "carer", _("Carer")


GUARDIANS = (CarerRelation.PARENT, CarerRelation.GUARDIAN)
"""The relations that end when the patient reaches the age of consent."""


class Carer(models.Model):
    """Another person who gets the messages about a patient, with an answer of their own; each of two guardians has one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="carers")
    name = models.CharField(max_length=120)
    relation = models.CharField(max_length=10, choices=CarerRelation)
    language = models.CharField(max_length=8, choices=Language)
    answer = models.CharField(max_length=12, choices=ConsentAnswer, default=ConsentAnswer.NOT_ASKED)
    answered_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(
        max_length=16, choices=ConsentSource, blank=True, help_text=_("where the answer came from")
    )
    added_at = models.DateTimeField()
    added_by = models.CharField(max_length=64)
    ended_at = models.DateTimeField(null=True, blank=True)
    age_work_at = models.DateTimeField(
        null=True, blank=True, help_text=_("when work was opened since the patient soon reaches the age of consent")
    )

    class Meta:
        ordering = ["added_at"]
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="carer_has_a_name"),
            models.CheckConstraint(condition=Q(relation__in=CarerRelation.values), name="carer_relation_known"),
            models.CheckConstraint(
                condition=Q(answer=ConsentAnswer.NOT_ASKED, answered_at__isnull=True)
                | Q(answer__in=[ConsentAnswer.YES, ConsentAnswer.NO], answered_at__isnull=False),
                name="carer_answer_has_a_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["patient"],
                condition=Q(ended_at__isnull=True, relation__in=["parent", "guardian"]),
                name="guardian",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_relation_display()} {self.pk}"


class ContactPoint(models.Model):
    """An address of a patient, or of a carer for messages about the patient. A corrected address is a new row; the old one gets `retired_at`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="contact_points")
    carer = models.ForeignKey(
        Carer, null=True, blank=True, on_delete=models.CASCADE, related_name="contact_points", db_index=False
    )
    medium = models.CharField(max_length=8, choices=Medium)
    address = SealedTextField(help_text=_("encrypted at rest"))
    address_digest = models.CharField(max_length=64, db_index=True)
    detail_level = models.CharField(max_length=8, choices=DetailLevel, default=DetailLevel.PLAIN)
    preference = models.PositiveSmallIntegerField(default=1, help_text=_("the lowest is tried first"))
    fault = models.CharField(max_length=16, choices=ContactFault, blank=True)
    fault_at = models.DateTimeField(null=True, blank=True)
    added_at = models.DateTimeField()
    added_by = models.CharField(max_length=64)
    retired_at = models.DateTimeField(null=True, blank=True)
    page_code = models.CharField(
        max_length=16, unique=True, default=new_page_code, help_text=_("in the link to the patient's page")
    )

    class Meta:
        ordering = ["preference", "added_at"]
        indexes = [models.Index(fields=["carer"], condition=Q(carer__isnull=False), name="contact_of_carer")]
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "medium", "address_digest"],
                condition=Q(retired_at__isnull=True),
                name="contact_known_once",
            ),
            models.CheckConstraint(condition=Q(medium__in=Medium.values), name="contact_medium_known"),
            models.CheckConstraint(condition=Q(detail_level__in=DetailLevel.values), name="contact_detail_known"),
            models.CheckConstraint(
                condition=Q(fault="", fault_at__isnull=True) | (~Q(fault="") & Q(fault_at__isnull=False)),
                name="contact_fault_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_medium_display()} {self.pk}"

    @property
    def language(self) -> str:
        """The language of whoever reads at this address."""
        return self.carer.language if self.carer else self.patient.language

    @property
    def shown_address(self) -> str:
        """The address as it is shown: of a browser its push service alone, since whoever has the rest can write to it."""
        if self.medium != Medium.PUSH:
            return str(self.address)
        return f"A browser ({urlsplit(json.loads(self.address)['endpoint']).hostname})"


class ConsentEvent(models.Model):
    """An answer with its actor, time and origin. Append-only: a change of mind is another row."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="consent_events")
    medium = models.CharField(max_length=8, choices=Medium)
    answer = models.CharField(max_length=12, choices=ConsentAnswer)
    source = models.CharField(max_length=16, choices=ConsentSource)
    evidence = models.CharField(max_length=250, blank=True, help_text=_("form, conversation, event number"))
    said_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=64)

    class Meta:
        ordering = ["-said_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(answer__in=[ConsentAnswer.YES, ConsentAnswer.NO]), name="consent_event_is_an_answer"
            ),
            models.CheckConstraint(condition=Q(source__in=ConsentSource.values), name="consent_event_source_known"),
        ]
        indexes = [models.Index(fields=["patient", "said_at"], name="consent_of_patient")]

    def __str__(self) -> str:
        return f"{self.medium}: {self.answer}"


class Consent(models.Model):
    """The answer in force for one medium, kept in step with the events. No row means not asked."""

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="consents")
    medium = models.CharField(max_length=8, choices=Medium)
    answer = models.CharField(max_length=12, choices=ConsentAnswer)
    since = models.DateTimeField()
    event = models.ForeignKey(ConsentEvent, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["patient", "medium"], name="consent_one_in_force"),
            models.CheckConstraint(condition=Q(answer__in=ConsentAnswer.values), name="consent_answer_known"),
        ]

    def __str__(self) -> str:
        return f"{self.medium}: {self.answer}"


class SuppressionReason(models.TextChoices):
    """The reasons for which an address gets nothing, of any patient."""

    OPTED_OUT = "opted-out", _("Asked us to stop")
    COMPLAINED = "complained", _("Reported a message as unwanted")
    WRONG_PERSON = "wrong-person", _("Belongs to somebody else")


class Suppression(models.Model):
    """An address that gets no messages. Only its digest is stored, so it outlives the patient's record."""

    medium = models.CharField(max_length=8, choices=Medium)
    address_digest = models.CharField(max_length=64)
    reason = models.CharField(max_length=16, choices=SuppressionReason)
    since = models.DateTimeField()
    pharmacy = models.ForeignKey(Pharmacy, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["medium", "address_digest"], name="suppression_one_for_an_address"),
            models.CheckConstraint(condition=Q(reason__in=SuppressionReason.values), name="suppression_reason_known"),
        ]

    def __str__(self) -> str:
        return f"{self.medium}: {self.reason}"
