"""The order to supply: as received, never rewritten. What changes is its status."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast, Now, Right
from django.utils.translation import gettext_lazy as _

from dispensary.models.keys import SHOWN, uuid7
from dispensary.models.patient import Patient, Prescriber
from dispensary.models.pharmacy import Pharmacy


class PrescriptionStatus(models.TextChoices):
    """The states of an order. Only `ACTIVE` can be dispensed."""

    ACTIVE = "active", _("Active")
    ON_HOLD = "on-hold", _("On hold")
    COMPLETED = "completed", _("Completed")
    CANCELLED = "cancelled", _("Cancelled")
    STOPPED = "stopped", _("Stopped")
    REPLACED = "replaced", _("Replaced")


class Awaited(models.TextChoices):
    """The reason for a hold made here; one that its sender holds waits for none of these."""

    PRESCRIBER = "prescriber", _("the prescriber")
    STOCK = "stock", _("stock")
    PATIENT = "patient", _("the patient")


class CancelCause(models.TextChoices):
    """The kinds of cause for which an order is cancelled."""

    FINDING = "finding", _("a finding of the check")
    PRESCRIBER = "prescriber", _("the prescriber changed it")
    PATIENT = "patient", _("the patient does not want or need it")
    ERROR = "error", _("it was written or typed in error")
    STOCK = "stock", _("it cannot be supplied")
    OTHER = "other", _("something else")


OPEN_STATUSES = [PrescriptionStatus.ACTIVE, PrescriptionStatus.ON_HOLD]
"""Of orders that have not ended."""


class Source(models.TextChoices):
    """The ways in which an order comes in."""

    CASE = "case", _("Case format")
    FHIR = "fhir", _("FHIR MedicationRequest")
    COUNTER = "counter", _("Typed at the counter")
    EMERGENCY = "no-order", _("Emergency supply, without an order")


class SenderStatus(models.TextChoices):
    """The statuses with which a sender takes an order back, holds it, or calls it fulfilled; FHIR's words."""

    CANCELLED = "cancelled", _("cancelled")
    STOPPED = "stopped", _("stopped")
    ENTERED_IN_ERROR = "entered-in-error", _("entered in error")
    ON_HOLD = "on-hold", _("on hold")
    COMPLETED = "completed", _("completed")


class DoseUnit(models.TextChoices):
    """Units a dose can arrive in. A microgram arrives so that the `unit` rule can stop it."""

    MG = "mg", "mg"
    MICROGRAM = "microgram", "microgram"


