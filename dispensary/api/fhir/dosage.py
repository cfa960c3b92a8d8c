"""Phases of the case format from `dosageInstruction[]`; words alone where it has no structure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Any

from dispensary.api.fhir.elements import Inquiry, as_object, as_objects, as_text, as_whole, check_elements, read_codings
from dispensary.api.fhir.timing import When, read_timing
from dispensary.api.fhir.units import SNOMED, Measure, Quantity, read_quantity

_READ = ["sequence", "text", "patientInstruction", "timing", "asNeededBoolean", "asNeededCodeableConcept", "route"]
_DOSES = ["doseAndRate", "doseQuantity", "maxDosePerPeriod", "maxDosePerAdministration", "maxDosePerLifetime"]
_HARMLESS = ["site", "method", "additionalInstruction"]
_ORAL = {"oral", "po", "p.o.", "by mouth", "per os", "oral route", "oral use", "orally"}
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
    max_mg_per_day: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Dosing:
    """The dosing of an order. `phases` is None where there are only words."""

    phases: list[dict[str, Any]] | None
    then_stop: bool | None
    directions: str
    route: str
    starts_on: date | None = None
    """The earliest first day that a structured line names."""
    as_needed: bool = False
    max_mg_per_day: Decimal | None = None


@dataclass(frozen=True, slots=True)
class _Phase:
    path: str
    doses: tuple[Decimal, ...]
    times: tuple[str, ...] | None
    unit: Measure
    days: int | None
    starts_on: date | None

    def to_json(self) -> dict[str, Any]:
        """Return the phase as the order of the case format has it."""
        fields: dict[str, Any] = {"doses": list(self.doses), "unit": str(self.unit), "days": self.days}
        return fields | ({"times": list(self.times)} if self.times else {})


def read_dosing(
    instructions: Any, path: str, strength_mg: Decimal | None, on: date | None, inquiry: Inquiry
) -> Dosing | None:
    """Read all dosage instructions as of the day `on`.

    `strength_mg` turns tablets into milligrams; without it a dose in tablets is asked back.
    """
    lines = [_read_line(thing, where, strength_mg, inquiry) for where, thing in as_objects(instructions, path, inquiry)]
    if not lines:
        inquiry.ask(path, "nothing", "at least one dosage instruction")
        return None
    routes = {line.route for line in lines if line.route}
    if len(routes) > 1:
        inquiry.ask(f"{path}.route", "several routes", "one route")
    route = next(iter(routes), "")
    needs = {line.as_needed for line in lines}
    if len(needs) > 1:
        inquiry.ask(f"{path}.asNeeded", "lines taken when needed beside regular ones", "an order for each of the two")
    if inquiry.problems:
        return None
    directions = _join_directions(lines)
    most = min((line.max_mg_per_day for line in lines if line.max_mg_per_day is not None), default=None)
    structured = [line for line in lines if line.when is not None and line.dose is not None]
    if not structured:
        if not directions:
            inquiry.ask(path, "no dose and no words", "a dose with its timing, or the directions as text")
        return Dosing(None, None, directions, route, as_needed=True in needs, max_mg_per_day=most)
    if len(structured) != len(lines):
        missing = next(line for line in lines if line not in structured)
        inquiry.ask(
            missing.path, "words only, beside instructions that have a dose", "a dose and a timing in every instruction"
        )
        return None
    phases = _order_phases(lines, path, inquiry)
    _check_dates(phases, on, inquiry)
    if inquiry.problems:
        return None
    dosing = _build_dosing(phases, path, directions, route, inquiry)
    return dosing and replace(dosing, as_needed=True in needs, max_mg_per_day=most)


def _read_line(thing: Mapping[str, Any], path: str, strength_mg: Decimal | None, inquiry: Inquiry) -> Line:
    check_elements(thing, path, inquiry, [*_READ, *_DOSES], _HARMLESS)
    text = as_text(thing.get("text"), f"{path}.text", inquiry) or as_text(
        thing.get("patientInstruction"), f"{path}.patientInstruction", inquiry
    )
    as_needed = _read_need(thing, path, inquiry)
    _check_additions(thing, path, text, inquiry)
    dose = _read_dose(thing, path, strength_mg, inquiry)
    timing = as_object(thing.get("timing"), f"{path}.timing", inquiry)
    when = (
        read_timing(timing, f"{path}.timing", inquiry, has_text=bool(text)) if timing and (dose or not text) else None
    )
    if timing and dose is None and text:
        inquiry.note(path, "has a timing but no dose; only its words are read")
    if dose is not None and not timing:
        inquiry.ask(f"{path}.timing", "nothing beside a dose", "how often the dose is taken")
    sequence = as_whole(thing.get("sequence"), f"{path}.sequence", inquiry, least=0)
    route = _read_route(as_object(thing.get("route"), f"{path}.route", inquiry), f"{path}.route", inquiry)
    amount, unit = (dose.value, dose.measure) if dose else (None, None)
    line = Line(path, sequence, text, route, amount, unit, when, as_needed)
    return replace(line, max_mg_per_day=_read_maxima(thing, line, strength_mg, inquiry))


def _read_need(thing: Mapping[str, Any], path: str, inquiry: Inquiry) -> bool:
    """Return True where the line is taken only when needed; a reason for it is noted."""
    flag = thing.get("asNeededBoolean")
    if flag is not None and not isinstance(flag, bool):
        inquiry.ask(f"{path}.asNeededBoolean", f"a {type(flag).__name__}", "true or false", "Send valid FHIR R4.")
    if thing.get("asNeededCodeableConcept") is None:
        return flag is True
    where = f"{path}.asNeededCodeableConcept"
    concept = as_object(thing["asNeededCodeableConcept"], where, inquiry)
    words = [as_text(concept.get("text"), where, inquiry), *(d for *_, d in read_codings(concept, where, inquiry))]
    if flag is False:
        inquiry.ask(where, "a reason to take it, while asNeededBoolean is false", "one of the two")
    reason = next(filter(None, words), "a reason without words")
    inquiry.note(where, f"to be taken when needed: {reason[:80]}")
    return True


def _check_additions(thing: Mapping[str, Any], path: str, text: str, inquiry: Inquiry) -> None:
    """Note words beside the directions ("with food"); ask back words that may change the doses."""
    for where, concept in as_objects(thing.get("additionalInstruction"), f"{path}.additionalInstruction", inquiry):
        words = " ".join(
            [as_text(concept.get("text"), where, inquiry), *(d for *_, d in read_codings(concept, where, inquiry))]
        )
        if _CHANGES_DOSE.search(words):
            inquiry.ask(
                where,
                "words that may change the doses",
                "the doses in the directions or the structure, nothing beside them",
            )
        else:
            inquiry.note(where, "was not read by the rules; read it before dispensing")
    beside = thing.get("patientInstruction")
    if beside is not None and text != beside:
        inquiry.note(f"{path}.patientInstruction", "was not compared with the directions; read it before dispensing")


def _read_route(concept: Mapping[str, Any], path: str, inquiry: Inquiry) -> str:
    routes = {
        _ROUTES[system, code] for system, code, _ in read_codings(concept, path, inquiry) if (system, code) in _ROUTES
    }
    words = [
        as_text(concept.get("text"), f"{path}.text", inquiry),
        *(display for *_, display in read_codings(concept, path, inquiry)),
    ]
    for word in filter(None, (w.lower() for w in words)):
        routes |= (
            {"oral"}
            if word in _ORAL
            else {"intrathecal"}
            if "intrathecal" in word
            else set()
            if routes
            else {word[:32]}
        )
    if len(routes) > 1:
        inquiry.ask(path, "words and a code for different routes", "one route")
    if concept and not routes:
        inquiry.ask(path, "a route that is not known here", "oral, as SNOMED CT 26643006 or in words")
    return next(iter(routes), "")


def _read_dose(thing: Mapping[str, Any], path: str, strength_mg: Decimal | None, inquiry: Inquiry) -> Quantity | None:
    """Return the dose in mg or micrograms. `doseQuantity` outside `doseAndRate` is older FHIR and is read."""
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
                inquiry.ask(f"{where}.{rate}", "a rate", "a dose: tablets have no rate")
        if "doseQuantity" in entry:
            quantities.append(
                (f"{where}.doseQuantity", as_object(entry["doseQuantity"], f"{where}.doseQuantity", inquiry))
            )
    doses = [
        _convert_to_mg(read_quantity(quantity, where, inquiry), where, strength_mg, inquiry)
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
        case Quantity(measure=None):
            inquiry.ask(path, "a dose without a unit", "mg, micrograms or tablets")
        case _:
            inquiry.ask(path, "a dose in days or weeks", "mg, micrograms or tablets")
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


def _join_directions(lines: list[Line]) -> str:
    """Join the words of all lines: "and" for the same days, "then" for days that follow."""
    ordered = sorted((line for line in lines if line.text), key=lambda line: line.sequence or 0)
    groups = groupby(ordered, key=lambda line: id(line) if line.sequence is None else line.sequence)
    sentences = [" and ".join(dict.fromkeys(line.text.rstrip(" .;,") for line in group)) for _, group in groups]
    return ", then ".join(dict.fromkeys(sentences))


def _order_phases(lines: list[Line], path: str, inquiry: Inquiry) -> list[_Phase]:
    """Return the phases in order: lines with one number share their days, different numbers follow each other."""
    if len(lines) > 1 and any(line.sequence is None for line in lines):
        if any(line.sequence is not None for line in lines) or not all(
            line.when and line.when.starts_on for line in lines
        ):
            inquiry.ask(f"{path}.sequence", "instructions without a number", "a sequence number in each instruction")
            return []
        ordered = sorted(lines, key=lambda line: (line.when and line.when.starts_on) or date.min)
        groups = [list(group) for _, group in groupby(ordered, key=lambda line: line.when and line.when.starts_on)]
    else:
        ordered = sorted(lines, key=lambda line: line.sequence or 0)
        groups = [list(group) for _, group in groupby(ordered, key=lambda line: line.sequence)]
    phases = [phase for group in groups if (phase := _combine_lines(group, inquiry)) is not None]
    for earlier, later in pairwise(phases):
        _check_gap(earlier, later, inquiry)
    return phases


def _combine_lines(group: list[Line], inquiry: Inquiry) -> _Phase | None:
    first = group[0]
    assert first.when is not None and first.unit is not None
    spans = {(line.when.days, line.when.starts_on) for line in group if line.when}
    if len(spans) > 1 or len({line.unit for line in group}) > 1:
        inquiry.ask(
            first.path, f"sequence {first.sequence} on {len(group)} instructions that differ in length, first day or unit",
            "one number for what is taken on the same days, another for what follows",
        )  # fmt: skip
        return None
    timed = [(moment, line.dose or Decimal(0)) for line in group if line.when for moment in line.when.moments]
    times: list[str | None] = []
    if all(moment is not None for moment, _ in timed):
        timed.sort(key=lambda pair: pair[0].hour if pair[0] else Decimal(0))
        times = [moment.name for moment, _ in timed if moment]
    elif len(group) > 1:
        inquiry.note(first.path, "instructions taken on the same days; the order within the day is not said")
    names = tuple(name for name in times if name)
    return _Phase(
        path=first.path,
        doses=tuple(dose for _, dose in timed),
        times=names if len(names) == len(timed) else None,
        unit=first.unit,
        days=first.when.days,
        starts_on=first.when.starts_on,
    )


def _check_gap(earlier: _Phase, later: _Phase, inquiry: Inquiry) -> None:
    if earlier.days is None:
        if earlier.starts_on and later.starts_on and not any(later.doses):
            return
        inquiry.ask(
            f"{earlier.path}.timing.repeat",
            "no end, though another phase follows",
            "the days that this phase lasts, in boundsDuration",
        )
    elif earlier.starts_on and later.starts_on:
        gap = (later.starts_on - earlier.starts_on - timedelta(days=earlier.days)).days
        if gap:
            gap_text = f"{abs(gap)} days {'without a dose' if gap > 0 else 'covered twice'} before it"
            inquiry.ask(
                f"{later.path}.timing.repeat.boundsPeriod", gap_text, "phases that follow each other day by day"
            )


def _check_dates(phases: list[_Phase], on: date | None, inquiry: Inquiry) -> None:
    """Ask back a phase whose days are over."""
    for phase in phases:
        if phase.starts_on is None or on is None:
            continue
        where = f"{phase.path}.timing.repeat.boundsPeriod"
        if phase.days is not None and phase.starts_on + timedelta(days=phase.days) <= on:
            inquiry.ask(where, "days that are over", f"phases that are still to be taken on {on}")


def _build_dosing(phases: list[_Phase], path: str, directions: str, route: str, inquiry: Inquiry) -> Dosing | None:
    then_stop: bool | None = None
    if len(phases) > 1 and not any(phases[-1].doses):
        phases, then_stop = phases[:-1], True
        inquiry.note(path, "the last phase is a dose of zero, read as: then stop")
    zero = next((phase for phase in phases if not all(phase.doses)), None)
    if zero is not None:
        inquiry.ask(zero.path, "a dose of zero", "doses above zero; only a last phase may be zero")
        return None
    starts = [phase.starts_on for phase in phases if phase.starts_on]
    return Dosing([phase.to_json() for phase in phases], then_stop, directions, route, min(starts, default=None))
