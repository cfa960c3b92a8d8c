"""The record of another pharmacy's patient in an emergency: opened with a reason, in the logs of both, reviewed the next day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from baclofen_rules.therapy import Day
from dispensary import audit, policies
from dispensary.actors import Actor
from dispensary.assessment import therapy_of
from dispensary.audit import Event, Subject
from dispensary.errors import InvalidInput, Problem
from dispensary.models import Dispense, Patient
from dispensary.text import clean_line

SHORTEST_REASON = 10
MOST = 5
"""Records shown at once; more than that is no emergency of one patient."""
LAST_SUPPLIES = 5
"""Supplies that an emergency asks for."""


def open_records(*, family_name: str, birth_date: date, reason: str, by: Actor, now: datetime) -> list[Patient]:
    """Return the patients of other pharmacies with this family name and birth date; each opening is recorded before it is shown.

    The log of the patient's pharmacy has it and that of the person's own, which has a search without a result, too. Raises `NotAllowed`
    for who is no pharmacist, `InvalidInput` without a reason.
    """
    policies.require(policies.may_override(by), by, "open a record of another pharmacy", "a pharmacist")
    words = clean_line(reason, "reason", longest=250)
    if len(words) < SHORTEST_REASON:
        raise InvalidInput("The reason is too short.", Problem("reason", "too little", "what the emergency is"))
    name = clean_line(family_name, "family_name", longest=120)
    rows = (
        Patient.objects.filter(family_name__iexact=name, birth_date=birth_date, joined_to=None)
        .exclude(pharmacy_id=by.pharmacy_id)
        .select_related("pharmacy")
        .order_by("pharmacy_id", "pk")
    )
    patients = list(rows[:MOST])
    for patient in patients:
        with transaction.atomic():
            audit.record(
                Event.RECORD_BROKEN_INTO, pharmacy=patient.pharmacy, by=by, now=now, subject=patient, patient=patient,
                body={"reason": words},
            )  # fmt: skip
    with transaction.atomic():
        audit.record(
            Event.RECORD_BROKEN_INTO,
            pharmacy=by.pharmacy_id,
            by=by,
            now=now,
            subject=Subject("search", "other pharmacies"),
            body={"reason": words, "patients": [patient.pk for patient in patients]},
        )
    return patients


@dataclass(frozen=True, slots=True)
class EmergencyRecord:
    """What an emergency asks of a record: the day's dose and the last supplies, newest first."""

    patient: Patient
    day: Day
    dispenses: list[Dispense]


def read_emergency(patient: Patient, *, now: datetime) -> EmergencyRecord:
    """Return what an emergency asks of a patient's record, as of their pharmacy's day."""
    today = patient.pharmacy.local_day(now)
    dispenses = Dispense.objects.filter(prescription__patient=patient).select_related("product")
    return EmergencyRecord(patient, therapy_of(patient, today).day(today), list(dispenses[:LAST_SUPPLIES]))
