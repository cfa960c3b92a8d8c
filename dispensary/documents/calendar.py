"""The dated calendar of a course on A4: every day, every dose, in words and drawn. Whole weeks, never cut."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from baclofen_rules.text import format_amount
from dispensary.documents.paper import Course, DoesNotFit, Handover, Stretch
from dispensary.documents.typesetting import typeset
from dispensary.documents.words import NB, count_in_words, long_day, mg, short_day

LONGEST = 366
"""Days; more is no calendar to follow but a slip in the data."""


def taper_calendar_pdf(handover: Handover, *, at: datetime | None = None) -> bytes:
    """Render the whole course day by day as a tagged PDF. `at` is the time of printing.

    An open course runs to the last day the supply covers. Raises DoesNotFit where a day's doses do not fit its field.
    """
    return typeset("calendar.typ", _template_data(handover), at=at)


def calendar_days(course: Course) -> list[dict[str, Any]]:
    """Return an entry for each day in order: `on`, `total`, `doses` (tablets, words, mg), `change` (in words or ""), `stop`."""
    last = course.stretches[-1].last_on or course.covered_until
    if last is None:
        raise ValueError("an open course needs the last day that its supply covers")
    days: list[dict[str, Any]] = []
    before: Stretch | None = None
    for stretch in course.stretches:
        day = stretch.first_on
        while day <= min(stretch.last_on or last, last):
            days.append(_day_entry(day, stretch, before))
            before = stretch
            day += timedelta(days=1)
            if len(days) > LONGEST:
                raise DoesNotFit(f"calendar: the course is longer than {LONGEST} days; check its phases")
    if course.then_stop and course.stretches[-1].last_on is not None:
        stop = {"on": last + timedelta(days=1), "total": "", "doses": [], "change": "STOP: no tablets", "stop": True}
        days.append(stop)
    return days


def _day_entry(day: date, stretch: Stretch, before: Stretch | None) -> dict[str, Any]:
    changed = before is not None and (before.doses_mg, before.names) != (stretch.doses_mg, stretch.names)
    names = stretch.names or ("",) * len(stretch.tablets)
    doses = [
        {"tablets": format_amount(count), "words": _count_of(count, name), "mg": mg(dose)}
        for count, dose, name in zip(stretch.tablets, stretch.doses_mg, names, strict=True)
    ]
    return {
        "on": day,
        "total": mg(stretch.mg_per_day),
        "doses": doses,
        "change": _change(before, stretch) if changed else "",
        "stop": False,
    }


def _count_of(count: Decimal, name: str) -> str:
    return f"{count_in_words(count)} of {name}" if name else count_in_words(count)


def _change(before: Stretch | None, now: Stretch) -> str:
    if before is None or before.mg_per_day == now.mg_per_day:
        return "Change"
    return "Less from today" if now.mg_per_day < before.mg_per_day else "More from today"


def _template_data(handover: Handover) -> dict[str, Any]:
    course = handover.calendar or handover.course
    if course.as_needed:
        raise DoesNotFit("calendar: the medicine is taken only when needed, so no day has a fixed dose")
    days = calendar_days(course)
    first, last = days[0]["on"], days[-1]["on"]
    weeks: list[list[dict[str, Any] | None]] = []
    by_day = {entry["on"]: _printed_entry(entry, first) for entry in days}
    monday = first - timedelta(days=first.weekday())
    while monday <= last:
        weeks.append([by_day.get(monday + timedelta(days=n)) for n in range(7)])
        monday += timedelta(days=7)
    born = f"Born {long_day(handover.born_on)}" if handover.born_on else ""
    return {
        "title": f"Calendar, prescription {handover.number}",
        "patient": handover.patient_name,
        "born": born,
        "product": handover.calendar_tablets or f"{handover.medicine}{NB}{mg(handover.strength_mg)} tablets",
        "span": f"{long_day(first)} to {long_day(last)}",
        "weeks": weeks,
        "ends": course.then_stop,
        "pharmacy": handover.pharmacy.name,
        "address": handover.pharmacy.address,
        "phone": handover.pharmacy.phone.replace(" ", NB),
        "number": handover.number,
        "receipt": handover.receipt.short if handover.receipt else "",
        "printed": long_day(handover.dispensed_on),
    }


def _printed_entry(entry: dict[str, Any], first: date) -> dict[str, Any]:
    day: date = entry["on"]
    dated = short_day(day).split(NB, 1)[1]
    return entry | {"on": f"{dated}{NB}{day.year}" if day == first or (day.month, day.day) == (1, 1) else dated}
