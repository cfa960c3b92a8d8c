"""An order and a picked pack as the case format has them: what was written, as fields, as text, as a quantity."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from baclofen_rules.checked import Fields, Place
from baclofen_rules.directions import Question, Reading, read_directions
from baclofen_rules.lines import Line, ReadWords, combine_lines, find_scheme, read_line
from baclofen_rules.medicines import OwnMedicine
from baclofen_rules.products import OrderedMedicine
from baclofen_rules.regimen import UNIT_WORDS, Phase, Regimen, Unit, find_difference
from baclofen_rules.text import format_amount


def names(*names: str) -> frozenset[str]:
    return frozenset(names)


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
    as_needed: bool = False
    """Taken only when needed: the doses of a day are the most that may be taken."""
    is_counted: bool = False
    """Of the second case format: a therapy counts its repeats from where the course stands, and its doses as needed."""
    expected_days: int | None = None
    """Days that the quantity is expected to last."""
    lines: tuple[Line, ...] = ()
    """The lines that the order was written in, where it had several."""
    products: "tuple[Order, ...]" = ()
    """The same order for each of its strengths, where it has several; the order itself then has the doses together."""
    reading: Reading | Question | None = None
    """What the directions say, read once when the case is built; None without directions."""
    structured: Regimen | None = field(init=False, repr=False, compare=False)
    """The regimen of the structured fields; None where there are none."""
    regimen: Regimen | None = field(init=False, repr=False, compare=False)
    """The structured regimen, or where there is none the one of the directions, also where only its days are in doubt.

    What follows its last phase is the field's where the words do not say it.
    """

    @property
    def has_own_words(self) -> bool:
        """Whether words stand on one of its strengths at least, and none on the order as a whole."""
        return self.reading is None and any(product.reading is not None for product in self.products)

    def __post_init__(self) -> None:
        structured = None if self.phases is None else Regimen(self.phases, self.then_stop)
        read = None if self.reading is None else self.reading.regimen
        if read is not None and read.then_stop is None:  # the words do not say it, a field may
            read = replace(read, then_stop=self.then_stop)
        object.__setattr__(self, "structured", structured)
        object.__setattr__(self, "regimen", structured or read)


class Wordings(NamedTuple):
    """What the words of directions are read with."""

    od_means_once_daily: bool | None = None
    """The site's word on "od"."""
    own: OwnMedicine | None = None
    """The medicine that they are about; None is the one that ships."""


class Pick(NamedTuple):
    """The pack that was scanned; None is what it does not say."""

    strength_mg: Decimal | None
    medicine: OrderedMedicine | None = None
    brand: str | None = None
    form: str | None = None
    expires_on: date | None = None
    """The last day on which it may be used."""


ORDER_FIELDS = names(
    *("medicine", "written_on", "route", "form", "strength_mg", "brand", "phases", "then_stop", "directions"),
    *("quantity", "repeats", "as_needed", "expected_days", "lines"),
)
WORDS_FIELDS = names("directions", "expected_days", "lines")
"""What is compared with the doses."""
LINE_FIELDS = names("sequence", "directions", "dose", "times_per_day", "doses", "unit", "days", "starts_on")
MEDICINE_FIELDS = names("name", "atc", "codes")
PICK_FIELDS = names("strength_mg", "medicine", "brand", "form", "expires_on")
PHASE_FIELDS = names("dose", "times_per_day", "doses", "times", "unit", "days", "from_day")
MOST_PHASES, MOST_DOSES, MOST_DAYS = 100, 24, 3650
MOST_DIRECTIONS = 2000
MOST_CODES = 20
TIMES_OF_DAY = names("morning", "midday", "evening", "bedtime")


def members(kind: type[StrEnum]) -> dict[str, Any]:
    return {str(member): member for member in kind}


def amount_between(expected: str, least: str, most: str) -> Callable[[Place], Decimal]:
    low, high = Decimal(least), Decimal(most)
    return lambda place: place.amount(expected, low, high)


def read_text(most: int) -> Callable[[Place], str]:
    return lambda place: place.text(most)


def read_truth(place: Place) -> bool:
    return place.truth()


read_dose = amount_between("a dose above 0, at most 1000000, with at most 6 decimal places", "0.000001", "1000000")
read_strength = amount_between("a tablet strength in mg above 0, at most 1000", "0.001", "1000")
read_quantity = amount_between("a number of tablets above 0, at most 100000", "0.001", "100000")


def read_order(place: Place, on: date, wordings: Wordings) -> Order:
    """Read a prescription of the first case format."""
    fields = place.fields(ORDER_FIELDS)
    return read_written(fields, fields, on, wordings)


