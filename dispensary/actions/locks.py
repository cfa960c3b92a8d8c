"""Locks in one order: the patient's row, then their birth date or the order's row, so that two counters cannot deadlock."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from uuid import UUID

from django.db import connection

from dispensary.errors import Conflict, Problem, Stale
from dispensary.loading import Record, read_record
from dispensary.models import Patient, Prescription, PrescriptionStatus
from dispensary.statements import run

_LOCK_ORDERS = """
    WITH person AS MATERIALIZED (SELECT id FROM dispensary_patient WHERE id = %(patient)s FOR NO KEY UPDATE)
    SELECT o.id FROM person JOIN dispensary_prescription o ON o.patient_id = person.id
    WHERE o.id = ANY(%(orders)s::uuid[]) ORDER BY o.id FOR UPDATE OF o"""


def lock(prescription: Prescription) -> Prescription:
    """Lock the patient's row, then the order's, until the transaction ends. Returns the order as it is now."""
    Patient.objects.select_for_update().only("pk").get(pk=prescription.patient_id)
    return (
        Prescription.objects.select_for_update(of=("self",))
        .select_related("pharmacy", "patient", "patient__pharmacy", "prescriber")
        .get(pk=prescription.pk)
    )


def lock_record(patient_id: UUID, order_ids: Collection[UUID], gtins: Collection[str] = ()) -> Record:
    """Lock as `lock` does, and return everything that is recorded of the patient. Raises `Stale` where the orders are not the patient's."""
    # The rows of the record are read by a statement of its own: it sees what was committed while this one waited.
    locked = run(_LOCK_ORDERS, {"patient": patient_id, "orders": list(order_ids)})
    if len(locked) != len(set(order_ids)):
        raise Stale("The prescription was changed meanwhile. Load it again and repeat your change.")
    return read_record(patient_id, gtins=gtins)


def lock_with_status(prescription: Prescription, version: int | None, *statuses: PrescriptionStatus) -> Prescription:
    """Lock an order as `lock` does. Raises `Stale` on another version, `Conflict` where it has none of the statuses."""
    locked = lock(prescription)
    if version is not None and locked.version != version:
        raise Stale("The prescription was changed meanwhile. Load it again and repeat your change.")
    if locked.status not in statuses:
        raise Conflict(f"The prescription is {locked.standing}.")
    return locked


def lock_patient(patient: Patient, version: int | None = None) -> Patient:
    """Lock the patient's row until the transaction ends. Returns the patient as they are recorded now.

    Raises `Stale` on another version, `Conflict` for a record that was joined to another.
    """
    # Rows that refer to the patient may be written meanwhile: a namesake is noted under the lock of their birth date.
    locked = Patient.objects.locked().get(pk=patient.pk)
    if version is not None and locked.version != version:
        raise Stale("The patient's record was changed meanwhile. Load it again and repeat your change.")
    if locked.joined_to_id is not None:
        problem = Problem("patient", "a record that is no longer used", f"the record {locked.joined_to_id}")
        raise Conflict("This record was joined to another of the same person.", problem)
    return locked


def lock_birth_date(pharmacy_id: UUID, born_on: date) -> None:
    """Lock a birth date until the transaction ends, so that two records of one person cannot miss each other."""
    _lock_text(f"born {pharmacy_id} {born_on}")


def lock_number(pharmacy_id: UUID, key: str) -> None:
    """Lock a patient's number as it is searched for until the transaction ends, so that two ways to write it cannot miss each other."""
    _lock_text(f"number {pharmacy_id} {key}")


def lock_prescriber_number(pharmacy_id: UUID, key: str) -> None:
    """Lock a prescriber's number as it is searched for until the transaction ends, so that nobody is registered twice under it."""
    _lock_text(f"prescriber {pharmacy_id} {key}")


def lock_identifiers(pharmacy_id: UUID, identifiers: Iterable[tuple[str, str]]) -> None:
    """Lock business identifiers of orders, known here or not, until the transaction ends: one message about each at a time."""
    for system, value in sorted(set(identifiers)):
        _lock_text(f"prescription {pharmacy_id} {system} {value}")


def _lock_text(key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
