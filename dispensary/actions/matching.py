"""The patient of an order: found by number and system, or registered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from baclofen_rules.facts import FACTS
from dispensary.actions import patients
from dispensary.actions.identity import Match, compare_person, is_surely, problems_of
from dispensary.actors import Actor
from dispensary.assessment import facts_document
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.models import Patient, Pharmacy, Sex

IDENTITY_FACTS = ("birth_date", "sex")
"""Facts that identify a person, as opposed to clinical ones."""
BORN_IN = "born_in"
"""The year, or year and month, of a birth date that an order does not state in full: compared, never recorded."""


def match_patient(
    stated: Patient | Mapping[str, Any],
    facts: Mapping[str, Any],
    *,
    fills_only: bool = False,
    source: str = "the order",
    pharmacy: Pharmacy,
    by: Actor,
    now: datetime,
) -> tuple[Patient, list[str]]:
    """Return the patient, found or registered, with notes on what the order states and the record does not.

    `stated` is one of the pharmacy's, or the patient of an `Intake`; `facts` are those of the order, in the case format.
    With `fills_only` they are recorded where the record of a known patient has no answer; what differs becomes a note about `source`.
    The caller holds the transaction.
    """
    clinical = {name: value for name, value in facts.items() if name not in IDENTITY_FACTS and value is not None}
    today = pharmacy.local_day(now)
    identity = _identity(facts, today)
    person: dict[str, Any] = {}
    if isinstance(stated, Patient):
        patient: Patient | None = stated.joined_to or stated
    else:
        person = {name: value for name, value in stated.items() if name not in (*IDENTITY_FACTS, BORN_IN)}
        for name, value in _identity(stated, today).items():
            if identity.setdefault(name, value) != value:
                raise InvalidInput(
                    f"The patient's {name} is given twice and differs.",
                    Problem(f"patient.{name}", "two values", "the same as in the case", "Send it once."),
                )
        patient = _find_patient(person | identity, pharmacy, by, now)
    if patient is None:
        facts = clinical | identity
        return patients.register(pharmacy=pharmacy, facts=facts, by=by, now=now, **_named(person)), []
    born_in = {"birth_date": stated[BORN_IN]} if isinstance(stated, Mapping) and stated.get(BORN_IN) else {}
    matches = compare_person(patient, born_in | person | identity)
    if problems := problems_of(matches):
        raise Conflict("This number belongs to another person here. Check whom the order is for.", *problems)
    recorded = facts_document(patient)
    differing = [name for name in clinical if fills_only and _says_more(clinical[name], recorded[name])]
    if fills_only:
        clinical = {name: value for name, value in clinical.items() if recorded[FACTS[name].day_of or name] is None}
    if clinical:
        patient = patients.update_facts(patient=patient, changes=clinical, by=by, now=now)
    after = facts_document(patient)
    changed = [name for name in clinical if recorded[name] is not None and recorded[name] != after[name]]
    notes = {
        Match.UNRECORDED: "stated in the order and unknown in the record; ask the patient and record it",
        Match.SPELLED: "the order has other accents, hyphens or apostrophes; the record was kept",
        Match.FORMER: "the order has what was recorded before a correction",
    }
    return patient, [
        *(f"patient.{name}: {notes[match]}" for name, match in matches.items() if match in notes),
        *(
            f"patient.{name}: the record said something else before this order; check with the patient"
            for name in changed
        ),
        *(
            f"patient.{name}: {source} says something else than the record, which was kept; ask the patient"
            for name in differing
        ),
    ]


def _says_more(stated: Any, recorded: Any) -> bool:
    """Return whether an order states something that the record, which has an answer, does not."""
    if isinstance(stated, list) and isinstance(recorded, list):
        return any(item not in recorded for item in stated)
    return recorded is not None and stated != recorded


def _identity(facts: Mapping[str, Any], on: date) -> dict[str, Any]:
    """Return the identity facts that are known, as the rule book reads them."""
    identity = patients.read_facts({name: facts[name] for name in IDENTITY_FACTS if facts.get(name) is not None}, on)
    return {name: value for name, value in identity.items() if value not in (None, Sex.UNKNOWN)}


def _find_patient(person: Mapping[str, Any], pharmacy: Pharmacy, by: Actor, now: datetime) -> Patient | None:
    """Return the patient whom the number names, or None for an unknown number.

    A number is its system and its value. Where one side names no system, the number alone is not enough: family name, given
    name and birth date must all be stated and equal, and the record then remembers the system. The same holds for a number
    that the record had before a correction. A record that was joined to another stands for that other.
    """
    number, system = str(person["identifier"]).strip(), str(person.get("identifier_system") or "").strip()
    holders = list(Patient.objects.filter(pharmacy=pharmacy, identifier=number).select_related("joined_to"))
    exact = next((holder for holder in holders if holder.identifier_system == system), None)
    if exact is not None:
        exact = exact.joined_to or exact
        matches = compare_person(exact, person)
        stated = [name for name in ("given_name", "birth_date") if matches[name] is not Match.UNSTATED]
        if stated and all(matches[name] is Match.UNRECORDED for name in stated):
            raise Conflict(
                "Nothing but the family name says that this is the patient with this number.",
                *(
                    Problem(
                        f"patient.{name}",
                        "a value, while the record has none",
                        "a given name or birth date that the record has too",
                        "Ask the patient, add it to the record, then send the order again.",
                    )
                    for name in stated
                ),
            )
        return exact
    unnamed = [h for h in holders if h.joined_to_id is None and not (system and h.identifier_system)]
    same = [holder for holder in unnamed if is_surely(holder, person)]
    if len(same) == 1:
        return patients.remember_system(patient=same[0], system=system, by=by, now=now) if system else same[0]
    former = Patient.objects.filter(
        pharmacy=pharmacy, former_identities__identifier=number, former_identities__identifier_system__in=["", system]
    )
    same = [holder for holder in former.distinct() if is_surely(holder, person)]
    if len(same) == 1:
        return same[0]
    if not holders:
        return None
    problem = Problem(
        "patient.identifier",
        "a number that is recorded here under another system, or without one",
        "the number with the system under which it is recorded",
        "Check whom the order is for. If it is the recorded patient, send the order for Patient/ and our id of them; "
        "if it is somebody else, register them here with this number first.",
    )
    differing = problems_of(compare_person(holders[0], person)) if len(holders) == 1 else []
    raise Conflict("This number may belong to another person here.", problem, *differing)


def _named(person: Mapping[str, Any]) -> dict[str, Any]:
    if not person.get("family_name"):
        problem = Problem("patient.identifier", "a number unknown here", "the patient's name beside it")
        raise InvalidInput("There is no patient with this number here.", problem)
    return dict(person)
