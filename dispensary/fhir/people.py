"""Patient and prescriber of an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from dispensary.fhir.elements import Inquiry, as_list, as_object, as_objects, as_text, check_elements

_PATIENT_READ = [
    "identifier", "name", "birthDate", "gender", "active", "link", "deceasedBoolean", "deceasedDateTime",
]  # fmt: skip
_PATIENT_HARMLESS = [
    "telecom", "address", "maritalStatus", "multipleBirthBoolean", "multipleBirthInteger", "photo", "contact",
    "communication", "generalPractitioner", "managingOrganization",
]  # fmt: skip
_PRACTITIONER_HARMLESS = ["address", "gender", "birthDate", "photo", "qualification", "communication"]
_NAME_USES = ("official", "usual", "", "temp")
_NUMBER_USES = ("official", "usual", "", "secondary", "temp")
"""Uses of a name and of a number that may stand for the person today, the best first."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person on record by `id`, or described by `details` in the form of the REST body."""

    id: UUID | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def read_patient(resource: Mapping[str, Any], path: str, inquiry: Inquiry) -> Person:
    """Read a Patient. A birth date that is not a full date stays unknown, which is a finding."""
    check_elements(resource, path, inquiry, _PATIENT_READ, _PATIENT_HARMLESS)
    if resource.get("active", True) is not True:
        inquiry.ask(f"{path}.active", "a record that is not in use", "the patient's record in use")
    for where, link in as_objects(resource.get("link"), f"{path}.link", inquiry):
        _read_link(link, where, inquiry)
    if resource.get("deceasedBoolean") is True or resource.get("deceasedDateTime") is not None:
        inquiry.ask(f"{path}.deceased", "a patient who has died", "a living patient")
    family, given_name = _read_name(resource, path, inquiry)
    details: dict[str, Any] = _read_number(resource, path, inquiry) | {"family_name": family, "given_name": given_name}
    born = as_text(resource.get("birthDate"), f"{path}.birthDate", inquiry)
    if len(born) == 10:
        details["birth_date"] = born
    elif born:
        inquiry.note(f"{path}.birthDate", "is not a full date; the age stays unknown")
        details["born_in"] = born
    if gender := as_text(resource.get("gender"), f"{path}.gender", inquiry):
        details["sex"] = gender
    return Person(details=details)


def read_practitioner(resource: Mapping[str, Any], path: str, inquiry: Inquiry) -> Person:
    """Read a Practitioner."""
    check_elements(resource, path, inquiry, ["identifier", "name", "telecom", "active"], _PRACTITIONER_HARMLESS)
    if resource.get("active", True) is not True:
        inquiry.note(f"{path}.active", "the sender's record of the prescriber is not in use")
    family, given_name = _read_name(resource, path, inquiry)
    phones = [
        as_text(entry.get("value"), where, inquiry)
        for where, entry in as_objects(resource.get("telecom"), f"{path}.telecom", inquiry)
        if entry.get("system") == "phone"
    ]
    details = _read_number(resource, path, inquiry) | {"name": f"{given_name} {family}".strip()}
    return Person(details=details | ({"phone": phones[0]} if phones else {}))


def _read_link(link: Mapping[str, Any], path: str, inquiry: Inquiry) -> None:
    kind = as_text(link.get("type"), f"{path}.type", inquiry)
    if kind in {"seealso", "refer"}:
        inquiry.note(path, f"names another record of the patient ({kind}), which was not looked at")
    elif kind != "replaces":
        replaced = "a record that another has replaced" if kind == "replaced-by" else "a link of no known type"
        inquiry.ask(path, replaced, "the patient's record in use")


def _present(
    resource: Mapping[str, Any], element: str, uses: Sequence[str], path: str, inquiry: Inquiry
) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the names or numbers that may be used on the day of the inquiry, as (path, entry), the best first.

    Left out are those of another use, and those whose period has ended or not begun.
    """
    entries = [
        (uses.index(use), where, entry)
        for where, entry in as_objects(resource.get(element), f"{path}.{element}", inquiry)
        if (use := as_text(entry.get("use"), f"{where}.use", inquiry)) in uses and _is_in_force(entry, where, inquiry)
    ]
    return [(where, entry) for _, where, entry in sorted(entries, key=lambda item: item[0])]


def _is_in_force(entry: Mapping[str, Any], path: str, inquiry: Inquiry) -> bool:
    """Return whether the entry's period includes the day of the inquiry; without a day, whether it has no end.

    A year or a month is compared as such: it includes each of its days.
    """
    period = as_object(entry.get("period"), f"{path}.period", inquiry)
    start, end = (as_text(period.get(name), f"{path}.period.{name}", inquiry)[:10] for name in ("start", "end"))
    if inquiry.on is None:
        return not end
    today = inquiry.on.isoformat()
    return start <= today[: len(start)] and (not end or end >= today[: len(end)])


def _read_number(resource: Mapping[str, Any], path: str, inquiry: Inquiry) -> dict[str, str]:
    """Read the number that the pharmacy knows a person by, with its system where one is named."""
    for where, item in _present(resource, "identifier", _NUMBER_USES, path, inquiry):
        if number := read_identifier(item, where, inquiry):
            return number
    inquiry.ask(
        f"{path}.identifier",
        "nothing, or only numbers that have ended" if resource.get("identifier") else "nothing",
        "an identifier with a value",
        "Send the number that the pharmacy knows.",
    )
    return {}


def read_identifier(identifier: Mapping[str, Any], path: str, inquiry: Inquiry) -> dict[str, str]:
    """Return `identifier` and, where it is named, `identifier_system`; empty without a value."""
    value = as_text(identifier.get("value"), f"{path}.value", inquiry)
    system = as_text(identifier.get("system"), f"{path}.system", inquiry)
    return ({"identifier": value} | ({"identifier_system": system} if system else {})) if value else {}


def _read_name(resource: Mapping[str, Any], path: str, inquiry: Inquiry) -> tuple[str, str]:
    for where, name in _present(resource, "name", _NAME_USES, path, inquiry):
        given_names = as_list(name.get("given"), f"{where}.given", inquiry)
        if family := as_text(name.get("family"), f"{where}.family", inquiry):
            given_texts = [as_text(item, f"{where}.given", inquiry) for item in given_names]
            return family, " ".join(filter(None, given_texts))
        if text := as_text(name.get("text"), f"{where}.text", inquiry):
            inquiry.note(where, "has no family name; its whole text is taken as the family name")
            return text, ""
    inquiry.ask(
        f"{path}.name",
        "nothing, or only names that have ended" if resource.get("name") else "nothing",
        "a present name with a family name",
    )
    return "", ""


def read_reference(thing: Any, path: str, inquiry: Inquiry) -> tuple[str, dict[str, str]]:
    """Return the literal reference and the number of a logical one; each empty where there is none."""
    target = as_object(thing, path, inquiry)
    check_elements(target, path, inquiry, ["reference", "type", "identifier", "display"])
    logical = as_object(target.get("identifier"), f"{path}.identifier", inquiry)
    literal = as_text(target.get("reference"), f"{path}.reference", inquiry)
    return literal, read_identifier(logical, f"{path}.identifier", inquiry)
