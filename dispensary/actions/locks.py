"""One order of locks for everybody: the patient's row, then the order's, so that no two counters wait for each other."""

from __future__ import annotations

from dispensary.models import Patient, Prescription


def lock(prescription: Prescription) -> Prescription:
    """The patient's row, then the order's, held until the transaction ends. Gives the order as it is now."""
    Patient.objects.select_for_update().only("pk").get(pk=prescription.patient_id)
    return (
        Prescription.objects.select_for_update(of=("self",))
        .select_related("pharmacy", "patient", "patient__pharmacy", "prescriber")
        .get(pk=prescription.pk)
    )
