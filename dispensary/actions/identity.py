"""A person as an order describes them, compared with the patient recorded under the number; the keys that find a patient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from dispensary.errors import Conflict, Problem
from dispensary.models import FormerIdentity, Patient, PatientSearchKey, Pharmacy, Prescriber, Sex
from dispensary.text import comparable_name, name_keys, number_key, plain_spellings

NAMES = ("family_name", "given_name")
FIELDS = (*NAMES, "birth_date", "sex")
_CHECK = "Check whom the order is for."
_ANOTHER_NAME = (
    f"{_CHECK} If the patient's name has changed, correct the record; another person needs a number of their own."
)
_NEXT = {
    "family_name": _ANOTHER_NAME,
    "given_name": _ANOTHER_NAME,
    "birth_date": f"{_CHECK} If the record is wrong, correct the record, then send the order again.",
    "sex": f"{_CHECK} If the record is wrong, correct the record, then send the order again.",
}


class Match(StrEnum):
    """The comparison of a field of an order with the record."""

    EQUAL = "equal"
    SPELLED = "equal but for accents, hyphens or apostrophes"
    FORMER = "equal to the record before a correction"
    DIFFERENT = "different"
    UNRECORDED = "stated in the order, unknown in the record"
    UNSTATED = "not stated in the order"


def compare_person(patient: Patient, person: Mapping[str, Any]) -> dict[str, Match]:
    """Compare `person` (any of `FIELDS`) with the record, field by field.

    Names are compared in one form; what differs by accents, hyphens or apostrophes alone is the same name. Given names are equal where the words of one begin the other, since senders differ in
    how many they send. A name that the record had before a correction is the patient's too. A sex of "unknown" states
    nothing.
    """
    matches = _compare_record(patient, person)
    if Match.DIFFERENT in (matches["family_name"], matches["given_name"]):
        for former in patient.former_identities.all():
            former_matches = _compare_record(former, person)
            if all(former_matches[name] in {Match.EQUAL, Match.SPELLED, Match.UNSTATED} for name in NAMES):
                return matches | {
                    name: Match.FORMER if matches[name] is Match.DIFFERENT else matches[name] for name in NAMES
                }
    return matches


def _compare_record(record: Patient | FormerIdentity, person: Mapping[str, Any]) -> dict[str, Match]:
    return compare_stated({name: getattr(record, name, None) for name in FIELDS}, person)


def compare_stated(recorded: Mapping[str, Any], person: Mapping[str, Any]) -> dict[str, Match]:
    """Compare two statements of who somebody is, field by field; `recorded` stands for the record."""
    return {name: _match(name, _text(name, person.get(name)), _text(name, recorded.get(name))) for name in FIELDS}


def is_surely(patient: Patient, person: Mapping[str, Any]) -> bool:
    """Return whether family name, given name and birth date are all stated and equal, and nothing differs."""
    matches = compare_person(patient, person)
    equal = all(
        matches[name] in {Match.EQUAL, Match.SPELLED, Match.FORMER}
        for name in ("family_name", "given_name", "birth_date")
    )
    return equal and matches["sex"] is not Match.DIFFERENT


def find_surely(pharmacy: Pharmacy, person: Mapping[str, Any]) -> Patient | None:
    """Return the pharmacy's patient of that number, name and birth date; None where one of them differs or is missing.

    Of a record that was joined to another the other one is returned.
    """
    number, system = person.get("identifier"), person.get("identifier_system", "")
    rows = Patient.objects.filter(pharmacy=pharmacy, identifier=number, identifier_system=system)
    patient = rows.select_related("pharmacy", "joined_to").first() if number else None
    return (patient.joined_to or patient) if patient is not None and is_surely(patient, person) else None


def problems_of(matches: Mapping[str, Match], kinds: Iterable[Match] = (Match.DIFFERENT,)) -> list[Problem]:
    """Return one problem for each field whose match is one of `kinds`. No value of a person is repeated."""
    expected = {
        "family_name": "the name recorded with this number",
        "given_name": "the given name recorded with this number",
        "birth_date": "the birth date recorded with this number",
        "sex": "the sex recorded with this number",
    }
    return [
        Problem(f"patient.{name}", matches[name].value, expected[name], _NEXT[name])
        for name in FIELDS
        if matches[name] in kinds
    ]


def number_body(owner: Patient | Prescriber) -> dict[str, str]:
    """Return the number as it stands in an audit body, with its system where it has one."""
    system = {"identifier_system": owner.identifier_system} if owner.identifier_system else {}
    return {"identifier": owner.identifier} | system


def number_taken() -> Conflict:
    """Return the error of a number that another patient has."""
    return Conflict(
        "A patient with this number is already registered here.",
        Problem("patient.identifier", "a number in use", "a number of the patient's own", "Search for the number."),
    )


def require_free_number(patient: Patient) -> None:
    """Raise `Conflict` where the number is recorded for somebody who does not differ from the patient, under any system."""
    person = {name: getattr(patient, name) for name in FIELDS}
    holders = Patient.objects.filter(pharmacy_id=patient.pharmacy_id, identifier=patient.identifier)
    for holder in holders.exclude(pk=patient.pk):
        if Match.DIFFERENT not in compare_person(holder, person).values():
            raise number_taken()


def save_former_identity(record: Patient, patient: Patient, reason: str, now: datetime) -> FormerIdentity:
    """Store name, number and birth date of `record` as former ones of `patient`."""
    return FormerIdentity.objects.create(
        patient=patient,
        identifier=record.identifier,
        identifier_system=record.identifier_system,
        family_name=record.family_name,
        given_name=record.given_name,
        birth_date=record.birth_date,
        reason=reason,
        ended_at=now,
    )


def write_search_keys(patient: Patient) -> None:
    """Store the keys under which a patient is searched for: present and former names and numbers, those of joined records too."""
    keys: set[str] = set()
    for record in patient.identities():
        keys |= {number_key(record.identifier)} | name_keys(record.family_name, record.given_name)
    patient.search_keys.exclude(key__in=keys).delete()
    PatientSearchKey.objects.bulk_create(
        (PatientSearchKey(pharmacy_id=patient.pharmacy_id, patient=patient, key=key) for key in sorted(keys)),
        ignore_conflicts=True,
    )


def _text(name: str, value: Any) -> str:
    text = "" if value is None else str(value).strip()
    if name == "sex":
        return "" if text == Sex.UNKNOWN else text
    return comparable_name(text) if name.endswith("_name") else text


def _match(name: str, stated: str, recorded: str) -> Match:
    if not stated:
        return Match.UNSTATED
    if not recorded:
        return Match.UNRECORDED
    if stated == recorded:
        return Match.EQUAL
    if name == "birth_date" and recorded.startswith(f"{stated}-"):
        return Match.UNSTATED  # a year, or a year and a month
    if name == "family_name":
        return Match.SPELLED if _is_spelled(stated, recorded) else Match.DIFFERENT
    if name == "given_name":
        return _match_given(stated, recorded)
    return Match.DIFFERENT


def _match_given(stated: str, recorded: str) -> Match:
    pairs = list(zip(stated.split(), recorded.split(), strict=False))
    if all(word == other for word, other in pairs):
        return Match.EQUAL
    is_spelled = _is_spelled(stated, recorded) or all(_is_spelled(word, other) for word, other in pairs)
    return Match.SPELLED if is_spelled else Match.DIFFERENT


def _is_spelled(name: str, other: str) -> bool:
    """Return whether two names differ by accents, hyphens or apostrophes alone."""
    return not plain_spellings(name).isdisjoint(plain_spellings(other))
