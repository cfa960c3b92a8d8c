"""A pharmacy's numbers: the profile that it has chosen, as in force on a day."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path

from baclofen_rules import InvalidProfile, Profile, list_profiles, load_profile
from baclofen_rules.medicines import own_medicine
from baclofen_rules.profiles import Section
from baclofen_rules.profiles.compare import Difference, differences
from baclofen_rules.profiles.limits import Entry, Value
from baclofen_rules.rulebook import rulebook
from dispensary.conf import conf
from dispensary.errors import InvalidInput, Problem


def profile_named(name: str, on: date) -> Profile:
    """Return a profile as in force on a day; "" is the site's default. Raises `InvalidInput` when there is none."""
    try:
        return _load(name or conf().default_profile, on, conf().profile_folder)
    except InvalidProfile as error:
        raise InvalidInput(
            f"The pharmacy's profile cannot be used: {error}",
            Problem("pharmacy.profile", name, "the name of a profile", "A manager chooses one under settings."),
        ) from error


def profile_differences(on: date) -> dict[str, tuple[Difference, ...]]:
    """Return by the name of each profile but the site's default the numbers that it sets otherwise, on a day."""
    default = profile_named("", on)
    names = list_profiles(folder=conf().profile_folder)
    return {name: differences(default, profile_named(name, on), on) for name in names if name != conf().default_profile}


@dataclass(frozen=True)
class LimitLine:
    """One number of a profile, as a pharmacist reads and signs it."""

    place: str
    """Where it stands: `rules.daily-maximum.grace`, or `terms.max_mg_per_day` for one that several rules share."""
    value: str
    unit: str
    since: date
    ages: str
    mark: str
    source: str
    where: str
    note: str

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything about it, hexadecimal: another number, or another source, is another line."""
        return sha256("\n".join(str(getattr(self, field.name)) for field in fields(self)).encode()).hexdigest()

    @property
    def anchor(self) -> str:
        """Name of its field on a page."""
        return f"line-{self.digest[:16]}"


@lru_cache(maxsize=64)
def limit_lines(profile: Profile) -> tuple[LimitLine, ...]:
    """Return every number of a profile, shared ones first, in the order of the file."""
    sections = {"terms": profile.terms, **{f"rules.{code}": part for code, part in profile.sections.items()}}
    return tuple(
        _line(f"{section}.{name}", entry)
        for section, part in sections.items()
        for name, parameter in part.parameters.items()
        for entry in parameter.entries
    )


def with_value(profile: Profile, line: LimitLine, value: Decimal) -> Profile:
    """Return the profile with another number in a line, under a digest of its own; nothing is stored.

    Raises `InvalidInput` where the rule refuses the number.
    """

    def change(section: str, part: Section) -> Section:
        parameters = {
            name: parameter._replace(
                entries=tuple(
                    entry._replace(value=value) if _line(f"{section}.{name}", entry) == line else entry
                    for entry in parameter.entries
                )
            )
            for name, parameter in part.parameters.items()
        }
        return part._replace(parameters=parameters)

    digest = sha256(f"{profile.digest} {line.digest} {value}".encode()).hexdigest()
    changed = replace(
        profile,
        digest=f"sha256:{digest}",
        terms=change("terms", profile.terms),
        sections={code: change(f"rules.{code}", part) for code, part in profile.sections.items()},
    )
    try:
        rulebook(changed, changed.on or changed.changes[-1])
    except InvalidProfile as error:
        raise InvalidInput(
            f"This number cannot be used in {line.place}.",
            Problem("value", error.given, error.expected),
        ) from error
    return changed


def _line(place: str, entry: Entry) -> LimitLine:
    return LimitLine(
        place,
        _spell(entry.value),
        entry.unit,
        entry.since,
        "" if entry.ages is None else str(entry.ages),
        str(entry.citation.mark),
        entry.citation.title,
        entry.citation.where,
        entry.note,
    )


def _spell(value: Value | str) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ", ".join(_spell(element) for element in value)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


@lru_cache(maxsize=64)
def _load(name: str, on: date, folder: Path | None) -> Profile:
    return load_own_profile(name, on, folder)


def load_own_profile(name: str, on: date | None, folder: Path | None) -> Profile:
    """Return a profile of baclofen, which alone is dispensed here. Raises InvalidProfile."""
    profile = load_profile(name, on=on, folder=folder)
    if profile.medicine is not own_medicine():
        raise InvalidProfile(
            f"{name}.toml: medicine", profile.medicine.name, f"{own_medicine().name}: no other is dispensed here"
        )
    return profile
