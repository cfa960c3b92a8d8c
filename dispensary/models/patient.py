"""Patients with the facts that the rules read, prescribers, and supplies made elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from baclofen_rules.facts import Indication
from dispensary.models.keys import uuid7
from dispensary.models.pharmacy import Language, Pharmacy, validate_time_zone
from dispensary.text import name_keys, number_key


class Sex(models.TextChoices):
    """Administrative sex, as FHIR has it."""

    FEMALE = "female", _("Female")
    MALE = "male", _("Male")
    OTHER = "other", _("Other")
    UNKNOWN = "unknown", _("Unknown")


class PatientQuerySet(models.QuerySet["Patient"]):
    """Queries of patients."""

    def locked(self) -> PatientQuerySet:
        """Lock the rows until the transaction ends, and read their pharmacies; rows that refer to them may be written meanwhile."""
        return self.select_for_update(of=("self",), no_key=True).select_related("pharmacy")


class Patient(models.Model):
    """A person known to one pharmacy."""

    namesake_rows: list[Namesake] | None = None
    """Set by `loading.read_record`: the questions about records that may be of the patient, but for those that are one person."""
    checks: Collection[tuple[UUID, datetime]] | None = None
    """Set by `loading.read_record`: the orders whose bag was checked at the moment of a decision about them, with that moment."""
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="patients")
    identifier = models.CharField(max_length=64, help_text=_("the pharmacy's own number for the patient"))
    identifier_system = models.CharField(
        max_length=255,
        blank=True,
        help_text=_("the system of the number, as FHIR has it; empty for the pharmacy's own"),
    )
    family_name = models.CharField(max_length=120)
    given_name = models.CharField(max_length=120, blank=True)
    printed_name = models.CharField(
        max_length=80,
        blank=True,
        help_text=_("the name as labels and calendars have it, where the recorded one cannot be printed"),
    )
    birth_date = models.DateField(null=True, blank=True)
    sex = models.CharField(max_length=8, choices=Sex, default=Sex.UNKNOWN)
    language = models.CharField(max_length=8, choices=Language, default=Language.ENGLISH)
    time_zone = models.CharField(max_length=64, blank=True, validators=[validate_time_zone])
    died_on = models.DateField(null=True, blank=True)

    weight_kg = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True)
    egfr = models.DecimalField(max_digits=9, decimal_places=6, null=True, blank=True, help_text=_("mL/min/1.73 m²"))
    egfr_on = models.DateField(null=True, blank=True, help_text=_("the day on which the eGFR was measured"))
    dialysis = models.BooleanField(null=True, blank=True)
    pregnant = models.BooleanField(null=True, blank=True)
    breastfeeding = models.BooleanField(null=True, blank=True)
    allergies = models.JSONField(null=True, blank=True)
    conditions = models.JSONField(null=True, blank=True)
    medicines = models.JSONField(null=True, blank=True)
    alcohol_use = models.BooleanField(null=True, blank=True)
    drives = models.BooleanField(null=True, blank=True)
    intrathecal_pump = models.BooleanField(null=True, blank=True)
    indication = models.CharField(max_length=24, blank=True, choices=[(i.value, i.label) for i in Indication])
    anaesthesia_planned = models.BooleanField(null=True, blank=True)
    recorded_on = models.JSONField(
        default=dict, blank=True, help_text=_("the day from which each fact stands here as it is")
    )
    facts_at = models.DateTimeField(null=True, blank=True, help_text=_("when the facts were last asked"))
    joined_to = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="joined_records",
        help_text=_("the record of the same person that is used in place of this one"),
    )

    version = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField(db_default=Now(), editable=False, help_text=_("kept by a trigger"))

    objects = PatientQuerySet.as_manager()

    class Meta:
        ordering = ["family_name", "given_name"]
        constraints = [
            models.UniqueConstraint(
                fields=["pharmacy", "identifier", "identifier_system"], name="patient_number_unique_in_system"
            ),
            models.CheckConstraint(condition=~Q(family_name=""), name="patient_has_a_name"),
            models.CheckConstraint(
                condition=Q(birth_date__isnull=True) | Q(birth_date__gte=date(1890, 1, 1)),
                name="patient_birth_believable",
            ),
            models.CheckConstraint(
                condition=Q(weight_kg__isnull=True) | Q(weight_kg__gt=Decimal(0), weight_kg__lte=Decimal(650)),
                name="patient_weight_believable",
            ),
            models.CheckConstraint(
                condition=Q(egfr__isnull=True) | Q(egfr__gte=Decimal(0), egfr__lte=Decimal(300)),
                name="patient_egfr_believable",
            ),
        ]
        indexes = [
            models.Index(fields=["pharmacy", "family_name", "given_name"], name="patient_by_name"),
            models.Index(fields=["pharmacy", "birth_date"], name="patient_by_birth_date"),
            models.Index(fields=["pharmacy", "changed_at", "id"], name="patient_by_change"),
            models.Index(fields=["pharmacy", "id"], name="patient_by_key", condition=Q(joined_to__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.family_name}, {self.given_name}".rstrip(", ")

    @property
    def name_on_papers(self) -> str:
        """The name as it is printed: given name first, unless another is recorded for it."""
        return self.printed_name or f"{self.given_name} {self.family_name}".strip()

    @property
    def zone(self) -> str:
        """The IANA name of the zone that the patient lives in."""
        return self.time_zone or self.pharmacy.time_zone

    @property
    def namesakes(self) -> list[NamesakeRecord]:
        """The other records in use that may be of the patient, each with the answer to whether they are one person."""
        if self.namesake_rows == []:
            return []
        rows = Namesake.objects.filter(Q(patient=self) | Q(other=self)).exclude(answer=NamesakeAnswer.SAME)
        return [
            NamesakeRecord(row.other if row.patient_id == self.pk else row.patient, row.answer)
            for row in rows.select_related("patient", "other")
        ]

    def namesakes_to_answer(self) -> int:
        """Return how many other records may be of the same person, as no person has said yet."""
        if self.namesake_rows is not None:
            return sum(row.answer == NamesakeAnswer.OPEN for row in self.namesake_rows)
        return Namesake.objects.filter(Q(patient=self) | Q(other=self), answer=NamesakeAnswer.OPEN).count()

    def identities(self) -> list[Patient | FormerIdentity]:
        """Return the record, and what it said before each correction; names and numbers of all of them find the patient."""
        return [self, *self.former_identities.all()]


class CorrectionReason(models.TextChoices):
    """The reasons for which name, number or birth date of a record change."""

    RECORDED_WRONGLY = "recorded-wrongly", _("It was recorded wrongly")
    CHANGED = "changed", _("It has changed since")
    JOINED = "joined", _("Two records of one person were joined")


class FormerIdentity(models.Model):
    """Name, number and birth date as a record had them before a correction. Still searched for, still accepted in orders."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="former_identities")
    identifier = models.CharField(max_length=64)
    identifier_system = models.CharField(max_length=255, blank=True)
    family_name = models.CharField(max_length=120)
    given_name = models.CharField(max_length=120, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    reason = models.CharField(max_length=16, choices=CorrectionReason)
    ended_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = _("former identities")
        ordering = ["-ended_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(reason__in=CorrectionReason.values), name="former_identity_reason_known")
        ]
        indexes = [models.Index(fields=["identifier", "identifier_system"], name="former_identity_by_number")]

    def __str__(self) -> str:
        return f"{self.family_name}, {self.given_name}".rstrip(", ")


class PatientSearchKey(models.Model):
    """A text that finds a patient: a name from one of its words on, or a number. Made from the record by its actions."""

    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.CASCADE, related_name="+", db_index=False)
    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="search_keys", db_index=False)
    key = models.TextField(db_collation="C")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["patient", "key"], name="patient_search_key_once")]
        indexes = [models.Index(fields=["pharmacy", "key"], include=["patient"], name="patient_search")]

    def __str__(self) -> str:
        return f"Search key {self.pk}"


