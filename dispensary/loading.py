"""The record of a patient, read once for everything that asks it."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from django.db.models import Prefetch, prefetch_related_objects

from dispensary.models import Dispense, DispenseStatus, Patient, Prescription

OF_A_PATIENT: tuple[str | Prefetch[str], ...] = (
    Prefetch("prescriptions", Prescription.objects.select_related("prescriber")),
    "prescriptions__phases",
    "dispenses",
    "prior_supplies",
    "decisions",
)
"""What the record of a patient is made of, to prefetch for many patients at once."""


def read_record(patient: Patient) -> dict[UUID, Prescription]:
    """Read everything that the record of one patient is made of, once for all that asks it. Returns the orders by key."""
    prefetch_related_objects([patient], *OF_A_PATIENT)
    for row in patient.prescriptions.all():
        row.pharmacy = patient.pharmacy
    return {row.pk: row for row in patient.prescriptions.all()}


def read_again(patient: Patient, *names: str) -> None:
    """Read parts of a record that were written since: `dispenses`, `decisions`, `prescriptions`."""
    patient.refresh_from_db(fields=names)  # forgets what was read of them, and reads no column
    read_record(patient)


def handed_over_on(order: Prescription) -> list[Dispense]:
    """Return the hand-overs on an order out of the record of its patient, cancelled ones included."""
    return [row for row in order.patient.dispenses.all() if row.prescription_id == order.pk]


def remaining_on(order: Prescription) -> Decimal | None:
    """Return the tablets that may still be handed over, as the record of its patient has it; None without a quantity."""
    completed = [row.quantity for row in handed_over_on(order) if row.status == DispenseStatus.COMPLETED]
    return order.remaining(sum(completed, Decimal(0)))
