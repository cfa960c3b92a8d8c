"""Patient facts: each declared once, with its type, its range and its words.

A field of ``PatientFacts`` is the declaration. The case format, the record, the API's schema, the form and the patient's
page are made from ``FACTS``. None is unknown everywhere: neither false nor an empty list.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum, auto
from typing import Annotated, Any, Final, NamedTuple, get_type_hints

from baclofen_rules.checked import EARLIEST, Place
from baclofen_rules.medicines import Medicine
from baclofen_rules.text import format_amount

MOST_LISTED: Final = 500
SOON: Final = "ask_again_soon_after_days"
"""The shared number of days for what may be another answer within weeks."""


class Sex(StrEnum):
    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


class Indication(StrEnum):
    """The indication: what the medicine is for."""

    SPASTICITY = "spasticity"
    ALCOHOL_DEPENDENCE = "alcohol-dependence"
    OTHER = "other"

    @property
    def label(self) -> str:
        return self.replace("-", " ").capitalize()


class Condition(StrEnum):
    """Conditions the rules know by word."""

    EPILEPSY = "epilepsy"
    PSYCHOTIC_DISORDER = "psychotic-disorder"
    STROKE = "stroke"
    PARKINSONISM = "parkinsonism"
    RESPIRATORY_IMPAIRMENT = "respiratory-impairment"
    AUTONOMIC_DYSREFLEXIA = "autonomic-dysreflexia"
    SUICIDE_RISK = "suicide-risk"
    SUBSTANCE_MISUSE = "substance-misuse"
    HYPERTONIC_BLADDER_SPHINCTER = "hypertonic-bladder-sphincter"
    PEPTIC_ULCER = "peptic-ulcer"
    LIVER_DISEASE = "liver-disease"
    DEPRESSION = "depression"
    MANIA = "mania"
    SLEEP_APNOEA = "sleep-apnoea"
    PORPHYRIA = "porphyria"
    DIABETES = "diabetes"
    URINARY_RETENTION = "urinary-retention"

    @property
    def label(self) -> str:
        return self.replace("-", " ").capitalize()


class CodedCondition(NamedTuple):
    """A condition given by a code of a code system; mapped by the rule book or reported as not classified."""

    system: str
    code: str


class Kind(StrEnum):
    """The types that a fact can have."""

    BIRTH_DATE = auto()
    DAY = auto()
    SEX = auto()
    INDICATION = auto()
    AMOUNT = auto()
    FLAG = auto()
    TEXTS = auto()
    CONDITIONS = auto()
    MEDICINES = auto()
    DAYS = auto()


LISTS: Final = frozenset({Kind.TEXTS, Kind.CONDITIONS, Kind.MEDICINES})


class Fact(NamedTuple):
    """The declaration of one fact. An amount has a unit, a range and the error text of its range."""

    kind: Kind
    read_by: tuple[str, ...]
    """Codes of the rules that ask for it first."""
    label: str
    """Its name on a page."""
    question: str = ""
    """The label of its form field; the name where that says enough."""
    words: str = ""
    """Its name inside a sentence; the field's name where that says enough."""
    unit: str = ""
    least: Decimal = Decimal(0)
    most: Decimal = Decimal(0)
    expected: str = ""
    to_type: str = ""
    """Follows "Type the weight as " where something else was typed."""
    day_of: str = ""
    """For a day: the name of the fact that was found out on it."""
    is_recorded: bool = True
    """False for what a case may have in place of a recorded fact."""
    ask_again: str = "ask_again_after_days"
    """The shared number of days for which it is not asked again after an answer "not known"."""
    name: str = ""
    """The field's name, which every format and column has too."""


