"""Patients: register them, record facts and history, note who read the record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model

from baclofen_rules.facts import FACTS, Kind, PatientFacts
from baclofen_rules.rulebook import rulebook
from baclofen_rules.rules import implausible_fact
from baclofen_rules.text import format_amount
from dispensary import audit, policies
from dispensary.actions import namesakes
from dispensary.actions.identity import number_body, number_taken, require_free_number, write_search_keys
from dispensary.actions.locks import lock_patient
from dispensary.actions.summaries import follow_therapy
from dispensary.actors import Actor, Role
from dispensary.assessment import INPUT_FORMAT, facts_document, profile_of, read_case
from dispensary.audit import Event
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.models import Language, Patient, Pharmacy, PriorSupply, Sex
from dispensary.models.pharmacy import validate_time_zone
from dispensary.models.reminders import Withdrawal
from dispensary.reminders import reach
from dispensary.statements import remember_related
from dispensary.text import clean_line


@transaction.atomic
def register(
    *,
    pharmacy: Pharmacy,
    identifier: str,
    identifier_system: str = "",
    family_name: str,
    given_name: str = "",
    language: str = "",
    time_zone: str = "",
    facts: Mapping[str, Any] | None = None,
    other_than: Collection[UUID] = (),
    by: Actor,
    now: datetime,
) -> Patient:
    """Make a patient known to the pharmacy, with the facts known so far.

    `facts` are the patient facts of the case format; what is absent is unknown. `identifier_system` is the system of the
    number, "" for the pharmacy's own. `other_than` are ids of records that may seem to be of this person and are of other
    people; about every other such record a question is opened. Raises `Conflict` when the number is taken, also by a person
    recorded with it under another system who does not differ; `InvalidInput` when a fact cannot be read.
    """
    policies.require(policies.may_receive(by), by, "register a patient", "a technician or pharmacist")
    policies.require_same_pharmacy(by, pharmacy.pk)
    patient = Patient(
        pharmacy=pharmacy,
        identifier=clean_line(identifier, "patient.identifier", longest=64),
        identifier_system=clean_line(identifier_system, "patient.identifier_system", longest=255, required=False),
        family_name=clean_line(family_name, "patient.family_name", longest=120),
        given_name=clean_line(given_name, "patient.given_name", longest=120, required=False),
        language=_check_language(language or pharmacy.language),
        time_zone=_check_time_zone(time_zone),
    )
    if facts:
        _set_facts(patient, facts, now)
    require_free_number(patient)
    try:
        with transaction.atomic():
            patient.save(force_insert=True)
    except IntegrityError as error:
        raise number_taken() from error
    remember_related(patient, "former_identities", [])
    write_search_keys(patient)
    noticed = namesakes.notice(patient=patient, other_than=other_than, by=by, now=now)
    audit.record(
        Event.PATIENT_REGISTERED,
        pharmacy=pharmacy,
        by=by,
        now=now,
        subject=patient,
        patient=patient,
        body=number_body(patient) | {"facts": facts_document(patient)} | noticed,
    )
    return patient


@transaction.atomic
def remember_system(*, patient: Patient, system: str, by: Actor, now: datetime) -> Patient:
    """Add the system to a number that was recorded without one. Raises `Conflict` when it has another by now."""
    policies.require(policies.may_receive(by), by, "change a patient's number", "a technician or pharmacist")
    policies.require_same_pharmacy(by, patient.pharmacy_id)
    locked = lock_patient(patient)
    if locked.identifier_system:
        raise Conflict("The patient's number was changed meanwhile. Send the order again.")
    locked.identifier_system = clean_line(system, "patient.identifier_system", longest=255)
    locked.version += 1
    locked.save(update_fields=["identifier_system", "version"])
    changed = {"identifier_system": {"from": "", "to": locked.identifier_system}}
    _record_change(locked, {"changed": changed}, by, now)
    return locked


@transaction.atomic
def update_facts(
    *,
    patient: Patient,
    changes: Mapping[str, Any],
    language: str | None = None,
    time_zone: str | None = None,
    not_known: Collection[str] = (),
    version: int | None = None,
    by: Actor,
    now: datetime,
) -> Patient:
    """Record new facts; a fact given as null becomes unknown again. The old and the new value stand in the log.

    `not_known` names facts that were asked today and that nobody knows; they are not asked again for a while.
    `language` is that of the messages; `time_zone` is where the patient lives, an IANA name or empty for the pharmacy's:
    what is owed is planned again with it, in this transaction. `version` is the one the caller saw: raises `Stale` when
    it was changed meanwhile.
    """
    policies.require(policies.may_receive(by), by, "change a patient's facts", "a technician or pharmacist")
    policies.require_same_pharmacy(by, patient.pharmacy_id)
    locked = lock_patient(patient, version)
    before = facts_document(locked) | _message_settings(locked)
    if changes or not_known:
        _set_facts(locked, changes, now, not_known)
    locked.language = locked.language if language is None else _check_language(language)
    locked.time_zone = locked.time_zone if time_zone is None else _check_time_zone(time_zone)
    after = facts_document(locked) | _message_settings(locked)
    changed = {name: {"from": before[name], "to": after[name]} for name in after if before[name] != after[name]}
    locked.version += 1
    locked.save()
    noticed = namesakes.notice(patient=locked, by=by, now=now) if "birth_date" in changed else {}
    asked = {"not_known": sorted(not_known)} if not_known else {}
    _record_change(locked, {"changed": changed} | asked | noticed, by, now)
    if changed.keys() - {"language"} or not_known:
        follow_therapy(patient_id=locked.pk, by=by, now=now)
    if changed.keys() & {"language", "time_zone"}:
        reach.take_back_leases(locked.pk)
    return locked


@transaction.atomic
def choose_language(*, patient: Patient, language: str, by: Actor, now: datetime) -> Patient:
    """Set the language of a patient's messages, as the patient chose. The same again is no change."""
    policies.require(
        policies.may_send_reminders(by) or by.role == Role.PATIENT, by, "choose the language", "staff at the counter"
    )
    policies.require_same_pharmacy(by, patient.pharmacy_id)
    locked = lock_patient(patient)
    chosen = _check_language(language)
    if chosen == locked.language:
        return locked
    changed = {"language": {"from": locked.language, "to": chosen}}
    locked.language = chosen
    locked.version += 1
    locked.save(update_fields=["language", "version"])
    _record_change(locked, {"changed": changed}, by, now)
    reach.take_back_leases(locked.pk)
    return locked


