"""Facts of a patient from the resources that came with an order: conditions, allergies, medicines, observations.

What a resource says is read, or noted with its path; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from baclofen_rules.facts import FACTS, Indication
from baclofen_rules.indications import choose_use, read_uses
from baclofen_rules.medicines import names_own_medicine, own_medicine
from baclofen_rules.products import Identity, OrderedMedicine, identify
from dispensary.fhir.elements import (
    Inquiry,
    as_amount,
    as_day,
    as_object,
    as_objects,
    as_text,
    read_codings,
    read_words,
)
from dispensary.fhir.medicine import ATC
from dispensary.fhir.resources import name_contained
from dispensary.fhir.units import SNOMED, UCUM

Resources = Sequence[tuple[str, Mapping[str, Any]]]
"""Resources with their FHIRPaths."""
Medications = Mapping[str, Mapping[str, Any]]
"""Medications that came along, by the reference to each."""
_NONE: Medications = {}
LOINC = "http://loinc.org"
WEIGHT = frozenset({"29463-7", "3141-9"})
EGFR = frozenset(
    {"33914-3", "48642-3", "48643-1", "50210-4", "62238-1", "69405-9", "77147-7", "88293-6", "88294-4", "98979-8"}
)
"""eGFR for 1.73 m² of body surface by the formulas in use (MDRD, CKD-EPI of 2009 and 2021, cystatin C). [K]"""
PREGNANCY = frozenset({"82810-3"})
_PREGNANT = {
    (LOINC, "LA15173-0"): True, (LOINC, "LA26683-5"): False, (SNOMED, "77386006"): True, (SNOMED, "60001007"): False,
}  # fmt: skip
_KG = {"kg": Decimal(1), "g": Decimal("0.001"), "[lb_av]": Decimal("0.45359237")}
_EGFR_UNITS = {
    "mL/min/{1.73_m2}",
    "mL/min/1.73.m2",
    "mL/min/1.73m2",
    "ml/min/1.73m2",
    "mL/min/1.73m^2",
    "mL/min/1.73 m2",
}
_ENDED = frozenset({"inactive", "resolved", "remission"})
_UNTRUE = frozenset({"entered-in-error", "refuted"})
_FINAL = frozenset({"final", "amended", "corrected"})
NOT_SENT = "a medicine that was not sent"
"""The name of a medicine in the case of which only a reference came: the rules say that it was not classified."""
_TAKEN = frozenset({"active", "intended", "on-hold", "draft", ""})


def read_facts(resources: Resources, inquiry: Inquiry, is_patient: Callable[[str], bool]) -> dict[str, Any]:
    """Return facts of the case format from resources of any of these types; a type that is absent says nothing.

    `is_patient` says whether a reference is to the patient; a resource about another is asked about and not read.
    """
    by_type: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for path, thing in resources:
        if is_about(thing, path, inquiry, is_patient):
            by_type.setdefault(str(thing.get("resourceType")), []).append((path, thing))
    facts: dict[str, Any] = read_observations(by_type.get("Observation", []), inquiry)
    for name, kind, read in (
        ("conditions", "Condition", read_conditions),
        ("allergies", "AllergyIntolerance", read_allergies),
        ("medicines", "MedicationStatement", read_medicines),
    ):
        if kind in by_type and (stated := read(by_type[kind], inquiry)) is not None:
            facts[name] = stated
    return facts


def is_about(thing: Mapping[str, Any], path: str, inquiry: Inquiry, is_patient: Callable[[str], bool]) -> bool:
    """Return whether a resource is about the patient, or names nobody; ask about one that names another."""
    name = "patient" if "patient" in thing else "subject"
    reference = as_text(
        as_object(thing.get(name), f"{path}.{name}", inquiry).get("reference"), f"{path}.{name}", inquiry
    )
    if not reference or is_patient(reference):
        return True
    inquiry.ask(
        f"{path}.{name}", "another patient", "the patient of the order", "Send only what is about this patient."
    )
    return False


def read_conditions(resources: Resources, inquiry: Inquiry) -> list[dict[str, str]]:
    """Return the codes of present conditions as the case format has them; one without a code is noted."""
    conditions = []
    for path, condition in resources:
        if not _is_present(condition, path, inquiry):
            continue
        concept = as_object(condition.get("code"), f"{path}.code", inquiry)
        codes = [
            (system, code) for system, code, _ in read_codings(concept, f"{path}.code", inquiry) if system and code
        ]
        if not codes:
            inquiry.note(f"{path}.code", f"has no code, so no rule reads it: {read_words(concept, path, inquiry)}")
        conditions += [{"system": system, "code": code} for system, code in codes]
    return conditions


def read_allergies(resources: Resources, inquiry: Inquiry) -> list[str] | None:
    """Return the words of present allergies and intolerances; None where one names no substance, which may be the medicine."""
    allergies, are_named = list[str](), True
    for path, allergy in resources:
        if _is_present(allergy, path, inquiry):
            concept = as_object(allergy.get("code"), f"{path}.code", inquiry)
            if words := read_words(concept, f"{path}.code", inquiry):
                allergies.append(words)
            else:
                inquiry.note(f"{path}.code", "names no substance, so the patient's allergies are not known")
                are_named = False
    return allergies if are_named or any(names_own_medicine(words, own_medicine()) for words in allergies) else None


def read_medicines(resources: Resources, inquiry: Inquiry, medications: Medications = _NONE) -> list[dict[str, str]]:
    """Return name and ATC code of the medicines that are taken, without oral baclofen itself; `NOT_SENT` for one that did not come along."""
    medicines = []
    for path, statement in resources:
        if as_text(statement.get("status"), f"{path}.status", inquiry) not in _TAKEN:
            continue
        medicine = name_medicine(statement, path, inquiry, medications)
        if medicine is None:
            inquiry.note(path, "names no medicine that came along")
            medicines.append({"name": NOT_SENT})
        elif identify(medicine, None, own_medicine())[0] is not Identity.OWN:
            # The rules say of a name that they do not know that it was not classified.
            words = medicine.name or next((f"{code} of {system}" for system, code in medicine.codes), "")
            medicines.append({name: text for name, text in (("name", words), ("atc", medicine.atc)) if text})
    return medicines


def name_medicine(
    statement: Mapping[str, Any], path: str, inquiry: Inquiry, medications: Medications
) -> OrderedMedicine | None:
    """Return the medicine that an order or a statement names: in itself, contained, or one of `medications`."""
    concept = as_object(statement.get("medicationCodeableConcept"), f"{path}.medicationCodeableConcept", inquiry)
    reference = as_object(statement.get("medicationReference"), f"{path}.medicationReference", inquiry)
    if reference and not concept:
        contained = name_contained(statement, path, inquiry)
        by_reference = {name: thing for name, (_, thing) in contained.items()} | dict(medications)
        medication = by_reference.get(as_text(reference.get("reference"), path, inquiry), {})
        concept = as_object(medication.get("code"), path, inquiry)
        concept = concept or {"text": as_text(reference.get("display"), path, inquiry)}
    coded = read_codings(concept, path, inquiry)
    name = read_words(concept, path, inquiry) if concept.get("text") or any(words for *_, words in coded) else ""
    atc = next((code for system, code, _ in coded if system == ATC and code), None)
    codes = tuple((system, code) for system, code, _ in coded if system and code and system != ATC)
    return OrderedMedicine(name or None, atc, codes) if name or atc or codes else None


def read_observations(resources: Resources, inquiry: Inquiry) -> dict[str, Any]:
    """Return weight, eGFR with its day, and pregnancy: of each the newest final observation."""
    newest: dict[str, tuple[date, Any]] = {}
    for path, observation in resources:
        concept = as_object(observation.get("code"), f"{path}.code", inquiry)
        codes = {code for system, code, _ in read_codings(concept, f"{path}.code", inquiry) if system == LOINC}
        if as_text(observation.get("status"), f"{path}.status", inquiry) not in _FINAL:
            inquiry.note(f"{path}.status", "is not final; the observation was not read")
            continue
        on = as_day(observation.get("effectiveDateTime"), f"{path}.effectiveDateTime", inquiry) or date.min
        for name, codes_of_fact, read in (
            ("weight_kg", WEIGHT, _read_weight), ("egfr", EGFR, _read_egfr), ("pregnant", PREGNANCY, _read_pregnancy),
        ):  # fmt: skip
            if codes & codes_of_fact and (value := read(observation, path, inquiry)) is not None:
                newest[name] = max(newest.get(name, (date.min, value)), (on, value), key=lambda pair: pair[0])
    facts: dict[str, Any] = {name: value for name, (_, value) in newest.items()}
    if "egfr" in newest and newest["egfr"][0] != date.min:
        facts["egfr_on"] = newest["egfr"][0].isoformat()
    return facts


def read_reasons(
    request: Mapping[str, Any], path: str, by_name: Mapping[str, tuple[str, Mapping[str, Any]]], inquiry: Inquiry
) -> dict[str, str]:
    """Return what the medicine is for, by the reasons of an order and the conditions that came along as reasons.

    Every reason but spasticity is noted with its words, read by the rules or not.
    """
    concepts = as_objects(request.get("reasonCode"), f"{path}.reasonCode", inquiry)
    for where, reference in as_objects(request.get("reasonReference"), f"{path}.reasonReference", inquiry):
        _, condition = by_name.get(as_text(reference.get("reference"), f"{where}.reference", inquiry), ("", {}))
        stated = {"text": as_text(reference.get("display"), f"{where}.display", inquiry)}
        concepts.append((where, as_object(condition.get("code"), where, inquiry) or stated))
    named: set[Indication] = set()
    for where, concept in concepts:
        coded = read_codings(concept, where, inquiry)
        texts = [as_text(concept.get("text"), f"{where}.text", inquiry), *(display for *_, display in coded)]
        uses = read_uses([(system, code) for system, code, _ in coded], texts, own_medicine())
        how = f"read as the use {choose_use(uses)}" if uses else "was not read by the rules"
        if uses != {Indication.SPASTICITY}:
            inquiry.note(where, f"{how}: {read_words(concept, where, inquiry) or 'a reference'}")
        named |= uses
    if not concepts:
        inquiry.miss(f"{path}.reasonCode", "what the medicine is for was not looked at")
    use = choose_use(named)
    return {} if use is None else {"indication": use.value}


def _is_present(resource: Mapping[str, Any], path: str, inquiry: Inquiry) -> bool:
    statuses = set()
    for name in ("clinicalStatus", "verificationStatus"):
        concept = as_object(resource.get(name), f"{path}.{name}", inquiry)
        statuses |= {code for _, code, _ in read_codings(concept, f"{path}.{name}", inquiry)}
    return statuses.isdisjoint(_ENDED | _UNTRUE)


def _read_weight(observation: Mapping[str, Any], path: str, inquiry: Inquiry) -> Decimal | None:
    value, unit = _read_value(observation, path, inquiry)
    if value is None or unit not in _KG:
        inquiry.note(f"{path}.valueQuantity", "is no weight in kg, g or pounds; it was not read")
        return None
    return _in_range("weight_kg", round(value * _KG[unit], 3), path, inquiry)


def _read_egfr(observation: Mapping[str, Any], path: str, inquiry: Inquiry) -> Decimal | None:
    value, unit = _read_value(observation, path, inquiry)
    if value is None or unit not in _EGFR_UNITS:
        inquiry.note(f"{path}.valueQuantity", "is no eGFR in mL/min/1.73 m²; it was not read")
        return None
    return _in_range("egfr", value, path, inquiry)


def _in_range(name: str, value: Decimal, path: str, inquiry: Inquiry) -> Decimal | None:
    fact = FACTS[name]
    if fact.least <= value <= fact.most:
        return value
    inquiry.note(f"{path}.valueQuantity", f"is {value.normalize():f}, not {fact.expected}; it was not read")
    return None


def _read_value(observation: Mapping[str, Any], path: str, inquiry: Inquiry) -> tuple[Decimal | None, str]:
    where = f"{path}.valueQuantity"
    quantity = as_object(observation.get("valueQuantity"), where, inquiry)
    is_exact = quantity.get("comparator") is None
    code = as_text(quantity.get("code"), where, inquiry) if quantity.get("system") == UCUM else ""
    value = as_amount(quantity.get("value"), f"{where}.value", inquiry) if is_exact else None
    return value, code or as_text(quantity.get("unit"), where, inquiry)


def _read_pregnancy(observation: Mapping[str, Any], path: str, inquiry: Inquiry) -> bool | None:
    where = f"{path}.valueCodeableConcept"
    concept = as_object(observation.get("valueCodeableConcept"), where, inquiry)
    answers = {_PREGNANT.get((system, code)) for system, code, _ in read_codings(concept, where, inquiry)} - {None}
    if len(answers) != 1:
        inquiry.note(where, "says neither pregnant nor not pregnant; it was not read")
        return None
    return answers.pop()
