"""Dispenses: hand-overs to a patient."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from dispensary.models.keys import uuid7
from dispensary.models.patient import Patient
from dispensary.models.pharmacy import Pharmacy
from dispensary.models.prescription import Prescription
from dispensary.models.product import Product
from dispensary.models.review import Review


class DispenseStatus(models.TextChoices):
    """`COMPLETED` was handed over; `CANCELLED` never left the counter; `RETURNED` came back."""

    COMPLETED = "completed", _("Handed over")
    CANCELLED = "cancelled", _("Cancelled")
    RETURNED = "returned", _("Returned")


class SupplyRelation(models.TextChoices):
    """The relation of a hand-over to what the patient took already; the words of the case format."""

    NEW = "new", _("New")
    CONTINUES = "continues", _("Goes on with it")
    PART = "part", _("Part of a quantity begun")
    CHANGES = "changes", _("Takes the place of it")
    BESIDE = "beside", _("Beside it")
    UNKNOWN = "unknown", _("Not known")


class DispenseQuerySet(models.QuerySet["Dispense"]):
    """Queries of hand-overs."""

    def completed(self) -> DispenseQuerySet:
        """Return those in the patient's hands: neither cancelled nor returned."""
        return self.filter(status=DispenseStatus.COMPLETED)


class Dispense(models.Model):
    """A hand-over of one strength to a patient; FHIR MedicationDispense. `run_out_on` is the first day not covered, carried-over supply included."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="dispenses")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="dispenses")
    prescription = models.ForeignKey(Prescription, on_delete=models.PROTECT, related_name="dispenses")
    review = models.OneToOneField(Review, on_delete=models.PROTECT, related_name="dispense")
    number = models.PositiveSmallIntegerField(help_text=_("first, second, ... supply on this prescription"))
    status = models.CharField(max_length=12, choices=DispenseStatus, default=DispenseStatus.COMPLETED)
    quantity = models.DecimalField(max_digits=9, decimal_places=3, help_text=_("tablets"))
    product = models.ForeignKey(Product, null=True, blank=True, on_delete=models.PROTECT, related_name="dispenses")
    strength_mg = models.DecimalField(max_digits=8, decimal_places=3)
    lot = models.CharField(max_length=20, blank=True)
    expiry = models.DateField(null=True, blank=True)
    serial = models.CharField(max_length=20, blank=True)
    further_packs = models.JSONField(
        default=list,
        blank=True,
        help_text=_("other packs that its tablets come from: gtin, lot, expiry, serial and quantity of each"),
    )
    starts_on = models.DateField(help_text=_("first day that this supply is for"))
    days_supply = models.PositiveIntegerField()
    run_out_on = models.DateField()
    relation = models.CharField(
        max_length=12,
        choices=SupplyRelation,
        blank=True,
        help_text=_("to what the patient took already, as it was at the hand-over"),
    )
    relation_how = models.CharField(
        max_length=16, blank=True, help_text=_("why: decided by a person, or settled by which row of the rule book")
    )
    relation_to = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, help_text=_("names of the courses it is about")
    )
    relation_starts_on = models.DateField(
        null=True, blank=True, help_text=_("first day of the new dose, where a person named one")
    )
    prepared_at = models.DateTimeField()
    handed_over_at = models.DateTimeField()
    dispensed_by = models.CharField(max_length=64)
    dispenser_name = models.CharField(max_length=120)
    key = models.CharField(max_length=64, help_text=_("idempotency key"))
    audit_entry = models.UUIDField(help_text=_("the entry in the audit log that was written with it"))
    label_prints = models.PositiveSmallIntegerField(default=0, help_text=_("how often a label was printed"))
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.CharField(max_length=250, blank=True)
    recorded_at = models.DateTimeField(
        null=True, blank=True, help_text=_("when it was typed in, of a hand-over that was recorded late")
    )
    recorded_by = models.CharField(max_length=64, blank=True, default="", db_default="")
    recorder_name = models.CharField(
        max_length=120, blank=True, default="", db_default="", help_text=_("who typed it in")
    )
    late_words = models.CharField(
        max_length=2000,
        blank=True,
        default="",
        db_default="",
        help_text=_("what stands on the paper: why in spite of a limit, and who agreed"),
    )

    objects = DispenseQuerySet.as_manager()

    class Meta:
        ordering = ["-handed_over_at"]
        constraints = [
            models.UniqueConstraint(fields=["pharmacy", "key"], name="dispense_key_unique"),
            models.UniqueConstraint(fields=["prescription", "number"], name="dispense_number_unique"),
            models.CheckConstraint(condition=Q(quantity__gt=Decimal(0)), name="dispense_quantity_positive"),
            models.CheckConstraint(condition=Q(status__in=DispenseStatus.values), name="dispense_status_known"),
            models.CheckConstraint(
                condition=Q(relation__in=["", *SupplyRelation.values]), name="dispense_relation_known"
            ),
            models.CheckConstraint(
                condition=Q(run_out_on__gte=F("starts_on")), name="dispense_runs_out_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(handed_over_at__gte=F("prepared_at")), name="dispense_prepared_before_handed_over"
            ),
            models.CheckConstraint(
                condition=Q(status=DispenseStatus.COMPLETED, ended_at__isnull=True)
                | (~Q(status=DispenseStatus.COMPLETED) & Q(ended_at__isnull=False)),
                name="dispense_ended_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(recorded_at__isnull=True, recorded_by="", recorder_name="", late_words="")
                | (Q(recorded_at__gte=F("handed_over_at")) & ~Q(recorded_by="")),
                name="dispense_recorded_late_says_by_whom",
            ),
        ]
        indexes = [
            models.Index(fields=["patient", "handed_over_at"], name="dispense_of_patient"),
            models.Index(fields=["pharmacy", "run_out_on"], name="dispense_by_run_out"),
            models.Index(
                fields=["prescription", "run_out_on"],
                condition=Q(status=DispenseStatus.COMPLETED),
                name="dispense_cover",
            ),
            models.Index(fields=["pharmacy", "handed_over_at"], name="dispense_by_day"),
        ]

    def __str__(self) -> str:
        return f"Dispense {self.id}"

    @property
    def person(self) -> Patient:
        """The record of the patient that is used now: another one where it was joined to that since."""
        return self.patient.joined_to or self.patient

    @property
    def version(self) -> int:
        """The version of the row: the hand-over, then what took it back, once."""
        return 1 if self.status == DispenseStatus.COMPLETED else 2

    @property
    def is_late_entry(self) -> bool:
        """Say whether it was typed in afterwards, from paper."""
        return self.recorded_at is not None

    @property
    def packs(self) -> list[dict[str, Any]]:
        """The packs that the tablets come from: gtin, lot, expiry, serial and quantity of each, the first pack first."""
        first = {"gtin": self.product_id, "lot": self.lot, "expiry": self.expiry, "serial": self.serial}
        further = [
            pack
            | {
                "expiry": None if pack["expiry"] is None else date.fromisoformat(pack["expiry"]),
                "quantity": Decimal(pack["quantity"]),
            }
            for pack in self.further_packs
        ]
        return [first | {"quantity": self.quantity - sum(pack["quantity"] for pack in further)}, *further]


class IdempotentRequest(models.Model):
    """The first answer to a request that carries an idempotency key, given again when it is repeated."""

    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.CASCADE, related_name="+")
    actor = models.CharField(max_length=64)
    key = models.CharField(max_length=64)
    request_digest = models.CharField(max_length=64, help_text=_("SHA-256 over method, path and body"))
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    body = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pharmacy", "actor", "key"], name="idempotent_request_once"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.key}"
