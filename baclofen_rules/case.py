"""The case: all facts that a rule may read, checked as it is built.

A case is made by ``Case.from_json`` only: a value that is wrong in kind, range or spelling raises ``InvalidCase``
with its JSON path. An absent or null fact about the patient means
*unknown*, which is neither false nor an empty list.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from baclofen_rules.checked import EARLIEST, LATEST, Fields, InvalidCase, Place, parse_json
from baclofen_rules.directions import Question, Reading, read_directions
from baclofen_rules.facts import PatientFacts
from baclofen_rules.products import OrderedMedicine
from baclofen_rules.regimen import UNIT_WORDS, Phase, Regimen, Unit
from baclofen_rules.text import format_amount

__all__ = ["Action", "Case", "Fill", "InvalidCase", "Order", "Pick"]

FORMAT: Final = "baclofen-case/1"


class Action(StrEnum):
    """The act under review."""

    DISPENSE = "dispense"
    DISCONTINUE = "discontinue"


class Relation(StrEnum):
    """The relation of an earlier supply to this course."""

    SAME_COURSE = "same-course"
    """An earlier supply of this course, also one that this prescription replaces."""
    CONCURRENT = "concurrent"
    """Another supply that is still meant to run."""


@dataclass(frozen=True, slots=True)
class Order:
    """The prescription: what was ordered, as structured fields, as text, and as a quantity."""

    written_on: date | None
    route: str | None
    form: str | None
    strength_mg: Decimal | None
    brand: str | None
    phases: tuple[Phase, ...] | None
    starts: tuple[int | None, ...]
    """The day of the course on which each phase is said to begin, where it is said; day 1 is the first."""
    then_stop: bool | None
    directions: str | None
    quantity: Decimal | None
    """Tablets."""
    repeats: int | None
    medicine: OrderedMedicine | None = None
    reading: Reading | Question | None = None
    """What the directions say, read once when the case is built; None without directions."""
    structured: Regimen | None = field(init=False, repr=False, compare=False)
    """The regimen of the structured fields; None where there are none."""
    regimen: Regimen | None = field(init=False, repr=False, compare=False)
    """The structured regimen, or where there is none the one that the directions say without doubt."""

    def __post_init__(self) -> None:
        structured = None if self.phases is None else Regimen(self.phases, self.then_stop)
        read = self.reading.regimen if isinstance(self.reading, Reading) else None
        object.__setattr__(self, "structured", structured)
        object.__setattr__(self, "regimen", structured or read)


@dataclass(frozen=True, slots=True)
class Fill:
    """An earlier supply of baclofen."""

    dispensed_on: date
    doses: tuple[Decimal, ...]
    """One day's doses in milligrams."""
    days_supply: int
    relation: Relation
    strength_mg: Decimal | None = None
    dose_since: date | None = None
    """The day this daily dose began; None: the day of the supply."""
    mg_per_day: Decimal = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mg_per_day", sum(self.doses, Decimal(0)))


class Pick(NamedTuple):
    """The pack that was scanned; None is what it does not say."""

    strength_mg: Decimal | None
    medicine: OrderedMedicine | None = None
    brand: str | None = None
    form: str | None = None
    expires_on: date | None = None
    """The last day on which it may be used."""


class Case(NamedTuple):
    """One question: may this be done, for this patient, today?"""

    on: date
    action: Action
    patient: PatientFacts
    order: Order | None
    picked: Pick | None
    """None before the scan."""
    history: tuple[Fill, ...] | None
    """Earlier supplies; None is unknown, an empty tuple is none."""
    reason: str | None

    @classmethod
    def from_text(cls, text: str | bytes, on: date | None = None, od_means_once_daily: bool | None = None) -> "Case":
        """A case from JSON text; otherwise as ``from_json``."""
        return cls.from_json(parse_json(text), on, od_means_once_daily)

    @classmethod
    def from_json(cls, obj: Any, on: date | None = None, od_means_once_daily: bool | None = None) -> "Case":
        """A case from decoded JSON. Raises InvalidCase.

        ``on`` stands in for the day in the case; ``od_means_once_daily`` is the site's word on "od" in directions.
        """
        return _read_case(Place(obj, ""), on, od_means_once_daily)

    def with_day(self, on: date) -> "Case":
        """The same case asked on another day, checked again."""
        return Case.from_json(self.to_json(), on)

    def to_json(self) -> dict[str, Any]:
        """The case as JSON: every field in a fixed order, amounts as plain decimal strings; reads back to itself."""
        return {
            "format": FORMAT,
            "on": self.on.isoformat(),
            "action": str(self.action),
            "reason": self.reason,
            "patient": self.patient.to_json(),
            "prescription": None if self.order is None else _order_json(self.order),
            "picked": None if self.picked is None else _pick_json(self.picked),
            "history": None if self.history is None else [_fill_json(fill) for fill in self.history],
        }


def _names(*names: str) -> frozenset[str]:
    return frozenset(names)


