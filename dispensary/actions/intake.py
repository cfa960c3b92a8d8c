"""A whole order as a door hears it: find or make known whom it is for and who wrote it, then take it in. All or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import transaction

from dispensary import policies
from dispensary.actions import patients, prescriptions
from dispensary.actions.prescriptions import Received
from dispensary.actors import Actor
from dispensary.assessment import local_day
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.models import Patient, Pharmacy, Prescriber, Prescription, Source


@dataclass(frozen=True, slots=True)
class Intake:
    """What came in, in the words of the case format and of `patients.register`."""

    patient: Patient | Mapping[str, Any]
    """One of the pharmacy's, or identifier, family_name, given_name, language, time_zone, birth_date, sex."""
    prescriber: Prescriber | Mapping[str, Any]
    """One of the pharmacy's, or identifier, name, phone, organisation."""
    order: Mapping[str, Any]
    source: Source
    document: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    replaces: Prescription | None = None
    valid_until: date | None = None
    notes: Sequence[str] = ()
    """How something unusual in the document was read."""


@transaction.atomic
def take_in(intake: Intake, *, pharmacy: Pharmacy, by: Actor, now: datetime) -> Received:
    """Register who is new, record facts and earlier supplies, take the order in.

    A patient is found by the pharmacy's own number. Raises `Conflict` when that number belongs to a person of another
    name or birth date, and whatever `patients` and `prescriptions` raise.
    """
    policies.require(policies.may_receive(by), by, "take in a prescription", "a technician or pharmacist")
    if intake.valid_until is not None and intake.valid_until < local_day(pharmacy, now):
        problem = Problem(
            "valid_until", intake.valid_until.isoformat(), "a day that has not passed", "Ask for a new order."
        )
        raise InvalidInput("The order is no longer valid.", problem)
    patient = _patient(intake, pharmacy, by, now)
    patients.record_history(patient=patient, supplies=intake.history, by=by, now=now)
    return prescriptions.receive(
        pharmacy=pharmacy,
        patient=patient,
        prescriber=_prescriber(intake.prescriber, pharmacy, by, now),
        order=intake.order,
        source=intake.source,
        document=intake.document,
        replaces=intake.replaces,
        notes=intake.notes,
        by=by,
        now=now,
    )


def _patient(intake: Intake, pharmacy: Pharmacy, by: Actor, now: datetime) -> Patient:
    facts = {name: value for name, value in intake.facts.items() if value is not None}
    if isinstance(intake.patient, Patient):
        return _with_facts(intake.patient, facts, by, now)
    told = dict(intake.patient)
    identity = {name: told.pop(name) for name in ("birth_date", "sex") if told.get(name) is not None}
    for name, value in identity.items():
        if facts.setdefault(name, value) != value:
            raise InvalidInput(
                f"The patient's {name} is given twice and differs.",
                Problem(f"patient.{name}", "two values", "the same as in the case", "Send it once."),
            )
    known = Patient.objects.filter(pharmacy=pharmacy, identifier=str(told["identifier"]).strip()).first()
    if known is None:
        return patients.register(pharmacy=pharmacy, facts=facts, by=by, now=now, **_named(told, "family_name"))
    _check_same_person(known, told, facts)
    return _with_facts(known, facts, by, now)


def _with_facts(patient: Patient, facts: Mapping[str, Any], by: Actor, now: datetime) -> Patient:
    return patients.update_facts(patient=patient, changes=facts, by=by, now=now) if facts else patient


def _check_same_person(known: Patient, told: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """A number alone must never lead to somebody else's record."""
    family, born = told.get("family_name"), facts.get("birth_date")
    problems = []
    if family and str(family).strip().casefold() != known.family_name.casefold():
        problems.append(Problem("patient.family_name", "another name", "the name recorded with this number"))
    if born and known.birth_date and str(born) != known.birth_date.isoformat():
        problems.append(Problem("patient.birth_date", "another date", "the birth date recorded with this number"))
    if problems:
        raise Conflict("This number belongs to another person here. Check whom the order is for.", *problems)


def _prescriber(given: Prescriber | Mapping[str, Any], pharmacy: Pharmacy, by: Actor, now: datetime) -> Prescriber:
    if isinstance(given, Prescriber):
        return given
    if not given.get("name"):
        known = Prescriber.objects.filter(pharmacy=pharmacy, identifier=str(given["identifier"]).strip()).first()
        if known is None:
            problem = Problem("prescriber.identifier", "a number unknown here", "a prescriber with a name")
            raise InvalidInput("There is no prescriber with this number here.", problem)
        return known
    return patients.register_prescriber(pharmacy=pharmacy, by=by, now=now, **given)


def _named(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    if not told.get(name):
        problem = Problem("patient.identifier", "a number unknown here", "the patient's name beside it")
        raise InvalidInput("There is no patient with this number here.", problem)
    return dict(told)
