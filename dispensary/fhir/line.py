"""One dosage instruction: its words, dose, times, route and need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from baclofen_rules.directions import CONTRADICTIONS, Question, Reading, read_directions
from baclofen_rules.products import is_intrathecal, is_oral
from dispensary.fhir.elements import (
    Inquiry,
    as_object,
    as_objects,
    as_text,
    as_whole,
    check_elements,
    read_codings,
    read_words,
)
from dispensary.fhir.timing import When, read_first_day, read_timing
from dispensary.fhir.units import SNOMED, Measure, Quantity, read_quantity

_READ = ["sequence", "text", "patientInstruction", "timing", "asNeededBoolean", "asNeededCodeableConcept", "route"]
_BESIDE = ["site", "method", "additionalInstruction"]
_DOSES = ["doseAndRate", "doseQuantity", "maxDosePerPeriod", "maxDosePerAdministration", "maxDosePerLifetime"]
_CHANGES_DOSE = re.compile(
    r"\d|\b(half|halve|double|once|twice|tablets?|tabs?|mg|doses?|stop|skip|omit|increase|reduce|raise|lower|"
    r"(mon|tues|wednes|thurs|fri|satur|sun)days?|daily|weekly|days?|weeks?|months?|until|if|unless|needed|prn)\b",
    re.IGNORECASE,
)
_ROUTES = {(SNOMED, "26643006"): "oral", (SNOMED, "72607000"): "intrathecal"}


@dataclass(frozen=True, slots=True)
class Line:
    """One dosage instruction."""

    path: str
    sequence: int | None
    text: str
    route: str
    dose: Decimal | None
    unit: Measure | None
    when: When | None
    as_needed: bool = False
    starts_on: date | None = None
    """The first day that its timing names, also beside words alone."""
    max_mg_per_day: Decimal | None = None

    @property
    def structure(self) -> tuple[Any, ...] | None:
        """Return dose and times where the line has both."""
        return None if self.dose is None or self.when is None else (self.dose, self.unit, self.when)

    def to_json(self, sequence: int) -> dict[str, Any]:
        """Return the line as the order of the case format has it."""
        fields: dict[str, Any] = {"sequence": sequence, "directions": self.text or None}
        if self.when is not None and self.dose:
            fields |= {"doses": [self.dose] * len(self.when.moments), "unit": str(self.unit), "days": self.when.days}
        return fields | ({"starts_on": self.starts_on.isoformat()} if self.starts_on else {})


def read_line(
    thing: Mapping[str, Any], path: str, strength_mg: Decimal | None, inquiry: Inquiry, *, is_tablet: bool
) -> Line:
    check_elements(thing, path, inquiry, [*_READ, *_DOSES, *_BESIDE])
    text = as_text(thing.get("text"), f"{path}.text", inquiry) or as_text(
        thing.get("patientInstruction"), f"{path}.patientInstruction", inquiry
    )
    as_needed = _read_need(thing, path, inquiry)
    text = _add_words(thing, path, text, strength_mg, inquiry)
    dose = _read_dose(thing, path, strength_mg, inquiry, may_be_other=not is_tablet)
    timing = as_object(thing.get("timing"), f"{path}.timing", inquiry)
    when = (
        read_timing(timing, f"{path}.timing", inquiry, has_text=bool(text)) if timing and (dose or not text) else None
    )
    if timing and dose is None and text:
        inquiry.note(path, "has a timing but no dose; only its words are read")
    if dose is not None and not timing:
        inquiry.ask(f"{path}.timing", "nothing beside a dose", "how often the dose is taken")
    if not text:
        inquiry.miss(f"{path}.text", "its doses are compared with no words")
    sequence = as_whole(thing.get("sequence"), f"{path}.sequence", inquiry, least=0)
    route = _read_route(thing, path, inquiry)
    amount, unit = (dose.value, dose.measure) if dose else (None, None)
    starts_on = when.starts_on if when else read_first_day(timing, f"{path}.timing", inquiry)
    line = Line(path, sequence, text, route, amount, unit, when, as_needed, starts_on)
    return replace(line, max_mg_per_day=_read_maxima(thing, line, strength_mg, inquiry))


def _read_need(thing: Mapping[str, Any], path: str, inquiry: Inquiry) -> bool:
    """Return True where the line is taken only when needed; a reason for it is noted."""
    flag = thing.get("asNeededBoolean")
    if flag is not None and not isinstance(flag, bool):
        inquiry.ask(f"{path}.asNeededBoolean", f"a {type(flag).__name__}", "true or false", "Send valid FHIR R4.")
    if thing.get("asNeededCodeableConcept") is None:
        if flag is None:
            inquiry.miss(f"{path}.asNeeded", "read as doses to be taken regularly")
        return flag is True
    where = f"{path}.asNeededCodeableConcept"
    concept = as_object(thing["asNeededCodeableConcept"], where, inquiry)
    if flag is False:
        inquiry.ask(where, "a reason to take it, while asNeededBoolean is false", "one of the two")
    inquiry.note(where, f"to be taken when needed: {read_words(concept, where, inquiry)}")
    return True


def _add_words(thing: Mapping[str, Any], path: str, text: str, strength_mg: Decimal | None, inquiry: Inquiry) -> str:
    """Return the directions with the words beside them that say something else; other words ("with food") are noted.

    Words that forbid, or name another route, form or dose, become a part of the directions, so that a rule holds the order.
    """
    added = [text]
    for where, concept in as_objects(thing.get("additionalInstruction"), f"{path}.additionalInstruction", inquiry):
        words = read_words(concept, where, inquiry)
        if _CHANGES_DOSE.search(words):
            expected = "the doses in the directions or the structure, nothing beside them"
            inquiry.ask(where, "words that may change the doses", expected)
        elif _contradicts(words):
            added.append(words)
        else:
            inquiry.note(where, f"was not read by the rules: {words}")
    for name in ("site", "method"):
        concept = as_object(thing.get(name), f"{path}.{name}", inquiry)
        if concept and not is_intrathecal(words := read_words(concept, f"{path}.{name}", inquiry)):
            inquiry.note(f"{path}.{name}", f"was not read by the rules: {words}")
            added += [words] if _contradicts(words) else []
    beside = as_text(thing.get("patientInstruction"), f"{path}.patientInstruction", inquiry)
    if beside and text != beside:
        first, second = (read_directions(words, strength_mg) for words in (text, beside))
        if _contradicts(beside) or (
            isinstance(first, Reading) and isinstance(second, Reading) and _differ(first, second)
        ):
            added.append(beside)
        elif not (isinstance(first, Reading) and isinstance(second, Reading)):
            inquiry.note(f"{path}.patientInstruction", f"was not compared with the directions: {beside[:400]}")
    return ". ".join(filter(None, added))


def _contradicts(words: str) -> bool:
    """Return whether words forbid, or name another medicine, route, form, unit or rhythm."""
    answer = read_directions(words)
    return isinstance(answer, Question) and answer.why in CONTRADICTIONS


def _differ(first: Reading, second: Reading) -> bool:
    return (first.regimen, first.as_needed, first.max_mg_per_day) != (
        second.regimen,
        second.as_needed,
        second.max_mg_per_day,
    )


def _read_route(thing: Mapping[str, Any], path: str, inquiry: Inquiry) -> str:
    """Return the route by its code or in its words; a site in the space around the spinal cord is one too."""
    path, site_path = f"{path}.route", f"{path}.site"
    concept = as_object(thing.get("route"), path, inquiry)
    coded = read_codings(concept, path, inquiry)
    stated = [as_text(concept.get("text"), f"{path}.text", inquiry), *(display for *_, display in coded)]
    site = read_words(as_object(thing.get("site"), site_path, inquiry), site_path, inquiry)
    stated += [site] if is_intrathecal(site) else []
    routes = {_ROUTES[system, code] for system, code, _ in coded if (system, code) in _ROUTES}
    routes |= {"oral" if is_oral(text) else "intrathecal" for text in stated if is_oral(text) or is_intrathecal(text)}
    if len(routes) > 1:
        inquiry.ask(path, "words and a code for different routes", "one route")
    other = next(filter(None, stated), "") or ", ".join(f"{system} {code}".strip() for system, code, _ in coded)
    return next(iter(routes), other[:100])


def _read_dose(
    thing: Mapping[str, Any], path: str, strength_mg: Decimal | None, inquiry: Inquiry, *, may_be_other: bool
) -> Quantity | None:
    """Return the dose in mg or micrograms. `doseQuantity` outside `doseAndRate` is older FHIR and is read.

    Where it `may_be_other`, a dose in another unit or a rate is noted and None is returned: the words are read.
    """
    complain = inquiry.note_doubt if may_be_other else inquiry.ask
    quantities: list[tuple[str, Mapping[str, Any]]] = []
    if "doseQuantity" in thing:
        inquiry.note(f"{path}.doseQuantity", "older FHIR, read as the dose")
        quantities.append((f"{path}.doseQuantity", as_object(thing["doseQuantity"], f"{path}.doseQuantity", inquiry)))
    for where, entry in as_objects(thing.get("doseAndRate"), f"{path}.doseAndRate", inquiry):
        check_elements(
            entry, where, inquiry, ["type", "doseQuantity", "doseRange", "rateRatio", "rateRange", "rateQuantity"]
        )
        if "doseRange" in entry:
            inquiry.ask(f"{where}.doseRange", "a range of doses", "one dose")
        for rate in ("rateRatio", "rateRange", "rateQuantity"):
            if rate in entry:
                complain(f"{where}.{rate}", "a rate", "a dose: tablets have no rate")
        if "doseQuantity" in entry:
            quantities.append(
                (f"{where}.doseQuantity", as_object(entry["doseQuantity"], f"{where}.doseQuantity", inquiry))
            )
    doses = [
        _convert_to_mg(read_quantity(quantity, where, inquiry, may_be_other=may_be_other), where, strength_mg, inquiry)
        for where, quantity in quantities
    ]
    if len({dose for dose in doses if dose is not None}) > 1:
        inquiry.ask(f"{path}.doseAndRate", "several different doses", "one dose")
    return next((dose for dose in doses if dose is not None), None)


def _convert_to_mg(dose: Quantity | None, path: str, strength_mg: Decimal | None, inquiry: Inquiry) -> Quantity | None:
    match dose:
        case None:
            return None
        case Quantity(measure=Measure.MG | Measure.MICROGRAM):
            return dose
        case Quantity(measure=Measure.TABLET) if strength_mg is not None:
            inquiry.note(path, f"{dose.value:f} tablets of {strength_mg:f} mg read as {dose.value * strength_mg:f} mg")
            return Quantity(dose.value * strength_mg, Measure.MG)
        case Quantity(measure=Measure.TABLET):
            inquiry.ask(path, "a dose in tablets, and no strength in the medicine", "the strength of the tablets")
        case Quantity(measure=Measure.OTHER):
            inquiry.note(path, f"{dose.value:f} {dose.unit} was not read by the rules; the words are")
        case Quantity(measure=None):
            inquiry.ask(path, "a dose without a unit", "mg, micrograms or tablets")
        case _:
            inquiry.ask(path, f"a dose in {dose.measure}s", "mg, micrograms or tablets")
    return None


def _read_maxima(thing: Mapping[str, Any], line: Line, strength_mg: Decimal | None, inquiry: Inquiry) -> Decimal | None:
    """Return the most mg of a day; ask back a maximum below the doses themselves."""
    path = line.path
    most = as_object(thing.get("maxDosePerAdministration"), f"{path}.maxDosePerAdministration", inquiry)
    if most and line.dose:
        limit = read_quantity(most, f"{path}.maxDosePerAdministration", inquiry)
        if limit and limit.measure is line.unit and limit.value < line.dose:
            inquiry.ask(f"{path}.maxDosePerAdministration", f"{limit.value:f} {line.unit}", "at least the dose itself")
    if thing.get("maxDosePerLifetime") is not None:
        inquiry.note(f"{path}.maxDosePerLifetime", "is not compared with the doses; the rules' own maxima are")
    where = f"{path}.maxDosePerPeriod"
    mg_per_day = _read_most_per_day(
        as_object(thing.get("maxDosePerPeriod"), where, inquiry), where, strength_mg, inquiry
    )
    regular = line.dose * len(line.when.moments) if line.dose and line.when and not line.as_needed else Decimal(0)
    if mg_per_day is not None and line.unit is Measure.MG and mg_per_day < regular:
        inquiry.ask(where, f"{mg_per_day:f} mg a day, while the doses are {regular:f}", "at least the regular doses")
    return mg_per_day


def _read_most_per_day(
    ratio: Mapping[str, Any], path: str, strength_mg: Decimal | None, inquiry: Inquiry
) -> Decimal | None:
    if not ratio:
        return None
    check_elements(ratio, path, inquiry, ["numerator", "denominator"])
    amount = as_object(ratio.get("numerator"), f"{path}.numerator", inquiry)
    most = _convert_to_mg(
        read_quantity(amount, f"{path}.numerator", inquiry), f"{path}.numerator", strength_mg, inquiry
    )
    period = as_object(ratio.get("denominator"), f"{path}.denominator", inquiry)
    is_day = {str(period.get("code") or period.get("unit")), f"{period.get('value')}"} in (
        {"d", "1"},
        {"h", "24"},
        {"day", "1"},
    )
    if not is_day:
        inquiry.note(path, "is not for one day and was not compared with the doses; the rules' own maxima are")
        return None
    return most.value if most and most.measure is Measure.MG else None
