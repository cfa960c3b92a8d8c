"""Moments of one day and a length in days, from a FHIR `Timing`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from baclofen_rules import Reading, read_directions
from dispensary.fhir.elements import (
    Inquiry,
    as_amount,
    as_day,
    as_list,
    as_object,
    as_text,
    as_whole,
    check_elements,
    read_codings,
)
from dispensary.fhir.units import read_quantity


class Moment(NamedTuple):
    """A moment of the day: the hour by which it is put in order, and its name in the case (None: it has none)."""

    hour: Decimal
    name: str | None


GTS = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"
_BY_CODE = {"QD": 1, "BID": 2, "TID": 3, "QID": 4, "Q4H": 6, "Q6H": 4, "Q8H": 3, "AM": 1, "PM": 1, "BED": 1}
# Hours by which the moments of a day are put in order; no dose is planned by them. An afternoon has no name in the case.
_WHEN = {
    code: Moment(Decimal(hour), name)
    for name, hours in {
        "morning": {"WAKE": 6, "ACM": 7, "CM": 7, "PCM": 8, "MORN": 8, "MORN.early": 7, "MORN.late": 10},
        "midday": {"ACD": 12, "CD": 12, "PCD": 13, "NOON": 12},
        None: {"AFT": 15, "AFT.early": 14, "AFT.late": 16},
        "evening": {"ACV": 18, "CV": 18, "PCV": 19, "EVE": 19, "EVE.early": 18, "EVE.late": 21},
        "bedtime": {"NIGHT": 22, "HS": 22, "PHS": 23},
    }.items()
    for code, hour in hours.items()
}
_MEALS = {"C", "AC", "PC"}
_CLOCK = re.compile(r"^([01][0-9]|2[0-3]):([0-5][0-9]):[0-5][0-9](\.[0-9]+)?$")
_REPEAT = [
    "boundsDuration", "boundsRange", "boundsPeriod", "count", "countMax", "duration", "durationMax", "durationUnit",
    "frequency", "frequencyMax", "period", "periodMax", "periodUnit", "dayOfWeek", "timeOfDay", "when", "offset",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class When:
    """The day of one dosage line: a moment for each dose (None where the order names none), and its length."""

    moments: tuple[Moment | None, ...]
    days: int | None
    starts_on: date | None = None


def read_timing(timing: Mapping[str, Any], path: str, inquiry: Inquiry, has_text: bool) -> When | None:
    """Read a Timing. `has_text`: the order also has words, which would contradict a wrong assumption."""
    before = len(inquiry.problems)
    check_elements(timing, path, inquiry, ["event", "repeat", "code"])
    if timing.get("event"):
        inquiry.ask(f"{path}.event", "single moments", "a dose for each day and a number of days")
    repeat = as_object(timing.get("repeat"), f"{path}.repeat", inquiry)
    check_elements(repeat, f"{path}.repeat", inquiry, _REPEAT)
    coded = _read_coded_frequency(timing, path, inquiry, has_text)
    moments = _read_moments(repeat, f"{path}.repeat", inquiry, has_text, coded)
    if moments is None and len(inquiry.problems) == before:
        inquiry.ask(path, "nothing that says how often", "a frequency for each day")
    days, starts_on = _read_length(repeat, f"{path}.repeat", inquiry, has_text, len(moments or ()))
    return None if moments is None or len(inquiry.problems) > before else When(moments, days, starts_on)


def read_first_day(timing: Mapping[str, Any], path: str, inquiry: Inquiry) -> date | None:
    """Return the first day that a Timing names, where nothing else of it is read."""
    repeat = as_object(timing.get("repeat"), f"{path}.repeat", inquiry)
    period = as_object(repeat.get("boundsPeriod"), f"{path}.repeat.boundsPeriod", inquiry)
    return as_day(period.get("start"), f"{path}.repeat.boundsPeriod.start", inquiry)


def _read_coded_frequency(timing: Mapping[str, Any], path: str, inquiry: Inquiry, has_text: bool) -> int | None:
    concept = as_object(timing.get("code"), f"{path}.code", inquiry)
    codes = [code for system, code, _ in read_codings(concept, f"{path}.code", inquiry) if system in {GTS, ""}]
    frequencies = {_BY_CODE.get(code, 0) for code in codes}
    words = " ".join(as_text(concept.get("text"), f"{path}.code.text", inquiry).split())
    # Any dose will do: only how often it is taken is asked of the reader of directions.
    reading = read_directions(f"10 mg {words}") if words else None
    in_words = 0
    if isinstance(reading, Reading) and not reading.as_needed and [phase.days for phase in reading.phases] == [None]:
        in_words = reading.phases[0].times_per_day
    if 0 in frequencies or len(frequencies) > 1 or (frequencies and in_words and in_words not in frequencies):
        expected = f"one of {', '.join(_BY_CODE)} of v3-GTSAbbreviation"
        inquiry.ask(f"{path}.code", "a timing code that is not read here, or several that differ", expected)
        return None
    if frequencies and (in_words or not words):
        return frequencies.pop()
    if in_words:
        inquiry.note(f"{path}.code.text", f"read as {in_words} a day")
        return in_words
    if words:
        inquiry.ask(f"{path}.code.text", "words that are not read here", "a frequency such as 'three times a day'")
    elif concept:
        _may_assume(f"{path}.code", inquiry, has_text, "was not read")
    return None


def _read_moments(
    repeat: Mapping[str, Any], path: str, inquiry: Inquiry, has_text: bool, coded: int | None
) -> tuple[Moment | None, ...] | None:
    for name in ("frequencyMax", "periodMax", "countMax", "durationMax"):
        if repeat.get(name) is not None and repeat.get(name) != repeat.get(name.removesuffix("Max")):
            inquiry.ask(f"{path}.{name}", "a range", "one number")
    week = as_list(repeat.get("dayOfWeek"), f"{path}.dayOfWeek", inquiry)
    if week and {str(day) for day in week} != {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}:
        inquiry.ask(f"{path}.dayOfWeek", "some days of the week", "the same doses every day")
    named = _read_named_moments(repeat, path, inquiry)
    counted = _read_times_per_day(repeat, path, inquiry, has_text)
    if coded is not None and counted is not None and coded != counted:
        inquiry.ask(path, f"{counted} a day in numbers and {coded} a day as a code", "one frequency")
        return None
    times = counted if counted is not None else coded
    if named and times is not None and times != len(named):
        if (
            times == 1
            and coded is None
            and _may_assume(path, inquiry, has_text, f"read as once at each of the {len(named)} moments named")
        ):
            return tuple(named)
        if times != 1 or coded is not None:
            inquiry.ask(path, f"{times} a day and {len(named)} moments", "as many moments as times a day")
        return None
    return tuple(named) if named else None if times is None else (None,) * times


def _read_named_moments(repeat: Mapping[str, Any], path: str, inquiry: Inquiry) -> list[Moment]:
    clock = [
        as_text(item, f"{path}.timeOfDay", inquiry)
        for item in as_list(repeat.get("timeOfDay"), f"{path}.timeOfDay", inquiry)
    ]
    when = [as_text(item, f"{path}.when", inquiry) for item in as_list(repeat.get("when"), f"{path}.when", inquiry)]
    if clock and when:
        inquiry.ask(path, "both timeOfDay and when", "one of the two")
        return []
    if minutes := as_whole(repeat.get("offset"), f"{path}.offset", inquiry, least=0):
        inquiry.note(f"{path}.offset", f"is {minutes} minutes; the hours of the events themselves were read")
    moments: list[Moment] = []
    for text in clock:
        if match := _CLOCK.match(text):
            moments.append(Moment(int(match[1]) + Decimal(int(match[2])) / 60, f"{match[1]}:{match[2]}"))
        else:
            inquiry.ask(f"{path}.timeOfDay", f"text of {len(text)} characters", "a time such as 08:00:00")
    for code in when:
        if code in _WHEN:
            moments.append(_WHEN[code])
        elif code not in _MEALS:
            inquiry.ask(f"{path}.when", "a moment that is not known here", f"one of {', '.join(_WHEN)}")
        elif len(when) > 1 or repeat.get("frequency") is None:
            inquiry.ask(f"{path}.when", "'with meals' without a number", "a frequency beside it")
    if len({moment.hour for moment in moments}) != len(moments):
        inquiry.ask(path, "the same moment twice", "every moment once")
    return sorted(moments, key=lambda moment: moment.hour)


def _read_times_per_day(repeat: Mapping[str, Any], path: str, inquiry: Inquiry, has_text: bool) -> int | None:
    frequency = as_whole(repeat.get("frequency"), f"{path}.frequency", inquiry)
    period = as_amount(repeat.get("period"), f"{path}.period", inquiry)
    unit = as_text(repeat.get("periodUnit"), f"{path}.periodUnit", inquiry)
    if frequency is None and period is None and not unit:
        return None
    if period is None and "period" not in repeat:
        reading = f"{frequency or 1} a {unit or 'day'}"
        if not unit or not _may_assume(
            f"{path}.period", inquiry, has_text, f"absent beside a unit, read as 1: {reading}"
        ):
            if not unit:
                inquiry.ask(f"{path}.period", "nothing", "the period that the frequency is for, with its unit")
            return None
        period = Decimal(1)
    if period is None:
        return None
    hours = {"h": 1, "d": 24, "wk": 168}.get(unit)
    if hours is None or period <= 0:
        inquiry.ask(
            f"{path}.periodUnit", f"a period of {period:f} {unit or 'without a unit'}"[:60], "a period in h or d"
        )
        return None
    daily = (frequency or 1) * Decimal(24) / (period * hours)
    if daily != int(daily) or not 1 <= daily <= 24:
        inquiry.ask(path, f"{frequency or 1} in {period:f} {unit}", "a whole number of doses, the same every day")
        return None
    return int(daily)


def _may_assume(path: str, inquiry: Inquiry, has_text: bool, words: str) -> bool:
    """Return True where the order has words, with which the rule book compares an assumption; else ask back."""
    if has_text:
        inquiry.note(path, words)
    else:
        inquiry.ask(
            path,
            "something that can be meant in two ways, and no words beside it",
            "plain R4 timing, or the directions as text",
        )
    return has_text


def _read_length(
    repeat: Mapping[str, Any], path: str, inquiry: Inquiry, has_text: bool, per_day: int
) -> tuple[int | None, date | None]:
    days_by_element: dict[str, Decimal] = {}
    starts_on: date | None = None
    if "boundsDuration" in repeat:
        quantity = read_quantity(
            as_object(repeat["boundsDuration"], f"{path}.boundsDuration", inquiry), f"{path}.boundsDuration", inquiry
        )
        days = quantity.days() if quantity else None
        if quantity and days is None:
            inquiry.ask(f"{path}.boundsDuration", "another unit", "days or weeks")
        days_by_element |= {"boundsDuration": days} if days is not None else {}
    if "boundsRange" in repeat:
        inquiry.ask(f"{path}.boundsRange", "a range", "one length in days")
    if "boundsPeriod" in repeat:
        starts_on, days = _read_period(
            as_object(repeat["boundsPeriod"], f"{path}.boundsPeriod", inquiry), f"{path}.boundsPeriod", inquiry
        )
        days_by_element |= {"boundsPeriod": days} if days is not None else {}
    if (days := _read_duration(repeat, path, inquiry, has_text and not days_by_element)) is not None:
        days_by_element["duration"] = days
    count = as_whole(repeat.get("count"), f"{path}.count", inquiry)
    if count is not None and per_day:
        days_by_element["count"] = Decimal(count) / per_day
    lengths = set(days_by_element.values())
    if len(lengths) > 1:
        lengths_text = ", ".join(f"{name} {days:f} days" for name, days in days_by_element.items())
        inquiry.ask(path, lengths_text, "one length")
    if not lengths:
        return None, starts_on
    length = lengths.pop()
    if length != int(length) or not 1 <= length <= 3660:
        inquiry.ask(path, f"{length:f} days", "a whole number of days from 1 to 3660")
        return None, starts_on
    return int(length), starts_on


def _read_period(period: Mapping[str, Any], path: str, inquiry: Inquiry) -> tuple[date | None, Decimal | None]:
    check_elements(period, path, inquiry, ["start", "end"])
    start, end = (
        as_day(period.get("start"), f"{path}.start", inquiry),
        as_day(period.get("end"), f"{path}.end", inquiry, is_end=True),
    )
    if end is None:
        return start, None
    if start is None:
        inquiry.ask(f"{path}.start", "nothing", "the first day, or the length in days")
        return None, None
    return start, Decimal((end - start).days + 1)


def _read_duration(repeat: Mapping[str, Any], path: str, inquiry: Inquiry, has_text: bool) -> Decimal | None:
    """Read `duration`, in FHIR the length of one intake; days can only mean the phase, as is often sent."""
    duration = as_amount(repeat.get("duration"), f"{path}.duration", inquiry)
    if duration is None:
        return None
    unit = as_text(repeat.get("durationUnit"), f"{path}.durationUnit", inquiry)
    days = {"d": duration, "wk": duration * 7}.get(unit)
    if days is None:
        inquiry.ask(f"{path}.duration", "a length of one intake", "nothing, or the length of the phase in bounds")
        return None
    bounded = any(name in repeat for name in ("boundsDuration", "boundsPeriod"))
    if bounded or _may_assume(f"{path}.duration", inquiry, has_text, f"read as the length of the phase, {days:f} days"):
        return days
    return None