CASE_FIELDS = _names("format", "on", "action", "reason", "patient", "prescription", "picked", "history")
ORDER_FIELDS = _names(
    *("medicine", "written_on", "route", "form", "strength_mg", "brand", "phases", "then_stop", "directions"),
    *("quantity", "repeats"),
)
MEDICINE_FIELDS = _names("name", "atc", "codes")
PICK_FIELDS = _names("strength_mg", "medicine", "brand", "form", "expires_on")
PHASE_FIELDS = _names("dose", "times_per_day", "doses", "unit", "days", "from_day")
FILL_FIELDS = _names(
    "dispensed_on", "dose", "times_per_day", "doses", "strength_mg", "days_supply", "dose_since", "relation"
)
MOST_PHASES, MOST_DOSES, MOST_DAYS, MOST_FILLS = 100, 24, 3650, 1000
MOST_DIRECTIONS = 2000
MOST_CODES = 20


def _members(kind: type[StrEnum]) -> dict[str, Any]:
    return {str(member): member for member in kind}


def _amount(expected: str, least: str, most: str) -> Callable[[Place], Decimal]:
    low, high = Decimal(least), Decimal(most)
    return lambda place: place.amount(expected, low, high)


def _text(most: int) -> Callable[[Place], str]:
    return lambda place: place.text(most)


def _truth(place: Place) -> bool:
    return place.truth()


_dose = _amount("a dose above 0, at most 1000000, with at most 6 decimal places", "0.000001", "1000000")
_strength = _amount("a tablet strength in mg above 0, at most 1000", "0.001", "1000")
_quantity = _amount("a number of tablets above 0, at most 100000", "0.001", "100000")


def _read_case(place: Place, on: date | None, od_means_once_daily: bool | None) -> Case:
    fields = place.fields(CASE_FIELDS)
    fields.need("format", lambda at: at.word({FORMAT: FORMAT}))
    if on is None:
        on = fields.need("on", lambda at: at.day(f"a date YYYY-MM-DD from {EARLIEST} to {LATEST}"))
    elif not EARLIEST <= on <= LATEST:
        raise InvalidCase("on", str(on), f"a date from {EARLIEST} to {LATEST}")
    day = on
    action: Action = fields.need("action", lambda at: at.word(_members(Action)))
    order = fields.get("prescription", lambda at: _read_order(at, day, od_means_once_daily))
    if action is Action.DISPENSE and order is None:
        raise InvalidCase("prescription", "nothing", "the prescription that is to be dispensed")
    if action is Action.DISCONTINUE and order is not None:
        raise InvalidCase("prescription", "an object", "no prescription: the action is discontinue")
    return Case(
        on=day,
        action=action,
        patient=fields.get("patient", lambda at: PatientFacts.from_place(at, day)) or PatientFacts(),
        order=order,
        picked=fields.get("picked", _read_pick),
        history=fields.get("history", lambda at: tuple(_read_fill(item, day) for item in at.items(MOST_FILLS))),
        reason=fields.get("reason", _text(200)),
    )


def _read_order(place: Place, on: date, od_means_once_daily: bool | None) -> Order:
    fields = place.fields(ORDER_FIELDS)
    read = fields.get("phases", _read_phases)
    strength = fields.get("strength_mg", _strength)
    directions = fields.get("directions", _text(MOST_DIRECTIONS))
    return Order(
        written_on=fields.get(
            "written_on", lambda at: at.day(f"a date YYYY-MM-DD, not after the day of the review ({on})", latest=on)
        ),
        route=fields.get("route", _text(100)),
        form=fields.get("form", _text(200)),
        strength_mg=strength,
        brand=fields.get("brand", _text(200)),
        phases=None if read is None else tuple(phase for phase, _ in read),
        starts=() if read is None else tuple(start for _, start in read),
        then_stop=fields.get("then_stop", _truth),
        directions=directions,
        quantity=fields.get("quantity", _quantity),
        repeats=fields.get("repeats", lambda at: at.whole("a whole number from 0 to 99", 0, 99)),
        medicine=fields.get("medicine", _read_medicine),
        reading=None if directions is None else read_directions(directions, strength, od_means_once_daily),
    )


def _read_medicine(place: Place) -> OrderedMedicine:
    """A medicine by its name alone, or as an object with name, ATC code and codes of other systems."""
    if isinstance(place.value, str):
        return OrderedMedicine(place.text(200))
    fields = place.fields(MEDICINE_FIELDS)
    medicine = OrderedMedicine(
        name=fields.get("name", _text(200)),
        atc=fields.get("atc", _text(20)),
        codes=fields.get("codes", lambda at: tuple(_read_code(item) for item in at.items(MOST_CODES))) or (),
    )
    if medicine == OrderedMedicine(None):
        place.refuse("a medicine with a name, an ATC code or another code")
    return medicine


def _read_code(place: Place) -> tuple[str, str]:
    fields = place.fields(_names("system", "code"))
    return fields.need("system", _text(200)), fields.need("code", _text(50))


