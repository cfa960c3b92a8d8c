"""What is recorded about one person, on A4, for that person."""

from __future__ import annotations

import re
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


_FOR_COMPUTERS = frozenset({
    "row", "by", "review", "case", "prescription", "code", "fingerprint", "dur", "detected_issue", "sources", "nonce", "print", "recorded_on",
})  # fmt: skip
"""Names of details that repeat others, or that only a computer reads; all of them stand in the JSON."""


def _flatten(values: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield names and values of nested JSON as words; keys, digests, text that holds JSON and what is empty are left to the JSON."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            if key not in _FOR_COMPUTERS:
                yield from _flatten(value, f"{name}, {key}" if name else key)
    elif isinstance(values, list) and any(isinstance(value, dict | list) for value in values):
        for number, value in enumerate(values, start=1):
            yield from _flatten(value, f"{name} {number}")
    else:
        listed = values if isinstance(values, list) else [values]
        text = ", ".join(_in_words(value) for value in listed if not _is_key(str(value)))
        if text and not text.startswith("{"):
            yield name.replace("_", " "), text


def _in_words(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else "" if value is None else str(value)


def _is_key(text: str) -> bool:
    """Return whether a text is a digest or an id."""
    return bool(re.fullmatch(r"[0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text))