class Prescription(models.Model):
    """FHIR MedicationRequest: one order for baclofen for one patient."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="prescriptions")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="prescriptions")
    prescriber = models.ForeignKey(Prescriber, on_delete=models.PROTECT, related_name="prescriptions")
    status = models.CharField(max_length=12, choices=PrescriptionStatus, default=PrescriptionStatus.ACTIVE)
    written_on = models.DateField(null=True, blank=True)
    starts_on = models.DateField(null=True, blank=True, help_text=_("planned first day; unknown: from the hand-over"))
    medicine = models.JSONField(
        null=True, blank=True, help_text=_("the medicine as sent: name, ATC code, codes of other systems")
    )
    route = models.CharField(max_length=100, blank=True)
    form = models.CharField(max_length=200, blank=True)
    strength_mg = models.DecimalField(max_digits=8, decimal_places=3, null=True, blank=True)
    brand = models.CharField(max_length=200, blank=True)
    then_stop = models.BooleanField(null=True, blank=True, help_text=_("the medicine ends after the last phase"))
    as_needed = models.BooleanField(
        default=False, help_text=_("taken only when needed: the doses of a day are the most of it")
    )
    max_mg_per_day = models.DecimalField(
        max_digits=13,
        decimal_places=6,
        null=True,
        blank=True,
        help_text=_("the most in a day that the order names, mg"),
    )
    directions = models.TextField(blank=True)
    phases_from_directions = models.BooleanField(
        default=False, help_text=_("the phases were read from the directions, not sent as structure")
    )
    quantity = models.DecimalField(max_digits=9, decimal_places=3, null=True, blank=True, help_text=_("tablets"))
    expected_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_("days that the quantity is expected to last")
    )
    repeats = models.PositiveSmallIntegerField(null=True, blank=True)
    interval_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_("least number of days between two supplies")
    )
    group = models.CharField(
        max_length=300, blank=True, help_text=_("what the sender names orders of one regimen by: system|value")
    )
    lines = models.JSONField(
        default=list, blank=True, help_text=_("the lines it was written in, each with its words and its own doses")
    )
    source = models.CharField(max_length=8, choices=Source)
    document = models.JSONField(help_text=_("the order exactly as it came in"))
    notes = ArrayField(
        models.TextField(),
        default=list,
        blank=True,
        help_text=_("how something unusual in it was read, or that it was not read: for whoever hands over"),
    )
    received_at = models.DateTimeField()
    replaces = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="replaced_by")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.CharField(max_length=250, blank=True)
    awaiting = models.CharField(
        max_length=12, choices=Awaited, blank=True, help_text=_("what an order waits for that was put on hold here")
    )
    awaiting_since = models.DateTimeField(null=True, blank=True)
    withdrawn_as = models.CharField(
        max_length=16, choices=SenderStatus, blank=True, help_text=_("the status with which its sender took it back")
    )
    version = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField(db_default=Now(), editable=False, help_text=_("kept by a trigger"))

    class Meta:
        ordering = ["-received_at"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=PrescriptionStatus.values), name="prescription_status_known"),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="prescription_source_known"),
            models.CheckConstraint(
                condition=Q(awaiting="") | Q(awaiting__in=Awaited.values, status=PrescriptionStatus.ON_HOLD),
                name="prescription_awaits_on_hold",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_as__in=["", *SenderStatus.values]), name="prescription_withdrawal_known"
            ),
            models.CheckConstraint(
                condition=Q(quantity__isnull=True) | Q(quantity__gt=Decimal(0)), name="prescription_quantity_positive"
            ),
            models.CheckConstraint(
                condition=Q(strength_mg__isnull=True) | Q(strength_mg__gt=Decimal(0)),
                name="prescription_strength_positive",
            ),
            models.CheckConstraint(
                condition=Q(max_mg_per_day__isnull=True) | Q(max_mg_per_day__gt=Decimal(0)),
                name="prescription_maximum_positive",
            ),
            models.CheckConstraint(
                condition=Q(interval_days__isnull=True) | Q(interval_days__gte=1), name="prescription_interval_positive"
            ),
            models.CheckConstraint(
                condition=Q(status__in=OPEN_STATUSES, ended_at__isnull=True)
                | (~Q(status__in=OPEN_STATUSES) & Q(ended_at__isnull=False)),
                name="prescription_ended_has_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["pharmacy", "status", "received_at", "id"], name="prescription_queue"),
            models.Index(fields=["pharmacy", "received_at", "id"], name="prescription_by_arrival"),
            models.Index(fields=["pharmacy", "changed_at", "id"], name="prescription_by_change"),
            models.Index(fields=["patient", "received_at"], name="prescription_of_patient"),
            models.Index("pharmacy", Right(Cast("id", models.CharField()), SHOWN), name="prescription_by_number"),
        ]

    def __str__(self) -> str:
        return f"Prescription {self.id}"

    @property
    def standing(self) -> str:
        """Return the status in words, with the moment since when where the order has ended."""
        since = "" if self.ended_at is None else f" since {self.ended_at:%Y-%m-%d %H:%M} UTC"
        return f"{self.get_status_display().lower()}{since}"

    @property
    def authorised(self) -> Decimal | None:
        """Tablets that the order allows in all, repeats included."""
        return None if self.quantity is None else self.quantity * (1 + (self.repeats or 0))

    def dispensed(self) -> Decimal:
        """Tablets handed over on this order and not taken back."""
        completed = [row.quantity for row in self.dispenses.all() if row.status == "completed"]
        return sum(completed, Decimal(0))

    def remaining(self, dispensed: Decimal | None = None) -> Decimal | None:
        """Tablets that may still be handed over; `None` where the order names no quantity.

        `dispensed` are those handed over, where the caller has counted them.
        """
        if self.authorised is None:
            return None
        return max(Decimal(0), self.authorised - (self.dispensed() if dispensed is None else dispensed))


class OrderClaim(models.Model):
    """The person who works on an order now: a notice to the others, which lapses and can be taken over."""

    prescription = models.OneToOneField(Prescription, primary_key=True, on_delete=models.CASCADE, related_name="claim")
    actor = models.CharField(max_length=64)
    display = models.CharField(max_length=120)
    claimed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.prescription_id}: {self.actor}"


class PrescriptionIdentifier(models.Model):
    """A business identifier that the sender gave an order: system and value name one order at a pharmacy."""

    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.PROTECT, related_name="+")
    prescription = models.ForeignKey(Prescription, on_delete=models.CASCADE, related_name="identifiers")
    system = models.CharField(max_length=255, blank=True)
    value = models.CharField(max_length=255)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pharmacy", "value", "system"], name="prescription_identifier_unique"),
            models.CheckConstraint(condition=~Q(value=""), name="prescription_identifier_has_a_value"),
        ]

    def __str__(self) -> str:
        return f"{self.system}|{self.value}"


class Phase(models.Model):
    """A stretch of days with one day's dosing, as ordered."""

    prescription = models.ForeignKey(Prescription, on_delete=models.CASCADE, related_name="phases")
    number = models.PositiveSmallIntegerField()
    doses = ArrayField(models.DecimalField(max_digits=13, decimal_places=6), help_text=_("one day's doses"))
    times = ArrayField(
        models.CharField(max_length=8, null=True),
        null=True,
        blank=True,
        help_text=_(
            "when each dose is taken: morning, midday, evening, bedtime or HH:MM; unknown where the order says none"
        ),
    )
    unit = models.CharField(max_length=12, choices=DoseUnit, default=DoseUnit.MG)
    days = models.PositiveIntegerField(null=True, blank=True, help_text=_("unknown on an open last phase"))
    from_day = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("day of the course on which the order says that it begins; 1 is the first")
    )

    class Meta:
        ordering = ["prescription", "number"]
        constraints = [
            models.UniqueConstraint(fields=["prescription", "number"], name="phase_number_unique"),
            models.CheckConstraint(condition=Q(number__gte=1), name="phase_number_from_one"),
            models.CheckConstraint(condition=Q(days__isnull=True) | Q(days__gte=1), name="phase_lasts"),
            models.CheckConstraint(condition=Q(doses__len__gte=1), name="phase_has_doses"),
            models.CheckConstraint(condition=Q(unit__in=DoseUnit.values), name="phase_unit_known"),
            models.CheckConstraint(
                condition=Q(times__isnull=True) | Q(times__len=F("doses__len")), name="phase_time_for_each_dose"
            ),
        ]

    def __str__(self) -> str:
        return f"Phase {self.number}"
