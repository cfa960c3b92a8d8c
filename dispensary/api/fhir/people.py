"""Patient and prescriber of an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from dispensary.api.fhir.elements import Inquiry, as_object, as_objects, as_text, check_elements

_PATIENT_HARMLESS = [
    "active", "telecom", "address", "maritalStatus", "multipleBirthBoolean", "multipleBirthInteger", "photo", "contact",
    "communication", "generalPractitioner", "managingOrganization", "link", "deceasedBoolean", "deceasedDateTime",
]  # fmt: skip
_PRACTITIONER_HARMLESS = ["active", "address", "gender", "birthDate", "photo", "qualification", "communication"]


@dataclass(frozen=True, slots=True)
class Person:
    """A person on record by `id`, or described by `details` in the form of the REST body."""

    id: UUID | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def read_patient(resource: Mapping[str, Any], path: str, inquiry: Inquiry) -> Person:
    """Read a Patient. A birth date that is not a full date stays unknown, which is a finding."""
    check_elements(resource, path, inquiry, ["identifier", "name", "birthDate", "gender"], _PATIENT_HARMLESS)
    if resource.get("deceasedBoolean") is True or resource.get("deceasedDateTime") is not None:
        inquiry.ask(f"{path}.deceased", "a patient who has died", "a living patient")
    family, given_name = _read_name(resource, path, inquiry)
    details: dict[str, Any] = _read_number(resource, path, inquiry) | {"family_name": family, "given_name": given_name}
    born = as_text(resource.get("birthDate"), f"{path}.birthDate", inquiry)
    if len(born) == 10:
        details["birth_date"] = born
    elif born:
        inquiry.note(f"{path}.birthDate", "is not a full date; the age stays unknown")
    if gender := as_text(resource.get("gender"), f"{path}.gender", inquiry):
        details["sex"] = gender
    return Person(details=details)


def read_practitioner(resource: Mapping[str, Any], path: str, inquiry: Inquiry) -> Person:
    """Read a Practitioner."""
    check_elements(resource, path, inquiry, ["identifier", "name", "telecom"], _PRACTITIONER_HARMLESS)
    family, given_name = _read_name(resource, path, inquiry)
    phones = [
        as_text(entry.get("value"), where, inquiry)
        for where, entry in as_objects(resource.get("telecom"), f"{path}.telecom", inquiry)
        if entry.get("system") == "phone"
    ]
    details = _read_number(resource, path, inquiry) | {"name": f"{given_name} {family}".strip()}
    return Person(details=details | ({"phone": phones[0]} if phones else {}))


def _read_number(resource: Mapping[str, Any], path: str, inquiry: Inquiry) -> dict[str, str]:
    """Read the number that the pharmacy knows a person by, with its system where one is named."""
    identifiers = as_objects(resource.get("identifier"), f"{path}.identifier", inquiry)
    current = [(where, item) for where, item in identifiers if item.get("use") != "old"]
    preferred = [pair for pair in current if pair[1].get("use") == "official"] or current
    for where, item in preferred:
        if number := read_identifier(item, where, inquiry):
            return number
    inquiry.ask(
        f"{path}.identifier", "nothing", "an identifier with a value", "Send the number that the pharmacy knows."
    )
    return {}


def read_identifier(identifier: Mapping[str, Any], path: str, inquiry: Inquiry) -> dict[str, str]:
    """Return `identifier` and, where it is named, `identifier_system`; empty without a value."""
    value = as_text(identifier.get("value"), f"{path}.value", inquiry)
    system = as_text(identifier.get("system"), f"{path}.system", inquiry)
    return ({"identifier": value} | ({"identifier_system": system} if system else {})) if value else {}


def _read_name(resource: Mapping[str, Any], path: str, inquiry: Inquiry) -> tuple[str, str]:
    names = [
        (where, name)
        for where, name in as_objects(resource.get("name"), f"{path}.name", inquiry)
        if name.get("use") != "old"
    ]
    preferred = [pair for pair in names if pair[1].get("use") in ("official", "usual")] or names
    for where, name in preferred:
        given = name.get("given")
        given_names = given if isinstance(given, list) else []
        family = as_text(name.get("family"), f"{where}.family", inquiry) or as_text(
            name.get("text"), f"{where}.text", inquiry
        )
        if family:
            given_texts = (
                [as_text(item, f"{where}.given", inquiry) for item in given_names] if name.get("family") else []
            )
            return family, " ".join(filter(None, given_texts))
    inquiry.ask(f"{path}.name", "nothing", "a name with a family name")
    return "", ""


def read_reference(thing: Any, path: str, inquiry: Inquiry) -> tuple[str, dict[str, str]]:
    """Return the literal reference and the number of a logical one; each empty where there is none."""
    target = as_object(thing, path, inquiry)
    check_elements(target, path, inquiry, ["reference", "type", "identifier", "display"])
    logical = as_object(target.get("identifier"), f"{path}.identifier", inquiry)
    literal = as_text(target.get("reference"), f"{path}.reference", inquiry)
    return literal, read_identifier(logical, f"{path}.identifier", inquiry)
