"""A person as an order describes them, compared with the patient recorded under the number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from dispensary.errors import Problem
from dispensary.models import Patient, Prescriber, Sex
from dispensary.text import comparable_name

FIELDS = ("family_name", "given_name", "birth_date", "sex")
_CHECK = "Check whom the order is for."
_NEXT = {
    "family_name": f"{_CHECK} Another person needs a number of their own here.",
    "given_name": f"{_CHECK} Another person needs a number of their own here.",
    "birth_date": f"{_CHECK} If the record is wrong, correct the record, then send the order again.",
    "sex": f"{_CHECK} If the record is wrong, correct the record, then send the order again.",
}


class Match(StrEnum):
    """The comparison of a field of an order with the record."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNRECORDED = "stated in the order, unknown in the record"
    UNSTATED = "not stated in the order"


def compare_person(patient: Patient, person: Mapping[str, Any]) -> dict[str, Match]:
    """Compare `person` (any of `FIELDS`) with the record, field by field.

    Names are compared in one form. Given names are equal where the words of one begin the other, since senders differ in
    how many they send. A sex of "unknown" states nothing.
    """
    return {name: _match(name, _text(name, person.get(name)), _text(name, getattr(patient, name))) for name in FIELDS}


def is_surely(patient: Patient, person: Mapping[str, Any]) -> bool:
    """Return whether family name, given name and birth date are all stated and equal, and nothing differs."""
    matches = compare_person(patient, person)
    equal = all(matches[name] is Match.EQUAL for name in ("family_name", "given_name", "birth_date"))
    return equal and matches["sex"] is not Match.DIFFERENT


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
    if name == "given_name":
        return Match.EQUAL if _begins(stated.split(), recorded.split()) else Match.DIFFERENT
    return Match.EQUAL if stated == recorded else Match.DIFFERENT


def _begins(words: list[str], others: list[str]) -> bool:
    shared = min(len(words), len(others))
    return words[:shared] == others[:shared]
