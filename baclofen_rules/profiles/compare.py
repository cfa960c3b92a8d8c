"""Differences between two profiles, in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from baclofen_rules.profiles import Profile, Section
from baclofen_rules.profiles.limits import Entry

WITHOUT_UNIT = ("severity", "rules")
"""Units of values that are words."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One parameter that two profiles set differently; ``first`` and ``second`` say how, with marks and places."""

    place: str
    first: str
    second: str


def differences(first: Profile, second: Profile, on: date | None = None) -> tuple[Difference, ...]:
    """Parameters whose values in force on ``on`` differ (without a day: the newest values), in the order of the files."""
    day = on or max((*first.changes, *second.changes))
    sections = {"terms": (first.terms, second.terms)}
    for code in (*first.sections, *second.sections):
        sections.setdefault(code, (_section(first, code), _section(second, code)))
    return tuple(_differences(sections, day))


def in_words(section: Section, name: str, on: date) -> str:
    """The values of one parameter in force on a day, with unit, mark and place."""
    parameter = section.parameters.get(name)
    entries = () if parameter is None else parameter.in_force(on)
    return "; ".join(_words(entry) for entry in entries) or "not set"


def value_in_words(entry: Entry) -> str:
    """An entry's value with its unit and ages: ``4 to under 12 years: 60 mg/day``."""
    value = entry.value
    if value is None:
        words = "none"
    elif isinstance(value, tuple):
        words = ", ".join(str(element) for element in value)
    else:
        words = str(value)
    if value is not None and entry.unit not in WITHOUT_UNIT:
        words += f" {entry.unit}"
    return words if entry.ages is None else f"{entry.ages}: {words}"


def _differences(sections: dict[str, tuple[Section, Section]], on: date) -> Iterator[Difference]:
    for code, (first, second) in sections.items():
        for name in dict.fromkeys([*first.parameters, *second.parameters]):
            if _values(first, name, on) != _values(second, name, on):
                yield Difference(f"{code}.{name}", in_words(first, name, on), in_words(second, name, on))


def _values(section: Section, name: str, on: date) -> list[str]:
    parameter = section.parameters.get(name)
    return [] if parameter is None else [value_in_words(entry) for entry in parameter.in_force(on)]


def _words(entry: Entry) -> str:
    return f"{value_in_words(entry)} [{entry.citation.mark}: {entry.citation.title}, {entry.citation.where}]"


def _section(profile: Profile, code: str) -> Section:
    return profile.sections.get(code, Section({}, ()))