def read_written(common: Fields, fields: Fields, on: date, wordings: Wordings, is_counted: bool = False) -> Order:
    """Read what was written, from the fields of an order and those of one of its products, which may have words of its own."""
    words = common if all(fields.values.get(name) is None for name in WORDS_FIELDS) else fields
    read = fields.get("phases", read_phases)
    strength = fields.get("strength_mg", read_strength)
    directions = words.get("directions", read_text(MOST_DIRECTIONS))

    def read_words(text: str) -> Reading | Question:
        return read_directions(text, strength, wordings.od_means_once_daily, wordings.own)

    lines = tuple(
        words.get("lines", lambda at: [read_written_line(item, read_words) for item in at.items(MOST_PHASES)]) or ()
    )
    scheme = find_scheme(lines)
    if scheme is not None:
        lines = tuple(line._replace(reading=None) for line in lines)
    reading: Reading | Question | None = scheme or combine_lines(lines, directions)
    if reading is None and directions is not None and all(line.directions for line in lines):
        reading = read_words(directions)
    elif reading is None:
        reading = next((line.reading for line in lines if isinstance(line.reading, Question)), None)
    return Order(
        written_on=common.get(
            "written_on", lambda at: at.day(f"a date YYYY-MM-DD, not after the day of the review ({on})", latest=on)
        ),
        route=common.get("route", read_text(100)),
        form=common.get("form", read_text(200)),
        strength_mg=strength,
        brand=fields.get("brand", read_text(200)),
        phases=None if read is None else tuple(phase for phase, _ in read),
        starts=() if read is None else tuple(start for _, start in read),
        then_stop=common.get("then_stop", read_truth),
        directions=directions,
        quantity=fields.get("quantity", read_quantity),
        repeats=common.get("repeats", lambda at: at.whole("a whole number from 0 to 99", 0, 99)),
        medicine=common.get("medicine", read_medicine),
        as_needed=common.get("as_needed", read_truth) or (isinstance(reading, Reading) and reading.as_needed),
        is_counted=is_counted,
        expected_days=words.get("expected_days", read_days),
        lines=lines,
        reading=reading,
    )


def combine_words(
    products: Sequence[Order], together: Regimen | None, is_structured: bool
) -> tuple[str | None, Reading | Question | None]:
    """Return what the words of an order of several products say of all, as text and as read; (None, None) where each has its own.

    `together` has the doses of all of them; they come from words where not `is_structured`.
    """
    worded = [product for product in products if product.directions is not None]
    texts = list(dict.fromkeys(product.directions or "" for product in worded))
    if not is_structured:
        question = next((product.reading for product in worded if isinstance(product.reading, Question)), None)
        text = "; ".join(texts) or None
        if question is not None or text is None or together is None:
            return text, question
        return text, Reading(text, together, products[0].as_needed)
    if len(texts) == 1:
        first = worded[0]
        is_of_each = all(_says(product, product.structured) for product in products)
        if _says(first, together) or (len(worded) == len(products) and not is_of_each):
            return first.directions, first.reading
    return None, None


def _says(order: Order, structured: Regimen | None) -> bool:
    """Return whether the words of an order say these doses."""
    reading = order.reading
    return (
        isinstance(reading, Reading)
        and structured is not None
        and find_difference(reading.regimen, structured) != "dose"
    )


def read_days(place: Place) -> int:
    return place.whole(f"a whole number of days from 1 to {MOST_DAYS}", 1, MOST_DAYS)


def read_unit(place: Place) -> Unit:
    return place.word(UNIT_WORDS)


def read_written_line(place: Place, read_words: ReadWords) -> Line:
    """Read a line of an order: its words, its own doses, or both."""
    fields = place.fields(LINE_FIELDS)
    phase = None
    if fields.values.get("unit") is not None:
        phase = Phase(read_doses(fields), fields.get("days", read_days), fields.need("unit", read_unit))
    return read_line(
        fields.need("sequence", lambda at: at.whole(f"a whole number from 1 to {MOST_PHASES}", 1, MOST_PHASES)),
        fields.get("directions", read_text(MOST_DIRECTIONS)),
        phase,
        fields.get("starts_on", lambda at: at.day("a date YYYY-MM-DD")),
        read_words,
    )


def read_medicine(place: Place) -> OrderedMedicine:
    """A medicine by its name alone, or as an object with name, ATC code and codes of other systems."""
    if isinstance(place.value, str):
        return OrderedMedicine(place.text(200))
    fields = place.fields(MEDICINE_FIELDS)
    medicine = OrderedMedicine(
        name=fields.get("name", read_text(200)),
        atc=fields.get("atc", read_text(20)),
        codes=fields.get("codes", lambda at: tuple(read_code(item) for item in at.items(MOST_CODES))) or (),
    )
    if medicine == OrderedMedicine(None):
        place.refuse("a medicine with a name, an ATC code or another code")
    return medicine


def read_code(place: Place) -> tuple[str, str]:
    fields = place.fields(names("system", "code"))
    return fields.need("system", read_text(200)), fields.need("code", read_text(50))


