"""Locks in one order: the patient's row, then the order's, so that two counters cannot deadlock."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

from dispensary.models import Patient, Prescription


def lock(prescription: Prescription) -> Prescription:
    """Lock the patient's row, then the order's, until the transaction ends. Returns the order as it is now."""
    Patient.objects.select_for_update().only("pk").get(pk=prescription.patient_id)
    return (
        Prescription.objects.select_for_update(of=("self",))
        .select_related("pharmacy", "patient", "patient__pharmacy", "prescriber")
        .get(pk=prescription.pk)
    )


def lock_identifiers(pharmacy_id: UUID, identifiers: Iterable[tuple[str, str]]) -> None:
    """Lock business identifiers of orders, known here or not, until the transaction ends: one message about each at a time."""
    with connection.cursor() as cursor:
        for system, value in sorted(set(identifiers)):
            key = f"prescription {pharmacy_id} {system} {value}"
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