class PatientFacts(NamedTuple):
    """The facts known about a patient; None is unknown everywhere."""

    birth_date: Annotated[
        date | None,
        Fact(
            Kind.BIRTH_DATE,
            ("age", "daily-maximum", "starting-dose", "older-adult"),
            "Date of birth",
            words="date of birth",
            to_type="a date, such as 1981-05-02",
        ),
    ] = None
    age_years: Annotated[
        Decimal | None,
        Fact(
            Kind.AMOUNT,
            ("age", "daily-maximum", "starting-dose", "older-adult"),
            "Age",
            unit="years",
            most=Decimal(130),
            expected="an age in years from 0 to 130",
            is_recorded=False,
        ),
    ] = None
    """Stands instead of ``birth_date``."""
    sex: Annotated[Sex | None, Fact(Kind.SEX, ("pregnancy", "lactation"), "Sex")] = None
    weight_kg: Annotated[
        Decimal | None,
        Fact(
            Kind.AMOUNT,
            ("starting-dose", "dose-per-weight", "tablet-weight"),
            "Weight",
            question="Weight in kg",
            words="weight",
            unit="kg",
            least=Decimal("0.3"),
            most=Decimal(650),
            expected="a weight in kg from 0.3 to 650",
            to_type="a number of kg, such as 70",
        ),
    ] = None
    egfr: Annotated[
        Decimal | None,
        Fact(
            Kind.AMOUNT,
            ("renal", "renal-unknown"),
            "eGFR",
            question="eGFR in mL/min/1.73 m²",
            words="eGFR",
            unit="mL/min/1.73 m²",
            most=Decimal(250),
            expected="an eGFR in mL/min/1.73 m2 from 0 to 250",
            to_type="a number, such as 95",
        ),
    ] = None
    egfr_on: Annotated[
        date | None,
        Fact(
            Kind.DAY,
            ("renal",),
            "eGFR of",
            question="Day of the eGFR",
            words="day of the eGFR",
            to_type="a date, such as 2026-11-22",
            day_of="egfr",
        ),
    ] = None
    """The day on which the eGFR was measured."""
    dialysis: Annotated[bool | None, Fact(Kind.FLAG, ("renal", "renal-unknown"), "Dialysis", "On dialysis")] = None
    pregnant: Annotated[bool | None, Fact(Kind.FLAG, ("pregnancy",), "Pregnant", ask_again=SOON)] = None
    breastfeeding: Annotated[bool | None, Fact(Kind.FLAG, ("lactation",), "Breast-feeding", ask_again=SOON)] = None
    allergies: Annotated[tuple[str, ...] | None, Fact(Kind.TEXTS, ("allergy", "wheat-starch"), "Allergies")] = None
    conditions: Annotated[
        tuple[Condition | CodedCondition, ...] | None,
        Fact(Kind.CONDITIONS, ("condition", "hepatic", "peptic-ulcer", "contradiction"), "Conditions"),
    ] = None
    medicines: Annotated[
        tuple[Medicine, ...] | None,
        Fact(
            Kind.MEDICINES,
            ("interaction-unclassified",),
            "Medicines",
            "Other medicines",
            ask_again="ask_medicines_again_after_days",
        ),
    ] = None
    alcohol_use: Annotated[bool | None, Fact(Kind.FLAG, ("alcohol",), "Drinks alcohol")] = None
    drives: Annotated[
        bool | None,
        Fact(Kind.FLAG, ("driving",), "Drives", "Drives or works machines", "whether they drive"),
    ] = None
    intrathecal_pump: Annotated[
        bool | None,
        Fact(Kind.FLAG, ("intrathecal-pump",), "Baclofen pump", "Has an intrathecal baclofen pump"),
    ] = None
    indication: Annotated[
        Indication | None,
        Fact(Kind.INDICATION, ("indication", "alcohol"), "Baclofen is for", words="what baclofen is for"),
    ] = None
    anaesthesia_planned: Annotated[
        bool | None,
        Fact(
            Kind.FLAG,
            ("anaesthesia",),
            "Anaesthesia planned",
            "An operation or anaesthesia is planned",
            "whether an anaesthesia is planned",
            ask_again=SOON,
        ),
    ] = None
    recorded_on: Annotated[
        Mapping[str, date] | None,
        Fact(Kind.DAYS, ("interaction-*",), "Recorded on", is_recorded=False),
    ] = None
    """The day from which a fact stands in the record as it is, by its name; of an unknown one the day on which it was asked."""

    def age_on(self, day: date) -> Decimal | None:
        """Completed years on ``day`` by the calendar; who is born on 29 February has birthday on 1 March otherwise."""
        if self.birth_date is None:
            return self.age_years
        born = self.birth_date
        return Decimal(day.year - born.year - ((day.month, day.day) < (born.month, born.day)))

    @classmethod
    def from_place(cls, place: Place, on: date) -> "PatientFacts":
        """Read the facts of a case that is asked on a day. Raises InvalidCase."""
        fields = place.fields(_NAMES)
        values: dict[str, Any] = {name: fields.get(name, read) for name, read in _READERS.items()}
        values["recorded_on"] = fields.get("recorded_on", lambda at: _read_days(at, on))
        for name in _DAYS:
            values[name] = fields.get(name, lambda at: _read_day(at, on))
        oldest = date(on.year - 130, 1, 1) if on.year > 2030 else EARLIEST
        born = fields.get("birth_date", lambda at: at.day(f"a date YYYY-MM-DD from {oldest} to {on}", oldest, on))
        if born is not None and values["age_years"] is not None:
            fields.place("age_years").refuse("either birth_date or age_years, not both")
        return cls(birth_date=born, **values)

    def to_json(self) -> dict[str, Any]:
        """Return every fact in the order of the declarations; unknown ones are None, or left out."""
        return {
            name: None if value is None else write(value)
            for (name, write), value in zip(_WRITERS.items(), self, strict=True)
            if value is not None or name in _ALWAYS_WRITTEN
        }


