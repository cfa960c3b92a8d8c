"""Who the order is for and who wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from dispensary.api.fhir.elements import Inquiry, as_object, as_text, check_elements, objects

_PATIENT_HARMLESS = [
    "active", "telecom", "address", "maritalStatus", "multipleBirthBoolean", "multipleBirthInteger", "photo", "contact",
    "communication", "generalPractitioner", "managingOrganization", "link", "deceasedBoolean", "deceasedDateTime",
]  # fmt: skip
_PRACTITIONER_HARMLESS = ["active", "address", "gender", "birthDate", "photo", "qualification", "communication"]


@dataclass(frozen=True, slots=True)
class Person:
    """One of ours by `id`, or somebody described by `told`, in the words of the REST bodies."""

    id: UUID | None = None
    told: Mapping[str, Any] = field(default_factory=dict)


def read_patient(resource: Mapping[str, Any], path: str, inquiry: Inquiry) -> Person:
    """A Patient resource. A birth date that is not a full date stays unknown, and the rules say so."""
    check_elements(resource, path, inquiry, ["identifier", "name", "birthDate", "gender"], _PATIENT_HARMLESS)
    if resource.get("deceasedBoolean") is True or resource.get("deceasedDateTime") is not None:
        inquiry.ask(f"{path}.deceased", "a patient who has died", "a living patient")
    family, given = _name(resource, path, inquiry)
    told: dict[str, Any] = _number(resource, path, inquiry) | {"family_name": family, "given_name": given}
    born = as_text(resource.get("birthDate"), f"{path}.birthDate", inquiry)
    if len(born) == 10:
        told["birth_date"] = born
    elif born:
        inquiry.note(f"{path}.birthDate", "is not a full date; the age stays unknown")
    if gender := as_text(resource.get("gender"), f"{path}.gender", inquiry):
        told["sex"] = gender
    return Person(told=told)


def read_practitioner(resource: Mapping[str, Any], path: str, inquiry: Inquiry) -> Person:
    """A Practitioner resource."""
    check_elements(resource, path, inquiry, ["identifier", "name", "telecom"], _PRACTITIONER_HARMLESS)
    family, given = _name(resource, path, inquiry)
    phones = [
        as_text(entry.get("value"), where, inquiry)
        for where, entry in objects(resource.get("telecom"), f"{path}.telecom", inquiry)
        if entry.get("system") == "phone"
    ]
    told = _number(resource, path, inquiry) | {"name": f"{given} {family}".strip()}
    return Person(told=told | ({"phone": phones[0]} if phones else {}))


def _number(resource: Mapping[str, Any], path: str, inquiry: Inquiry) -> dict[str, str]:
    """The number that the pharmacy knows somebody by, with the system that it belongs to where one is named."""
    found = objects(resource.get("identifier"), f"{path}.identifier", inquiry)
    current = [(where, item) for where, item in found if item.get("use") != "old"]
    preferred = [pair for pair in current if pair[1].get("use") == "official"] or current
    for where, item in preferred:
        if number := read_identifier(item, where, inquiry):
            return number
    inquiry.ask(
        f"{path}.identifier", "nothing", "an identifier with a value", "Send the number that the pharmacy knows."
    )
    return {}


def read_identifier(identifier: Mapping[str, Any], path: str, inquiry: Inquiry) -> dict[str, str]:
    """`identifier` and, where it is named, `identifier_system`; empty without a value."""
    value = as_text(identifier.get("value"), f"{path}.value", inquiry)
    system = as_text(identifier.get("system"), f"{path}.system", inquiry)
    return ({"identifier": value} | ({"identifier_system": system} if system else {})) if value else {}


def _name(resource: Mapping[str, Any], path: str, inquiry: Inquiry) -> tuple[str, str]:
    found = [
        (where, name)
        for where, name in objects(resource.get("name"), f"{path}.name", inquiry)
        if name.get("use") != "old"
    ]
    preferred = [pair for pair in found if pair[1].get("use") in ("official", "usual")] or found
    for where, name in preferred:
        given = name.get("given") if isinstance(name.get("given"), list) else []
        family = as_text(name.get("family"), f"{where}.family", inquiry) or as_text(
            name.get("text"), f"{where}.text", inquiry
        )
        if family:
            said = [as_text(item, f"{where}.given", inquiry) for item in given] if name.get("family") else []
            return family, " ".join(filter(None, said))
    inquiry.ask(f"{path}.name", "nothing", "a name with a family name")
    return "", ""


def reference(thing: Any, path: str, inquiry: Inquiry) -> tuple[str, dict[str, str]]:
    """The literal reference, and the number of a logical one; each empty where there is none."""
    target = as_object(thing, path, inquiry)
    check_elements(target, path, inquiry, ["reference", "type", "identifier", "display"])
    logical = as_object(target.get("identifier"), f"{path}.identifier", inquiry)
    literal = as_text(target.get("reference"), f"{path}.reference", inquiry)
    return literal, read_identifier(logical, f"{path}.identifier", inquiry)