def _record_change(patient: Patient, body: Mapping[str, Any], by: Actor, now: datetime) -> None:
    audit.record(
        Event.PATIENT_CHANGED,
        pharmacy=patient.pharmacy,
        by=by,
        now=now,
        subject=patient,
        patient=patient,
        body=body,
    )


def _message_settings(patient: Patient) -> dict[str, Any]:
    return {"language": patient.language, "time_zone": patient.time_zone}


@transaction.atomic
def record_history(
    *, patient: Patient, supplies: Iterable[Mapping[str, Any]], by: Actor, now: datetime
) -> list[PriorSupply]:
    """Record supplies made elsewhere, as `history` of the case format. One already recorded is skipped."""
    policies.require(policies.may_receive(by), by, "record earlier supplies", "a technician or pharmacist")
    policies.require_same_pharmacy(by, patient.pharmacy_id)
    rows = [_prior_supply(patient, supply, now) for supply in supplies]
    new = [row for row in rows if not _is_recorded(row)]
    for row in new:
        row.save(force_insert=True)
    if new:
        audit.record(
            Event.SUPPLY_NOTED,
            pharmacy=patient.pharmacy,
            by=by,
            now=now,
            subject=patient,
            patient=patient,
            body={"prior_supplies": [_supply_body(row) for row in new]},
        )
        follow_therapy(patient_id=patient.pk, reason=Withdrawal.SUPPLY_RECORDED, by=by, now=now)
    return new


@transaction.atomic
def record_death(*, patient: Patient, died_on: date, by: Actor, now: datetime) -> Patient:
    """Record that a patient has died: nothing is dispensed any more, and no message is sent."""
    policies.require(policies.may_end(by), by, "record a death", "a pharmacist")
    policies.require_same_pharmacy(by, patient.pharmacy_id)
    locked = lock_patient(patient)
    if died_on > locked.pharmacy.local_day(now):
        raise InvalidInput("The date lies in the future.", Problem("died_on", died_on.isoformat(), "a day up to today"))
    locked.died_on = died_on
    locked.version += 1
    locked.save(update_fields=["died_on", "version"])
    follow_therapy(patient_id=locked.pk, reason=Withdrawal.PATIENT_DIED, by=by, now=now)
    _record_change(locked, {"died_on": died_on}, by, now)
    return locked


@transaction.atomic
def record_opening(*, patient: Patient, part: Model | None = None, by: Actor, now: datetime) -> None:
    """Record in the log that a patient's record was read, or one part of it: a review, a dispense, an answer."""
    policies.require_same_pharmacy(by, patient.pharmacy_id)
    event_body = {} if part is None else {"part": part._meta.model_name, "id": part.pk}
    audit.record(
        Event.PATIENT_OPENED,
        pharmacy=patient.pharmacy_id,
        by=by,
        now=now,
        subject=patient,
        patient=patient,
        body=event_body,
    )


@transaction.atomic
def record_search(*, pharmacy: Pharmacy, words: str, count: int, by: Actor, now: datetime) -> None:
    """Record a search for patients in the log, with its words and how many were shown."""
    policies.require_same_pharmacy(by, pharmacy.pk)
    audit.record(
        Event.PATIENT_SEARCHED,
        pharmacy=pharmacy,
        by=by,
        now=now,
        subject=pharmacy,
        body={"words": words[:200], "found": count},
    )