def _declared() -> dict[str, Fact]:
    facts = {}
    for name, hint in get_type_hints(PatientFacts, include_extras=True).items():
        fact: Fact = hint.__metadata__[0]
        words = fact.words or name.replace("_", " ")
        facts[name] = fact._replace(name=name, words=words, question=fact.question or fact.label)
    return facts


def _reader(fact: Fact) -> Callable[[Place], Any]:
    if fact.kind is Kind.AMOUNT:
        return lambda place: place.amount(fact.expected, fact.least, fact.most)
    if fact.kind in LISTS:
        read = {Kind.TEXTS: _read_text, Kind.CONDITIONS: _read_condition, Kind.MEDICINES: _read_medicine}[fact.kind]
        return lambda place: tuple(read(item) for item in place.items(MOST_LISTED))
    return {
        Kind.SEX: lambda place: place.word({str(sex): sex for sex in Sex}),
        Kind.INDICATION: lambda place: place.word({str(indication): indication for indication in Indication}),
        Kind.FLAG: Place.truth,
    }[fact.kind]


def _read_day(place: Place, on: date) -> date:
    """A day up to that of the review, or the next: it may be later where the patient is."""
    return place.day(f"a date YYYY-MM-DD, not after the day of the review ({on})", latest=on + timedelta(days=1))


def _read_days(place: Place, on: date) -> Mapping[str, date]:
    fields = place.fields(frozenset(FACTS))
    return {name: day for name in FACTS if (day := fields.get(name, lambda at: _read_day(at, on))) is not None}


def _read_text(place: Place) -> str:
    return place.text(200)


def _read_condition(place: Place) -> Condition | CodedCondition:
    if isinstance(place.value, str):
        condition: Condition = place.word({str(condition): condition for condition in Condition})
        return condition
    fields = place.fields(frozenset({"system", "code"}))
    return CodedCondition(fields.need("system", _read_text), fields.need("code", lambda at: at.text(50)))


def _read_medicine(place: Place) -> Medicine:
    fields = place.fields(frozenset({"name", "atc"}))
    medicine = Medicine(fields.get("name", _read_text), fields.get("atc", lambda at: at.text(20)))
    if medicine.name is None and medicine.atc is None:
        place.refuse("a medicine with a name, an ATC code, or both")
    return medicine


def _condition_json(condition: Condition | CodedCondition) -> str | dict[str, str]:
    return str(condition) if isinstance(condition, Condition) else condition._asdict()


_TO_JSON: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    Kind.BIRTH_DATE: date.isoformat,
    Kind.DAY: date.isoformat,
    Kind.SEX: str,
    Kind.INDICATION: str,
    Kind.AMOUNT: format_amount,
    Kind.FLAG: bool,
    Kind.TEXTS: list,
    Kind.CONDITIONS: lambda conditions: [_condition_json(condition) for condition in conditions],
    Kind.MEDICINES: lambda medicines: [medicine._asdict() for medicine in medicines],
    Kind.DAYS: lambda days: {name: day.isoformat() for name, day in days.items()},
}
_DECLARED: Final[Mapping[str, Fact]] = _declared()
_NAMES: Final = frozenset(_DECLARED)
_DAYS: Final = frozenset(name for name, fact in _DECLARED.items() if fact.kind is Kind.DAY)
_ALWAYS_WRITTEN: Final = frozenset({
    "birth_date", "age_years", "sex", "weight_kg", "egfr", "dialysis", "pregnant", "breastfeeding", "allergies", "conditions",
    "medicines", "alcohol_use", "drives", "intrathecal_pump",
})  # fmt: skip
"""Facts of the format's first release: a case is written with them, with later ones only where they are known."""
_READERS: Final = {
    name: _reader(fact) for name, fact in _DECLARED.items() if fact.kind not in {Kind.BIRTH_DATE, Kind.DAY, Kind.DAYS}
}
_WRITERS: Final = {name: _TO_JSON[fact.kind] for name, fact in _DECLARED.items()}

FACTS: Final[Mapping[str, Fact]] = {name: fact for name, fact in _DECLARED.items() if fact.is_recorded}
"""The facts that are recorded about a patient, by name."""
NOTHING_TO_FIND: Final[Mapping[str, Any]] = {
    name: [] if fact.kind in LISTS else False for name, fact in FACTS.items() if fact.kind in {Kind.FLAG, *LISTS}
}
"""The answers "no" and "none" to every question that has them."""
