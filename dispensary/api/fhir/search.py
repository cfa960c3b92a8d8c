"""Search parameters of FHIR R4, each read into a condition on rows. What is not known here is refused, never left out."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import ClassVar
from uuid import UUID

from django.db.models import Q

from dispensary.errors import InvalidInput, Problem

_MOMENT = re.compile(r"^(lt|le|gt|ge|eq|ne|sa|eb)?(\d{4}(?:-\d{2}(?:-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?)?)?)$")
_NONE = Q(pk__in=[])


@dataclass(frozen=True, slots=True)
class Parameter(ABC):
    """A search parameter by its name in FHIR."""

    name: str
    documentation: str = ""
    kind: ClassVar[str]
    """The type of the parameter, as a CapabilityStatement has it."""
    expected: ClassVar[str]

    def read(self, text: str, zone: tzinfo) -> Q:
        """Return the condition of a value; of several with commas between them, any. Raises `InvalidInput`."""
        condition = _NONE
        for part in text.split(","):
            condition |= self.read_value(part.strip(), zone)
        return condition

    @abstractmethod
    def read_value(self, value: str, zone: tzinfo) -> Q:
        """Return the condition of a single value."""

    def refuse(self, expected: str = "") -> InvalidInput:
        """Return the error of a value that cannot be read; the value may name a patient and is not repeated."""
        problem = Problem(self.name, "another value", expected or self.expected)
        return InvalidInput("This search cannot be answered.", problem)


@dataclass(frozen=True, slots=True)
class ReferenceParameter(Parameter):
    """A reference to a resource of ours: `Patient/<id>` or the id alone."""

    target: str = ""
    lookup: str = ""
    kind: ClassVar[str] = "reference"
    expected: ClassVar[str] = "the id of a resource here, with or without its type"

    def read_value(self, value: str, zone: tzinfo) -> Q:
        try:
            key = UUID(value.removeprefix(f"{self.target}/"))
        except ValueError:
            raise self.refuse(f"{self.target}/ and an id of ours") from None
        return self.find(key)

    def find(self, key: UUID) -> Q:
        """Return the condition of rows that refer to this resource."""
        return Q(**{self.lookup: key})


@dataclass(frozen=True, slots=True)
class CodeParameter(Parameter):
    """One of the codes of an element, with or without its system."""

    codes: Mapping[str, Q] | None = None
    kind: ClassVar[str] = "token"
    expected: ClassVar[str] = "one of its codes"

    def read_value(self, value: str, zone: tzinfo) -> Q:
        codes = self.codes or {}
        condition = codes.get(value.rpartition("|")[2])
        if condition is None:
            raise self.refuse(f"one of {', '.join(codes)}")
        return condition


@dataclass(frozen=True, slots=True)
class IdentifierParameter(Parameter):
    """A business identifier: `value`, `system|value`, or `|value` for one without a system."""

    find: Callable[[str, str | None], Q] = lambda _value, _system: _NONE
    kind: ClassVar[str] = "token"
    expected: ClassVar[str] = "a value, or a system and a value as system|value"

    def read_value(self, value: str, zone: tzinfo) -> Q:
        system, bar, number = value.rpartition("|")
        if not number or "\x00" in value or len(value) > 600:
            raise self.refuse()
        return self.find(number, system if bar else None)


@dataclass(frozen=True, slots=True)
class DateParameter(Parameter):
    """A day, month, year or moment, with a prefix such as `ge`; days begin and end in the pharmacy's zone."""

    lookup: str = ""
    is_day: bool = False
    """The rows have days and no moments."""
    kind: ClassVar[str] = "date"
    expected: ClassVar[str] = (
        "a date, or a moment with its zone, after one of eq, ne, lt, le, gt, ge, sa, eb or nothing"
    )

    def read_interval(self, value: str, zone: tzinfo) -> tuple[str, datetime, datetime]:
        """Return the prefix of a value, the first moment that it includes, and the first after it."""
        match = _MOMENT.match(value.replace(" ", "+"))  # an unescaped + of a zone arrives as a space
        if match is None:
            raise self.refuse()
        try:
            return match[1] or "eq", *_read_interval(match[2], zone)
        except (ValueError, OverflowError):
            raise self.refuse() from None

    def read_value(self, value: str, zone: tzinfo) -> Q:
        prefix, first, after = self.read_interval(value, zone)
        begin, end = (moment.astimezone(zone).date() if self.is_day else moment for moment in (first, after))
        within = Q(**{f"{self.lookup}__gte": begin, f"{self.lookup}__lt": end})
        if self.is_day and begin == end:
            within = Q(**{self.lookup: begin})
            end = begin + timedelta(days=1)
        match prefix:
            case "eq":
                return within
            case "ne":
                return ~within
            case "lt" | "eb":
                return Q(**{f"{self.lookup}__lt": begin})
            case "le":
                return Q(**{f"{self.lookup}__lt": end})
            case "gt" | "sa":
                return Q(**{f"{self.lookup}__gte": end})
            case _:
                return Q(**{f"{self.lookup}__gte": begin})


def _read_interval(text: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the first moment of a date or moment, and the first after it: FHIR compares by its precision."""
    if "T" in text:
        moment = datetime.fromisoformat(text)
        has_seconds = text.count(":") >= (3 if text[-6] in "+-" else 2)
        step = timedelta(microseconds=1) if "." in text else timedelta(seconds=1 if has_seconds else 60)
        return moment, moment + step
    year, month, day = (int(part) for part in (text + "-01-01").split("-")[:3])
    first = date(year, month, day)
    match text.count("-"):
        case 0:
            after = date(year + 1, 1, 1)
        case 1:
            after = date(year + month // 12, month % 12 + 1, 1)
        case _:
            after = first + timedelta(days=1)
    return datetime.combine(first, time(), zone), datetime.combine(after, time(), zone)
