"""The plain values a document is made from, each checked as it is built."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from dispensary.models.pharmacy import LabelLayout

HALF = Decimal("0.5")
ENGLISH = "en"


class DoesNotFit(Exception):
    """The text does not fit the paper at a readable size, or has a letter no font here can draw. Nothing is printed:
    a label that was cut would be worse than none. The message names the document and what to shorten."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A phase of the course with its dates."""

    doses_mg: tuple[Decimal, ...]
    """One day's doses in the order they are taken, in mg."""
    tablets: tuple[Decimal, ...]
    """The same doses as tablets of the pack's strength; whole or half tablets only."""
    first_on: date
    last_on: date | None
    """None: goes on until told otherwise; only the last stretch may."""
    names: tuple[str, ...] = ()
    """The tablets that each dose is of, where they are of several kinds: "25 mg"."""
    times: tuple[str, ...] = ()
    """The time of each dose, morning, midday, evening, bedtime or HH:MM; empty where the order does not say all of them."""

    def __post_init__(self) -> None:
        if not self.doses_mg or len(self.doses_mg) != len(self.tablets):
            raise ValueError("a stretch needs at least one dose, and tablets for each dose")
        if self.times and len(self.times) != len(self.doses_mg):
            raise ValueError("a stretch names as many times as it has doses")
        for count in self.tablets:
            if count <= 0 or count % HALF != 0:
                raise ValueError(f"{count} tablets cannot be taken: whole or half tablets only")
        if self.last_on is not None and self.last_on < self.first_on:
            raise ValueError("a stretch ends before it begins")

    @property
    def mg_per_day(self) -> Decimal:
        return sum(self.doses_mg, Decimal(0))


@dataclass(frozen=True, slots=True)
class Course:
    """The phases that the patient takes, day by day. Between two of them may be days without tablets."""

    stretches: tuple[Stretch, ...]
    then_stop: bool = False
    """The medicine ends after the last stretch."""
    covered_until: date | None = None
    """Last day the supply lasts; the calendar of an open course ends there."""
    as_needed: bool = False
    """Taken only when needed: the doses of the one stretch are the most of a day."""
    starts_later: bool = False
    """The first day lies after the hand-over, so it is printed."""
    is_dated: bool = False
    """Another dose takes its place before its tablets end, so its days are printed."""

    def __post_init__(self) -> None:
        if not self.stretches:
            raise ValueError("a course needs at least one stretch")
        for earlier, later in zip(self.stretches, self.stretches[1:], strict=False):
            if earlier.last_on is None or later.first_on <= earlier.last_on:
                raise ValueError("each stretch must begin after the one before it ends")


@dataclass(frozen=True, slots=True)
class PharmacyLines:
    """The pharmacy's name and lines, as printed."""

    name: str
    address: str
    phone: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The audit entry of the hand-over: printed, it shows later that the log was not shortened."""

    seq: int
    leaf: str
    """Hexadecimal."""

    @property
    def short(self) -> str:
        return f"{self.seq} · {self.leaf[:16]}"


@dataclass(frozen=True, slots=True)
class Handover:
    """A dispense, in the words that are printed."""

    medicine: str
    """Name as on the pack, without strength: "Baclofen", "Lioresal"."""
    strength_mg: Decimal
    quantity: Decimal
    """Tablets."""
    course: Course
    patient_name: str
    dispensed_on: date
    number: str
    """The prescription's number at this pharmacy."""
    pharmacy: PharmacyLines
    warnings: tuple[str, ...] = ()
    """Those of the label in the pharmacy's language; empty: the usual ones."""
    receipt: Receipt | None = None
    born_on: date | None = None
    together_with: tuple[str, ...] = ()
    """The other tablets of the same order: "Lioresal 10 mg tablets"."""
    is_emergency_supply: bool = False
    """Handed over without an order, which the label says (Human Medicines Regulations 2012)."""
    calendar: Course | None = None
    """Every fixed dose of the days of this supply, of all courses; None: as on the label."""
    calendar_tablets: tuple[str, ...] = ()
    """The tablets of the calendar, where they are not those of the label alone."""
    ingredient: str = ""
    """The common name, printed beside a name on the pack that is not it: "baclofen"."""
    language: str = ENGLISH
    """Of the pharmacy's label."""
    patient_language: str = ENGLISH
    """Of the calendar and, where it is another, of a second label."""

    emergency: str = ""
    """The number of the ambulance, on the leaflet."""
    layout: LabelLayout = LabelLayout.UK
    prescriber: str = ""
    """Printed with the refills and the date of discarding by the layout of the United States alone."""
    refills: int | None = None
    """Fills that are left."""
    discard_on: date | None = None

    @property
    def name(self) -> str:
        """Both names of the medicine: "Lioresal (baclofen)"."""
        if not self.ingredient or self.ingredient.casefold() in self.medicine.casefold():
            return self.medicine
        return f"{self.medicine} ({self.ingredient})"