def read_pick(place: Place) -> Pick:
    fields = place.fields(PICK_FIELDS)
    return Pick(
        strength_mg=fields.get("strength_mg", read_strength),
        medicine=fields.get("medicine", read_medicine),
        brand=fields.get("brand", read_text(200)),
        form=fields.get("form", read_text(200)),
        expires_on=fields.get("expires_on", lambda at: at.day("a date YYYY-MM-DD", date.min, date.max)),
    )


def read_phases(place: Place) -> tuple[tuple[Phase, int | None], ...]:
    items = place.items(MOST_PHASES, least=1)
    return tuple(read_phase(item, item is items[-1]) for item in items)


def read_phase(place: Place, last: bool) -> tuple[Phase, int | None]:
    fields = place.fields(PHASE_FIELDS)
    days = fields.get("days", read_days)
    if days is None and not last:
        fields.place("days").refuse("a number of days: only the last phase may have an open end")
    unit = fields.need("unit", read_unit)
    start = fields.get("from_day", lambda at: at.whole("a day of the course from 1", 1, MOST_PHASES * MOST_DAYS))
    doses = read_doses(fields)
    return Phase(doses, days, unit, fields.get("times", lambda at: read_times(at, len(doses)))), start


def read_times(place: Place, count: int) -> tuple[str | None, ...]:
    """The time of each dose: morning, midday, evening, bedtime or HH:MM; null where that is not said."""
    items = place.items(MOST_DOSES)
    if len(items) != count:
        place.refuse(f"as many times as doses: {count}")
    for item in items:
        is_clock = isinstance(item.value, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", item.value, re.ASCII)
        if item.value is not None and item.value not in TIMES_OF_DAY and not is_clock:
            item.refuse(f"one of {', '.join(sorted(TIMES_OF_DAY))}, or HH:MM, or null")
    return tuple(item.value for item in items)


def read_doses(fields: Fields) -> tuple[Decimal, ...]:
    """One day's doses, from ``doses`` or from ``dose`` and ``times_per_day``."""
    doses = fields.get("doses", lambda at: tuple(read_dose(item) for item in at.items(MOST_DOSES, least=1)))
    if doses is None:
        times = fields.need(
            "times_per_day", lambda at: at.whole(f"a whole number from 1 to {MOST_DOSES}", 1, MOST_DOSES)
        )
        return (fields.need("dose", read_dose),) * times
    for name in ("dose", "times_per_day"):
        if fields.values.get(name) is not None:
            fields.place(name).refuse("either doses, or dose with times_per_day, not both")
    return doses


def amount_json(amount: Decimal | None) -> str | None:
    return None if amount is None else format_amount(amount)


def day_json(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def order_json(order: Order) -> dict[str, Any]:
    medicine = {} if order.medicine is None else {"medicine": medicine_json(order.medicine)}
    return {
        **medicine,
        "written_on": day_json(order.written_on),
        "route": order.route,
        "form": order.form,
        "strength_mg": amount_json(order.strength_mg),
        "brand": order.brand,
        "phases": None
        if order.phases is None
        else [phase_json(phase, start) for phase, start in zip(order.phases, order.starts, strict=True)],
        "then_stop": order.then_stop,
        "directions": order.directions,
        "quantity": amount_json(order.quantity),
        "repeats": order.repeats,
        # Where the words say it, they are read again.
        **(
            {"as_needed": True}
            if order.as_needed and not (isinstance(order.reading, Reading) and order.reading.as_needed)
            else {}
        ),
        **witnesses_json(order),
    }


def witnesses_json(order: Order) -> dict[str, Any]:
    """Return what is compared with the doses beside the directions, where the order says it."""
    lines = {"lines": [line_json(line) for line in order.lines]} if order.lines else {}
    return ({} if order.expected_days is None else {"expected_days": order.expected_days}) | lines


def line_json(line: Line) -> dict[str, Any]:
    return {
        "sequence": line.sequence,
        "directions": line.directions,
        **({} if line.phase is None else phase_json(line.phase, None)),
        **({} if line.starts_on is None else {"starts_on": day_json(line.starts_on)}),
    }


def medicine_json(medicine: OrderedMedicine) -> dict[str, Any]:
    fields = {"name": medicine.name, "atc": medicine.atc}
    codes = [{"system": system, "code": code} for system, code in medicine.codes]
    return {**fields, "codes": codes} if codes else fields


def pick_json(pick: Pick) -> dict[str, Any]:
    """The pick as JSON; without what the pack does not say, as it was before packs said more than a strength."""
    fields = {
        "medicine": None if pick.medicine is None else medicine_json(pick.medicine),
        "brand": pick.brand,
        "form": pick.form,
        "expires_on": day_json(pick.expires_on),
    }
    return {
        "strength_mg": amount_json(pick.strength_mg),
        **{name: value for name, value in fields.items() if value is not None},
    }


def phase_json(phase: Phase, start: int | None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "doses": [format_amount(dose) for dose in phase.doses],
        "unit": str(phase.unit),
        "days": phase.days,
    }
    if phase.times is not None:
        fields["times"] = list(phase.times)
    return fields if start is None else {**fields, "from_day": start}
