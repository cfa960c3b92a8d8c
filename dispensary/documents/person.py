"""What is recorded about one person, on A4, for that person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dispensary.documents.paper import PharmacyLines
from dispensary.documents.typesetting import typeset


def person_record_pdf(document: Mapping[str, Any], pharmacy: PharmacyLines, zone: ZoneInfo, *, at: datetime) -> bytes:
    """Render the document of a patient's file, with times in `zone`. Raises DoesNotFit for a letter that cannot be drawn."""

    def format_moment(text: str) -> str:
        return f"{datetime.fromisoformat(text).astimezone(zone):%d %b %Y, %H:%M}"

    person = document["person"]
    data = {
        "name": f"{person['given_name']} {person['family_name']}".strip(),
        "number": person["number"],
        "asked_on": document["asked_on"],
        "written": f"{format_moment(document['written'])} ({zone.key})",
        "pharmacy": asdict(pharmacy),
        "facts": list(_flatten(person["facts"])),
        "events": [
            event
            | {
                "at": format_moment(event["at"]),
                "doubt": event["doubt"] or "",
                "details": [("Details", event["details"])]
                if isinstance(event["details"], str)
                else list(_flatten(event["details"] or {})),
            }
            for event in document["events"]
        ],
        "looks": [
            [format_moment(look["at"]), look.get("name") or look["role"], look["what"], look["purpose"] or "not known"]
            for look in document["looks"]
        ],
    }
    return typeset("person.typ", data, at=at)


def _flatten(values: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield names and values of nested JSON as words; text that holds JSON, digests and what is empty are left to the JSON."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _flatten(value, f"{name}, {key}" if name else key)
    elif isinstance(values, list) and any(isinstance(value, dict | list) for value in values):
        for number, value in enumerate(values, start=1):
            yield from _flatten(value, f"{name} {number}")
    else:
        text = ", ".join(map(str, values)) if isinstance(values, list) else "" if values is None else str(values)
        if text and not text.startswith("{") and not _is_digest(text):
            yield name.replace("_", " "), text


def _is_digest(text: str) -> bool:
    return len(text) == 64 and all(character in "0123456789abcdef" for character in text)