class NamesakeAnswer(models.TextChoices):
    """The answer to whether two records are of one person."""

    OPEN = "", _("Not answered")
    SAME = "same", _("The same person")
    OTHER = "other", _("Another person")


@dataclass(frozen=True, slots=True)
class NamesakeRecord:
    """Another record that may be of a patient, as seen from the patient."""

    patient: Patient
    answer: str
    """A `NamesakeAnswer`."""

    @property
    def is_open(self) -> bool:
        return self.answer == NamesakeAnswer.OPEN


class Namesake(models.Model):
    """Two records of a pharmacy that may be of one person: a question until a person answers it."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="namesakes_noticed")
    other = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="namesakes_of")
    answer = models.CharField(max_length=8, choices=NamesakeAnswer, default=NamesakeAnswer.OPEN, blank=True)
    noticed_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.CharField(max_length=64, blank=True)
    moved = models.JSONField(
        default=dict,
        blank=True,
        encoder=DjangoJSONEncoder,
        help_text=_("what came from one record to the other when they were joined, to be moved back"),
    )

    class Meta:
        ordering = ["noticed_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["patient", "other"], name="namesake_noticed_once"),
            models.CheckConstraint(condition=~Q(patient=models.F("other")), name="namesake_is_another_record"),
            models.CheckConstraint(
                condition=Q(answer=NamesakeAnswer.OPEN, answered_at__isnull=True)
                | Q(answer__in=[NamesakeAnswer.SAME, NamesakeAnswer.OTHER], answered_at__isnull=False),
                name="namesake_answer_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"Namesake {self.pk}: {self.answer or 'open'}"


SEARCH_CONFIG = "simple"
"""The text search of PostgreSQL that takes words as they stand; names have no stems."""


class Prescriber(models.Model):
    """A prescriber of orders, with their contact details."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="prescribers")
    identifier = models.CharField(max_length=64, help_text=_("registration number"))
    identifier_system = models.CharField(
        max_length=255,
        blank=True,
        help_text=_("the register of the number, as FHIR has it; empty where none was named"),
    )
    name = models.CharField(max_length=120)
    number_key = models.TextField(
        editable=False, db_default="", help_text=_("the registration number without capitals, blanks and punctuation")
    )
    search_text = models.TextField(editable=False, help_text=_("the spellings of the name that a search finds"))
    phone = models.CharField(max_length=32, blank=True)
    organisation = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["pharmacy", "identifier", "identifier_system"], name="prescriber_number_unique_in_register"
            ),
            models.CheckConstraint(condition=~Q(name=""), name="prescriber_has_a_name"),
        ]
        indexes = [
            GinIndex(SearchVector("search_text", config=SEARCH_CONFIG), name="prescriber_by_words"),
            models.Index(fields=["pharmacy", "number_key"], name="prescriber_by_number"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.number_key = number_key(self.identifier)
        self.search_text = "\n".join(sorted(name_keys(self.name, "")))
        super().save(*args, **kwargs)


class Relation(models.TextChoices):
    """The relation of an earlier supply to the course in question; the words of the case format."""

    SAME_COURSE = "same-course", _("Same course")
    CONCURRENT = "concurrent", _("Still meant to run beside it")


class PriorSupply(models.Model):
    """A supply made elsewhere: another pharmacy, a hospital. Counts as history for the rules."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="prior_supplies")
    dispensed_on = models.DateField()
    doses = ArrayField(models.DecimalField(max_digits=13, decimal_places=6), help_text=_("one day's doses, mg"))
    strength_mg = models.DecimalField(max_digits=8, decimal_places=3, null=True, blank=True)
    days_supply = models.PositiveSmallIntegerField()
    dose_since = models.DateField(null=True, blank=True)
    relation = models.CharField(max_length=16, choices=Relation, default=Relation.SAME_COURSE)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = _("prior supplies")
        ordering = ["dispensed_on", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["patient", "dispensed_on", "relation", "doses", "days_supply"], name="prior_supply_told_once"
            ),
            models.CheckConstraint(condition=Q(relation__in=Relation.values), name="prior_supply_relation_known"),
            models.CheckConstraint(condition=Q(days_supply__gte=1), name="prior_supply_lasts"),
        ]

    def __str__(self) -> str:
        return f"{self.days_supply} days from {self.dispensed_on}"
