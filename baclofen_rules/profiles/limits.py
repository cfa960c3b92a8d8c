"""Declarations of the numbers a rule reads, and their values on a day.

A rule's ``Limits`` is a frozen dataclass whose fields say what they accept::

    max_mg: Decimal = number("mg", 1, 1000)

A profile holds one or more dated, cited entries for each field. ``bind`` picks the entries in force on a day, and
refuses a missing or impossible one with its place.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, Generic, NamedTuple, TypeVar

from baclofen_rules.findings import Citation, Missing, Severity

T = TypeVar("T")
Value = Decimal | Severity | tuple[Decimal, ...] | tuple[str, ...] | None
"""None is the written word "none": this profile sets no such limit."""

AGE_FACT: Final = "patient.birth_date"
SPEC: Final = "spec"
HOW_SEVERE: Final = "how severe"


class InvalidProfile(ValueError):
    """A profile that cannot be used; ``place`` says where in which file, ``given`` and ``expected`` what is wrong."""

    def __init__(self, place: str, given: str, expected: str) -> None:
        self.place, self.given, self.expected = place, given, expected
        super().__init__(f"{place}: given {given}, expected {expected}")


class Ages(NamedTuple):
    """From ``low`` years up to, but not including, ``high``; a boundary belongs to the upper band."""

    low: Decimal
    high: Decimal | None

    def holds(self, age: Decimal) -> bool:
        return self.low <= age and (self.high is None or age < self.high)

    def __str__(self) -> str:
        if self.high is None:
            return f"from {self.low} years" if self.low else "any age"
        return f"{self.low} to under {self.high} years" if self.low else f"under {self.high} years"


class Entry(NamedTuple):
    """One value of one parameter, from one day on, with the place it comes from."""

    value: Value
    unit: str
    since: date
    ages: Ages | None
    citation: Citation
    note: str


class Parameter(NamedTuple):
    """All entries of one parameter; ``place`` is where it stands in the profile."""

    place: str
    entries: tuple[Entry, ...]

    def in_force(self, on: date) -> tuple[Entry, ...]:
        """For each age band the newest entry that is in force on ``on``, youngest band first."""
        newest: dict[Ages | None, Entry] = {}
        for entry in self.entries:
            latest = newest.get(entry.ages)
            if entry.since <= on and (latest is None or latest.since < entry.since):
                newest[entry.ages] = entry
        return tuple(sorted(newest.values(), key=lambda entry: entry.ages.low if entry.ages else Decimal(0)))


@dataclass(frozen=True, slots=True)
class Bands(Generic[T]):
    """A limit by age; a band's limit may be None: no such limit at that age."""

    place: str
    rows: tuple[tuple[Ages, T | None], ...]
    """Youngest first; the bands meet, and the last has no upper age."""
    _oldest_first: tuple[tuple[Decimal, T | None], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        oldest_first = tuple((ages.low, limit) for ages, limit in reversed(self.rows))
        object.__setattr__(self, "_oldest_first", oldest_first)

    def verdict(self, breaks: Callable[[T], bool], age: Decimal | None) -> T | Missing | None:
        """The limit that ``breaks`` says is broken, None when it is kept, or the fact that is lacking.

        With an unknown age a limit counts as broken when every band's limit is broken, as kept when none is. Below the first
        band no limit is known: what breaks that of the first band is broken there too, the rest is unknown.
        """
        if age is not None:
            for low, limit in self._oldest_first:
                if low <= age:
                    return limit if limit is not None and breaks(limit) else None
            youngest = self.rows[0][1]
            return youngest if youngest is not None and breaks(youngest) else Missing((f"profile.{self.place}",))
        broken = [limit for _, limit in self.rows if limit is not None and breaks(limit)]
        if not broken:
            return None
        return broken[-1] if len(broken) == len(self.rows) else Missing((AGE_FACT,))

    def over(self: "Bands[Decimal]", amount: Decimal | int, age: Decimal | None) -> "Decimal | Missing | None":
        """The limit that ``amount`` is above; otherwise as ``verdict``."""
        if age is not None:
            for low, limit in self._oldest_first:
                if low <= age:
                    return limit if limit is not None and amount > limit else None
        return self.verdict(lambda limit: amount > limit, age)

    def under(self: "Bands[Decimal]", amount: Decimal | int, age: Decimal | None) -> "Decimal | Missing | None":
        """The limit that ``amount`` is below; otherwise as ``verdict``."""
        if age is not None:
            for low, limit in self._oldest_first:
                if low <= age:
                    return limit if limit is not None and amount < limit else None
        return self.verdict(lambda limit: amount < limit, age)

    def at(self, age: Decimal | None) -> T | None:
        """The limit at an age; None when there is none, or when the age is unknown."""
        if age is not None:
            for low, limit in self._oldest_first:
                if low <= age:
                    return limit
        return None

    def nearest(self, age: Decimal) -> T | None:
        """The limit at an age, and below the first band that of the first."""
        return self.rows[0][1] if self.is_below_first(age) else self.at(age)

    def is_below_first(self, age: Decimal | None) -> bool:
        """Return whether the age is known and lies below the first band: the profile says nothing about it."""
        return age is not None and age < self.rows[0][0].low

    def is_below_last(self, age: Decimal | None) -> bool:
        """Return whether the age is known and falls below the last band."""
        return age is not None and age < self.rows[-1][0].low

    def __str__(self) -> str:
        return "; ".join(f"{ages}: {'no limit' if limit is None else limit}" for ages, limit in self.rows)


class Spec(NamedTuple):
    """The unit, range and meaning of one field of a rule's ``Limits``."""

    unit: str
    least: Decimal = Decimal(0)
    most: Decimal = Decimal(0)
    words: str = ""
    by_age: bool = False
    many: bool = False
    severity: bool = False
    none: bool = False
    codes: bool = False

    @property
    def expected(self) -> str:
        if self.codes:
            return 'a list of codes of rules, or "none"'
        kind = "one of " + ", ".join(Severity) if self.severity else f"a number from {self.least} to {self.most}"
        kind = f"a list of numbers from {self.least} to {self.most}" if self.many else kind
        return f"{kind}{', or ' if self.none else ''}{chr(34) + 'none' + chr(34) if self.none else ''}"

    def accepts(self, value: Value) -> bool:
        if value is None:
            return self.none
        if self.codes:
            return isinstance(value, tuple) and bool(value) and all(isinstance(code, str) for code in value)
        if self.severity or isinstance(value, Severity):
            return self.severity and isinstance(value, Severity)
        if self.many or isinstance(value, tuple):
            return (
                self.many
                and isinstance(value, tuple)
                and bool(value)
                and all(isinstance(number, Decimal) and self.least <= number <= self.most for number in value)
            )
        return self.least <= value <= self.most


def number(unit: str, least: float, most: float, *, words: str = "", none: bool = False) -> Any:
    """A field with one number for all ages; `words` say what it is, as a pharmacist reads it behind the rule's name."""
    return _field(Spec(unit, Decimal(str(least)), Decimal(str(most)), words, none=none))


def numbers(unit: str, least: float, most: float, *, words: str = "") -> Any:
    """A field with a list of numbers."""
    return _field(Spec(unit, Decimal(str(least)), Decimal(str(most)), words, many=True))


def codes(*, words: str = "") -> Any:
    """A field with a list of codes of rules, or none of them."""
    return _field(Spec("rules", words=words, none=True, codes=True))


def by_age(unit: str, least: float, most: float, *, words: str = "", none: bool = True) -> Any:
    """A field with a number for each age band."""
    return _field(Spec(unit, Decimal(str(least)), Decimal(str(most)), words, by_age=True, none=none))


def severity(*, none: bool = False, words: str = HOW_SEVERE) -> Any:
    """A field with one severity for all ages."""
    return _field(Spec("severity", words=words, severity=True, none=none))


def severity_by_age() -> Any:
    """A field with a severity for each age band."""
    return _field(Spec("severity", words=HOW_SEVERE, severity=True, by_age=True, none=True))


def _field(spec: Spec) -> Any:
    return field(metadata={SPEC: spec})


def bind(kind: type[T], parameters: Mapping[str, Parameter], on: date, place: str) -> T:
    """An instance of the ``Limits`` class ``kind`` with the values in force on ``on``. Raises InvalidProfile."""
    specs: dict[str, Spec] = {made.name: made.metadata[SPEC] for made in fields(kind)}  # type: ignore[arg-type]  # every Limits is a dataclass
    for name in parameters.keys() - specs.keys():
        raise InvalidProfile(f"{place}.{name}", "a parameter no rule reads", f"one of {_listed(specs)}")
    return kind(**{name: _bound(spec, parameters.get(name), on, f"{place}.{name}") for name, spec in specs.items()})


def _bound(spec: Spec, parameter: Parameter | None, on: date, place: str) -> Any:
    if parameter is None:
        raise InvalidProfile(place, "nothing", spec.expected)
    for entry in parameter.entries:
        if entry.unit != spec.unit:
            raise InvalidProfile(f"{place}.unit", entry.unit, spec.unit)
        if not spec.accepts(entry.value):
            raise InvalidProfile(f"{place}.value", str(entry.value), spec.expected)
    entries = parameter.in_force(on)
    if not entries:
        raise InvalidProfile(place, f"no entry in force on {on}", "an entry from that day or earlier")
    if spec.by_age:
        return Bands(place.partition(": ")[2] or place, _rows(entries, place))
    if len(entries) > 1 or entries[0].ages is not None:
        raise InvalidProfile(f"{place}.ages", "age bands", "one value for all ages")
    return entries[0].value


def _rows(entries: tuple[Entry, ...], place: str) -> tuple[tuple[Ages, Any], ...]:
    """Age bands in order; refused when they overlap or leave a hole (a profile may begin above 0 years)."""
    rows = tuple((entry.ages or Ages(Decimal(0), None), entry.value) for entry in entries)
    for (younger, _), (older, _) in pairwise(rows):
        if younger.high != older.low:
            raise InvalidProfile(f"{place}.ages", f"{younger}, then {older}", "bands that meet without gap or overlap")
    if rows[-1][0].high is not None:
        raise InvalidProfile(f"{place}.ages", str(rows[-1][0]), "a last band without an upper age")
    return rows


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none: this rule reads no number"