def read_facts(facts: Mapping[str, Any], on: date) -> dict[str, Any]:
    """Return the facts named, each as the rule book reads it on this day. Raises `InvalidInput` with the path of one it cannot read."""
    unknown = sorted(set(facts) - set(FACTS))
    if unknown:
        raise InvalidInput(
            f"There is no fact called {unknown[0]!r}.",
            Problem(f"patient.{unknown[0]}", "a field", f"one of {', '.join(FACTS)}"),
        )
    document = {"format": INPUT_FORMAT, "on": on.isoformat(), "action": "discontinue", "patient": dict(facts)}
    case = read_case(document).to_json()["patient"]
    return {name: case.get(name) for name in facts}


def _set_facts(patient: Patient, facts: Mapping[str, Any], now: datetime, not_known: Collection[str] = ()) -> None:
    """Check the facts as the rule book would, then store what it read.

    A measured fact that changes loses the day on which it was measured, unless that is given too. A fact that is the same as
    before keeps the day from which it stands in the record; one that becomes unknown has none, until it is asked.
    """
    today = patient.pharmacy.local_day(now)
    values = read_facts({**dict.fromkeys(not_known), **facts}, today)
    for fact in FACTS.values():
        if fact.day_of in values and _column_value(Kind.AMOUNT, values[fact.day_of]) != getattr(patient, fact.day_of):
            values.setdefault(fact.name, None)
    for name, value in values.items():
        column_value = _column_value(FACTS[name].kind, value)
        if value is None and name not in not_known:
            if column_value != getattr(patient, name):
                patient.recorded_on.pop(name, None)
        elif name in not_known or column_value != getattr(patient, name) or name not in patient.recorded_on:
            patient.recorded_on[name] = today.isoformat()
        setattr(patient, name, column_value)
    if values.keys() & {"weight_kg", "birth_date"}:
        _refuse_impossible_weight(patient, today)
    patient.facts_at = now


def _refuse_impossible_weight(patient: Patient, on: date) -> None:
    profile = profile_of(patient.pharmacy, on)
    age = PatientFacts(birth_date=patient.birth_date).age_on(on)
    possible = implausible_fact.possible_weights(
        age, rulebook(profile, profile.on or on).limits_of(implausible_fact.RULE)
    )
    if patient.weight_kg is None or possible is None or possible[0] <= patient.weight_kg <= possible[1]:
        return
    least, most = map(format_amount, possible)
    raise InvalidInput(
        "The weight is not possible at this age.",
        Problem(
            "patient.weight_kg",
            f"{format_amount(patient.weight_kg)} kg at {age} years",
            f"a weight from {least} to {most} kg",
            "Look at the unit (pounds?), the decimal point and the birth date.",
        ),
    )


def _column_value(kind: Kind, value: Any) -> Any:
    if kind is Kind.SEX:
        return value or Sex.UNKNOWN
    if kind is Kind.INDICATION:
        return value or ""
    if value is not None and kind in {Kind.BIRTH_DATE, Kind.DAY}:
        return date.fromisoformat(value)
    return Decimal(value) if value is not None and kind is Kind.AMOUNT else value


def _prior_supply(patient: Patient, supply: Mapping[str, Any], now: datetime) -> PriorSupply:
    document = {
        "format": INPUT_FORMAT,
        "on": patient.pharmacy.local_day(now).isoformat(),
        "action": "discontinue",
        "patient": {},
        "history": [dict(supply)],
    }
    (fill,) = read_case(document).to_json()["history"]
    return PriorSupply(
        patient=patient,
        dispensed_on=date.fromisoformat(fill["dispensed_on"]),
        doses=[Decimal(str(dose)) for dose in fill["doses"]],
        strength_mg=None if fill.get("strength_mg") is None else Decimal(str(fill["strength_mg"])),
        days_supply=int(fill["days_supply"]),
        dose_since=None if fill.get("dose_since") is None else date.fromisoformat(fill["dose_since"]),
        relation=fill["relation"],
        recorded_at=now,
    )


def _is_recorded(row: PriorSupply) -> bool:
    return PriorSupply.objects.filter(
        patient=row.patient,
        dispensed_on=row.dispensed_on,
        relation=row.relation,
        doses=row.doses,
        days_supply=row.days_supply,
    ).exists()


def _supply_body(row: PriorSupply) -> dict[str, Any]:
    return {
        "id": row.pk,
        "dispensed_on": row.dispensed_on,
        "doses": list(row.doses),
        "strength_mg": row.strength_mg,
        "days_supply": row.days_supply,
        "dose_since": row.dose_since,
        "relation": row.relation,
    }


def _check_language(code: str) -> str:
    if code not in Language.values:
        raise InvalidInput(
            "There are no messages in this language.",
            Problem("language", code[:8], f"one of {', '.join(Language.values)}"),
        )
    return code


def _check_time_zone(name: str) -> str:
    if name:
        try:
            validate_time_zone(name)
        except ValidationError as error:
            raise InvalidInput(
                "The time zone is not known.", Problem("time_zone", name[:64], "a zone such as Europe/London")
            ) from error
    return name