def _read_pick(place: Place) -> Pick:
    fields = place.fields(PICK_FIELDS)
    return Pick(
        strength_mg=fields.get("strength_mg", _strength),
        medicine=fields.get("medicine", _read_medicine),
        brand=fields.get("brand", _text(200)),
        form=fields.get("form", _text(200)),
        expires_on=fields.get("expires_on", lambda at: at.day("a date YYYY-MM-DD", date.min, date.max)),
    )


def _read_phases(place: Place) -> tuple[tuple[Phase, int | None], ...]:
    items = place.items(MOST_PHASES, least=1)
    return tuple(_read_phase(item, item is items[-1]) for item in items)


def _read_phase(place: Place, last: bool) -> tuple[Phase, int | None]:
    fields = place.fields(PHASE_FIELDS)
    days = fields.get("days", lambda at: at.whole(f"a whole number of days from 1 to {MOST_DAYS}", 1, MOST_DAYS))
    if days is None and not last:
        fields.place("days").refuse("a number of days: only the last phase may have an open end")
    unit: Unit = fields.need("unit", lambda at: at.word(UNIT_WORDS))
    start = fields.get("from_day", lambda at: at.whole("a day of the course from 1", 1, MOST_PHASES * MOST_DAYS))
    return Phase(_read_doses(fields), days, unit), start


def _read_doses(fields: Fields) -> tuple[Decimal, ...]:
    """One day's doses, from ``doses`` or from ``dose`` and ``times_per_day``."""
    doses = fields.get("doses", lambda at: tuple(_dose(item) for item in at.items(MOST_DOSES, least=1)))
    if doses is None:
        times = fields.need(
            "times_per_day", lambda at: at.whole(f"a whole number from 1 to {MOST_DOSES}", 1, MOST_DOSES)
        )
        return (fields.need("dose", _dose),) * times
    for name in ("dose", "times_per_day"):
        if fields.values.get(name) is not None:
            fields.place(name).refuse("either doses, or dose with times_per_day, not both")
    return doses


def _read_fill(place: Place, on: date) -> Fill:
    fields = place.fields(FILL_FIELDS)
    expected = f"a date YYYY-MM-DD, not after the day of the review ({on})"
    return Fill(
        dispensed_on=fields.need("dispensed_on", lambda at: at.day(expected, latest=on)),
        doses=_read_doses(fields),
        days_supply=fields.need(
            "days_supply", lambda at: at.whole(f"a whole number of days from 1 to {MOST_DAYS}", 1, MOST_DAYS)
        ),
        relation=fields.need("relation", lambda at: at.word(_members(Relation))),
        strength_mg=fields.get("strength_mg", _strength),
        dose_since=fields.get("dose_since", lambda at: at.day(expected, latest=on)),
    )


def _amount_json(amount: Decimal | None) -> str | None:
    return None if amount is None else format_amount(amount)


def _day_json(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _order_json(order: Order) -> dict[str, Any]:
    medicine = {} if order.medicine is None else {"medicine": _medicine_json(order.medicine)}
    return {
        **medicine,
        "written_on": _day_json(order.written_on),
        "route": order.route,
        "form": order.form,
        "strength_mg": _amount_json(order.strength_mg),
        "brand": order.brand,
        "phases": None
        if order.phases is None
        else [_phase_json(phase, start) for phase, start in zip(order.phases, order.starts, strict=True)],
        "then_stop": order.then_stop,
        "directions": order.directions,
        "quantity": _amount_json(order.quantity),
        "repeats": order.repeats,
    }


def _medicine_json(medicine: OrderedMedicine) -> dict[str, Any]:
    fields = {"name": medicine.name, "atc": medicine.atc}
    codes = [{"system": system, "code": code} for system, code in medicine.codes]
    return {**fields, "codes": codes} if codes else fields


def _pick_json(pick: Pick) -> dict[str, Any]:
    """The pick as JSON; without what the pack does not say, as it was before packs said more than a strength."""
    fields = {
        "medicine": None if pick.medicine is None else _medicine_json(pick.medicine),
        "brand": pick.brand,
        "form": pick.form,
        "expires_on": _day_json(pick.expires_on),
    }
    return {
        "strength_mg": _amount_json(pick.strength_mg),
        **{name: value for name, value in fields.items() if value is not None},
    }


def _phase_json(phase: Phase, start: int | None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "doses": [format_amount(dose) for dose in phase.doses],
        "unit": str(phase.unit),
        "days": phase.days,
    }
    return fields if start is None else {**fields, "from_day": start}


def _fill_json(fill: Fill) -> dict[str, Any]:
    return {
        "dispensed_on": fill.dispensed_on.isoformat(),
        "doses": [format_amount(dose) for dose in fill.doses],
        "strength_mg": _amount_json(fill.strength_mg),
        "days_supply": fill.days_supply,
        "dose_since": _day_json(fill.dose_since),
        "relation": str(fill.relation),
    }
