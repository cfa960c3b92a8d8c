"""Corrections of who a patient is: name, number and birth date, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction

from dispensary import audit, policies
from dispensary.actions import namesakes
from dispensary.actions.identity import number_taken, require_free_number, save_former_identity, write_search_keys
from dispensary.actions.locks import lock_patient
from dispensary.actions.patients import read_facts
from dispensary.actions.summaries import follow_therapy
from dispensary.actors import Actor
from dispensary.audit import Event
from dispensary.errors import InvalidInput, Problem
from dispensary.models import CorrectionReason, Patient
from dispensary.text import clean_line

IDENTITY = {
    "identifier": 64,
    "identifier_system": 255,
    "family_name": 120,
    "given_name": 120,
    "printed_name": 80,
    "birth_date": 10,
}
"""The fields that say who a patient is, with the characters that each may have."""
_OPTIONAL = {"identifier_system", "given_name", "printed_name"}


@transaction.atomic
def correct_identity(
    *,
    patient: Patient,
    changes: Mapping[str, Any],
    reason: str = CorrectionReason.RECORDED_WRONGLY,
    words: str = "",
    version: int | None = None,
    by: Actor,
    now: datetime,
) -> Patient:
    """Correct name, number or birth date; the old and the new value, reason and `words` stand in the log.

    `changes` holds any of `IDENTITY`; a birth date is a date or ISO text. What the record said before stays with it: it is
    still searched for and accepted in orders. The same values again are no change. Raises `Conflict` when the number is
    taken, `Stale` when the record is not the `version` the caller saw, `InvalidInput` for what cannot be a name or number.
    """
    policies.require(policies.may_receive(by), by, "correct who a patient is", "a technician or pharmacist")
    policies.require_same_pharmacy(by, patient.pharmacy_id)
    if reason not in (CorrectionReason.RECORDED_WRONGLY, CorrectionReason.CHANGED):
        raise InvalidInput(
            "There is no such reason for a correction.",
            Problem("reason", str(reason)[:16], f"{CorrectionReason.RECORDED_WRONGLY} or {CorrectionReason.CHANGED}"),
        )
    explanation = clean_line(words, "words", longest=250, required=False)
    values = {name: _clean(name, value, patient.pharmacy.local_day(now)) for name, value in changes.items()}
    locked = lock_patient(patient, version)
    changed = {
        name: {"from": getattr(locked, name), "to": value}
        for name, value in values.items()
        if getattr(locked, name) != value
    }
    if not changed:
        return locked
    if changed.keys() != {"printed_name"}:
        save_former_identity(locked, locked, reason, now)
    for name, change in changed.items():
        setattr(locked, name, change["to"])
    if changed.keys() & {"identifier", "identifier_system"}:
        require_free_number(locked)
    locked.version += 1
    try:
        with transaction.atomic():
            locked.save(update_fields=[*changed, "version"])
    except IntegrityError as error:
        raise number_taken() from error
    write_search_keys(locked)
    noticed = namesakes.notice(patient=locked, by=by, now=now)
    audit.record(
        Event.PATIENT_CORRECTED,
        pharmacy=locked.pharmacy,
        by=by,
        now=now,
        subject=locked,
        patient=locked,
        reason_code=str(reason),
        body={"changed": changed, "words": explanation} | noticed,
    )
    if "birth_date" in changed:
        follow_therapy(patient_id=locked.pk, by=by, now=now)
    return locked


def _clean(name: str, value: Any, on: date) -> Any:
    if name not in IDENTITY:
        problem = Problem(f"patient.{name[:32]}", "a field", f"one of {', '.join(IDENTITY)}")
        raise InvalidInput("This is no part of a patient's identity.", problem)
    if name != "birth_date":
        return clean_line(value, f"patient.{name}", longest=IDENTITY[name], required=name not in _OPTIONAL)
    text = value.isoformat() if isinstance(value, date) else value
    born = read_facts({"birth_date": text}, on)["birth_date"]
    if born is None:
        raise InvalidInput("The birth date is missing.", Problem("patient.birth_date", "nothing", "a full date"))
    return date.fromisoformat(born)
