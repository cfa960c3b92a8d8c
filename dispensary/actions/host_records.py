"""The site's own record of a patient, which fills what neither an order nor the record here says: the setting `patient_resolver`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.module_loading import import_string

from dispensary.actions import patients
from dispensary.actions.identity import compare_person, compare_stated, problems_of
from dispensary.actions.matching import BORN_IN, IDENTITY_FACTS, match_patient
from dispensary.actors import Actor
from dispensary.conf import conf
from dispensary.errors import Conflict, InvalidInput
from dispensary.models import Patient, Pharmacy

log = logging.getLogger(__name__)

NAMES = ("family_name", "given_name", "language", "time_zone", *IDENTITY_FACTS)
UNUSED = "nothing was taken from it; ask the patient for what is not known"


@dataclass(frozen=True, slots=True)
class HostRecord:
    """A person as the site's own record has them."""

    person: Mapping[str, Any] = field(default_factory=dict)
    """Some of `NAMES`."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Clinical facts, as in the case format."""
    notes: tuple[str, ...] = ()
    """Why it says nothing, where it ought to."""


def read_number(patient: Patient | Mapping[str, Any]) -> tuple[str, str]:
    """Return the system and the number of a patient as recorded, or as an order states them."""
    if isinstance(patient, Patient):
        return patient.identifier_system, patient.identifier
    return str(patient.get("identifier_system") or "").strip(), str(patient.get("identifier") or "").strip()


def find_host_record(system: str, number: str) -> HostRecord:
    """Return the site's own record of the person with this number and system; an empty one without a resolver, or where it has none.

    A resolver that breaks loses no order: the record then has a note.
    """
    if not conf().patient_resolver:
        return HostRecord()
    try:
        with transaction.atomic():
            answer = import_string(conf().patient_resolver)(system=system, identifier=number)
            answer = {} if answer is None else dict(answer)
            facts = {name: value for name, value in dict(answer.pop("facts", {})).items() if name not in IDENTITY_FACTS}
            unknown = sorted(answer.keys() - set(NAMES))
            if unknown:
                raise KeyError(unknown[0])
    except Exception as error:  # whatever the site's own code raises; its words may name a patient
        log.error("The patient_resolver failed: %s.", type(error).__name__)
        return HostRecord(notes=(f"patient: the site's own record did not answer; {UNUSED}",))
    return HostRecord({name: value for name, value in answer.items() if value not in (None, "")}, facts)


def complete_person(
    stated: Patient | Mapping[str, Any], facts: Mapping[str, Any], record: HostRecord, pharmacy: Pharmacy
) -> Patient | Mapping[str, Any]:
    """Return whom an order states, with what the site's own record says beyond that.

    Raises `Conflict` where the two are of different people: one of them may have a name that our patient had before.
    """
    if isinstance(stated, Patient):
        return stated
    whole = {**stated, **{name: facts[name] for name in IDENTITY_FACTS if facts.get(name) is not None}}
    born_in = {"birth_date": stated[BORN_IN]} if stated.get(BORN_IN) else {}
    if problems := problems_of(compare_stated(record.person, born_in | whole)):
        system, number = read_number(stated)
        rows = Patient.objects.filter(pharmacy=pharmacy, identifier=number, identifier_system=system)
        patient = rows.select_related("joined_to").first()
        if patient is not None and not any(
            problems_of(compare_person(patient.joined_to or patient, person))
            for person in (record.person, born_in | whole)
        ):
            return stated
        raise Conflict(
            "This number is another person's in the site's own record. Check whom the order is for.", *problems
        )
    return {**stated, **{name: value for name, value in record.person.items() if whole.get(name) in (None, "")}}


def fill_facts(patient: Patient, record: HostRecord, by: Actor, now: datetime) -> tuple[Patient, list[str]]:
    """Record what the site's own record knows and ours does not; returns notes on what differs. The caller holds the transaction."""
    if problems_of(compare_person(patient, record.person)):
        return patient, [f"patient: the site's own record has another person under this number; {UNUSED}"]
    if not record.facts:
        return patient, []
    try:
        facts = patients.read_facts(record.facts, patient.pharmacy.local_day(now))
        with transaction.atomic():
            return match_patient(
                patient,
                facts,
                fills_only=True,
                source="the site's own record",
                pharmacy=patient.pharmacy,
                by=by,
                now=now,
            )
    except InvalidInput as error:
        places = ", ".join(problem.field for problem in error.problems) or "a fact"
        log.error("The patient_resolver gave %s in a form that cannot be read.", places)
        return patient, [f"{places}: the site's own record has it in a form that cannot be read; {UNUSED}"]
