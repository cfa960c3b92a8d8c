"""Typed access to the elements of a resource, with questions and notes collected by FHIRPath."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from dispensary.errors import InvalidInput, Problem

_EVERYWHERE = frozenset({"resourceType", "id", "meta", "language", "text", "contained", "extension", "fhir_comments"})
# Names and versions of the resource, what it holds for others, its text for people (made from what is read), and
# extensions, which by definition change no meaning (one that does is a modifierExtension); those of an order are noted.
_DATE = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
_MOMENT = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}")
_NUMBER = re.compile(r"^[0-9]{1,9}(\.[0-9]{1,6})?$")


@dataclass(slots=True)
class Inquiry:
    """Questions about one order, and notes on how unusual elements were read."""

    on: date | None = None
    """The day on which the order is read."""
    zone: tzinfo = UTC
    """Of the pharmacy: moments are converted to its days."""
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    absences: list[str] = field(default_factory=list)
    """What the order does not say, so that the rest could not be compared with it: for its sender."""

    def ask(
        self, path: str, actual: str, expected: str, next_step: str = "Ask the prescriber, then send it again."
    ) -> None:
        """Ask back about one element."""
        self.problems.append(Problem(path, actual, expected, next_step))

    def note_doubt(self, path: str, actual: str, expected: str) -> None:
        """Note what would be asked back of an order that can be handed over."""
        self.note(path, f"{actual}; expected: {expected}")

    def note(self, path: str, words: str) -> None:
        """Note how an element was read, or that it was not."""
        self.notes.append(f"{path}: {words}")

    def miss(self, path: str, words: str) -> None:
        """Say that an element is absent with which others would be compared."""
        self.absences.append(f"{path}: absent; {words}")

    def raise_problems(self) -> None:
        """Raise `InvalidInput` with all questions, if there are any."""
        if self.problems:
            raise InvalidInput("The order cannot be read without doubt.", *self.problems)


def check_elements(
    thing: Mapping[str, Any],
    path: str,
    inquiry: Inquiry,
    read: Iterable[str],
    harmless: Iterable[str] = (),
    *,
    may_be_noted: bool = False,
) -> None:
    """Ask about every element that is neither read nor known to be harmless, or note it where that is enough.

    A modifier is never harmless and never only noted.
    """
    allowed = _EVERYWHERE | set(read) | set(harmless)
    if may_be_noted and thing.get("extension"):
        urls = [
            as_text(item.get("url"), where, inquiry)
            for where, item in as_objects(thing["extension"], f"{path}.extension", inquiry)
        ]
        inquiry.note(f"{path}.extension", f"was not read: {', '.join(filter(None, urls))[:200]}")
    for name in thing:
        where = f"{path}.{name}"[:120]
        if name in {"modifierExtension", "implicitRules"}:
            inquiry.ask(where, "an extension that may change the meaning", "none", "Send the order without it.")
        elif name.removeprefix("_") in allowed:
            continue
        elif may_be_noted:
            words = f": {thing[name][:200]}" if isinstance(thing[name], str) else ""
            inquiry.note(where, f"was not read{words}")
        else:
            inquiry.ask(where, "an element that is not read here", "only elements of FHIR R4 that are")


def as_object(value: Any, path: str, inquiry: Inquiry) -> Mapping[str, Any]:
    """Return the value if it is an object; otherwise an empty one, and a question unless it is absent."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    inquiry.ask(path, f"a {type(value).__name__}", "an object", "Send valid FHIR R4.")
    return {}


def as_list(value: Any, path: str, inquiry: Inquiry) -> list[Any]:
    """Return the value if it is a list; otherwise an empty one, and a question unless it is absent."""
    if value is None:
        return []
    if isinstance(value, list):
        return value
    inquiry.ask(path, f"a {type(value).__name__}", "a list", "Send valid FHIR R4.")
    return []


def as_objects(value: Any, path: str, inquiry: Inquiry) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the objects of a list as (path, object)."""
    items = as_list(value, path, inquiry)
    return [(f"{path}[{n}]", as_object(item, f"{path}[{n}]", inquiry)) for n, item in enumerate(items)]


def as_text(value: Any, path: str, inquiry: Inquiry) -> str:
    """Return the value if it is text; otherwise "", and a question unless it is absent."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    inquiry.ask(path, f"a {type(value).__name__}", "text", "Send valid FHIR R4.")
    return ""


def as_amount(value: Any, path: str, inquiry: Inquiry) -> Decimal | None:
    """Return an exact amount. A number in quotes is not FHIR, but occurs: it is read and noted."""
    if value is None:
        return None
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _NUMBER.match(value.strip()):
        inquiry.note(path, "the number came as text and was read as a number")
        return Decimal(value.strip())
    inquiry.ask(
        path, "text that is no plain number" if isinstance(value, str) else f"a {type(value).__name__}", "a number"
    )
    return None


def as_whole(value: Any, path: str, inquiry: Inquiry, least: int = 1) -> int | None:
    """Return a whole number of at least `least`."""
    amount = as_amount(value, path, inquiry)
    if amount is None:
        return None
    if amount != int(amount) or amount < least:
        inquiry.ask(path, f"{amount:f}", f"a whole number from {least}")
        return None
    return int(amount)


def as_day(value: Any, path: str, inquiry: Inquiry, *, is_end: bool = False) -> date | None:
    """Return the pharmacy's day of a FHIR date or dateTime; a year or month alone is asked back.

    A date is taken as it stands. A moment is converted to the pharmacy's zone; one without an offset is read as the
    pharmacy's. The end of a period (`is_end`) at midnight ends the day before.
    """
    text = as_text(value, path, inquiry)
    if not text:
        return None
    try:
        if _DATE.match(text):
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
        if not _MOMENT.match(text):
            raise ValueError(text)
    except ValueError:
        inquiry.ask(path, f"text of {len(text)} characters", "a full date such as 2026-11-22")
        return None
    local = moment if moment.tzinfo is None else moment.astimezone(inquiry.zone)
    return local.date() - timedelta(days=is_end and local.time() == time.min)


def read_codings(concept: Mapping[str, Any], path: str, inquiry: Inquiry) -> list[tuple[str, str, str]]:
    """Return the (system, code, display) triples of a CodeableConcept."""
    return [
        (
            as_text(c.get("system"), p, inquiry),
            as_text(c.get("code"), p, inquiry),
            as_text(c.get("display"), p, inquiry),
        )
        for p, c in as_objects(concept.get("coding"), f"{path}.coding", inquiry)
    ]


def read_words(concept: Mapping[str, Any], path: str, inquiry: Inquiry) -> str:
    """Return the text of a CodeableConcept, or the displays of its codes, or the codes; at most 200 characters."""
    coded = read_codings(concept, path, inquiry)
    text = as_text(concept.get("text"), f"{path}.text", inquiry)
    displays = ", ".join(dict.fromkeys(filter(None, (display for *_, display in coded))))
    codes = ", ".join(f"{system} {code}".strip() for system, code, _ in coded)
    return (text or displays or codes)[:200]
