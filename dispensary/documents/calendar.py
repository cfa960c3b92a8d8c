"""The dated calendar of a course on A4: every day, every dose, in words and drawn. Whole weeks, never cut."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from baclofen_rules.text import format_amount
from dispensary.documents.paper import ENGLISH, Course, DoesNotFit, Handover, Stretch
from dispensary.documents.typesetting import typeset
from dispensary.documents.words import (
    NB,
    RIGHT_TO_LEFT,
    count_in_words,
    hour_in_words,
    long_day,
    mg,
    name_tablets,
    short_day,
    tablets_in_words,
    words_in,
)

LONGEST = 366
"""Days; more is no calendar to follow but a slip in the data."""


def taper_calendar_pdf(handover: Handover, *, at: datetime | None = None) -> bytes:
    """Render the whole course day by day as a tagged PDF. `at` is the time of printing.

    An open course runs to the last day the supply covers. Raises DoesNotFit where a day's doses do not fit its field.
    """
    return typeset("calendar.typ", _template_data(handover), at=at)


def calendar_days(course: Course, language: str = ENGLISH) -> list[dict[str, Any]]:
    """Return an entry for each day in order: `on`, `total`, `doses` (tablets, words, mg), `change` (in words or ""), `stop`."""
    last = course.stretches[-1].last_on or course.covered_until
    if last is None:
        raise ValueError("an open course needs the last day that its supply covers")
    words = words_in(language)["calendar"]
    days: list[dict[str, Any]] = []
    before: Stretch | None = None
    for stretch in course.stretches:
        day = stretch.first_on
        while day <= min(stretch.last_on or last, last):
            days.append(_day_entry(day, stretch, before, language))
            before = stretch
            day += timedelta(days=1)
            if len(days) > LONGEST:
                raise DoesNotFit(f"calendar: the course is longer than {LONGEST} days; check its phases")
    if course.then_stop and course.stretches[-1].last_on is not None:
        stop = {"on": last + timedelta(days=1), "total": "", "doses": [], "change": words["stop"], "stop": True}
        days.append(stop)
    return days


def _day_entry(day: date, stretch: Stretch, before: Stretch | None, language: str) -> dict[str, Any]:
    changed = before is not None and (before.doses_mg, before.names, before.times) != (
        stretch.doses_mg,
        stretch.names,
        stretch.times,
    )
    names = stretch.names or ("",) * len(stretch.tablets)
    times = stretch.times or ("",) * len(stretch.tablets)
    doses = [
        {
            "time": hour_in_words(time, language),
            "tablets": format_amount(count),
            "words": _count_of(count, name, language),
            "mg": mg(dose, language),
        }
        for count, dose, name, time in zip(stretch.tablets, stretch.doses_mg, names, times, strict=True)
    ]
    words = words_in(language)["calendar"]
    return {
        "on": day,
        "total": words["a_day"].format(mg=mg(stretch.mg_per_day, language)),
        "doses": doses,
        "change": words[_change(before, stretch)] if changed else "",
        "stop": False,
    }


def _count_of(count: Decimal, name: str, language: str) -> str:
    words = count_in_words(count) if language == ENGLISH else tablets_in_words(count, language)
    return str(words_in(language)["calendar"]["of_kind"]).format(count=words, name=name) if name else words


def _change(before: Stretch | None, now: Stretch) -> str:
    """Return the key of the words for a change."""
    if before is None or before.mg_per_day == now.mg_per_day:
        return "change"
    return "less" if now.mg_per_day < before.mg_per_day else "more"


def _template_data(handover: Handover) -> dict[str, Any]:
    course = handover.calendar or handover.course
    if course.as_needed:
        raise DoesNotFit("calendar: the medicine is taken only when needed, so no day has a fixed dose")
    language = handover.patient_language
    words, label_words = words_in(language)["calendar"], words_in(language)["label"]
    days = calendar_days(course, language)
    first, last = days[0]["on"], days[-1]["on"]
    weeks: list[list[dict[str, Any] | None]] = []
    by_day = {entry["on"]: _printed_entry(entry, first, language) for entry in days}
    monday = first - timedelta(days=first.weekday())
    while monday <= last:
        weeks.append([by_day.get(monday + timedelta(days=n)) for n in range(7)])
        monday += timedelta(days=7)
    born = words["born"].format(day=long_day(handover.born_on, language)) if handover.born_on else ""
    phone = handover.pharmacy.phone.replace(" ", NB)
    tablets = handover.calendar_tablets or (name_tablets(handover.name, handover.strength_mg, language),)
    return {
        "title": f"{words['title']} ({label_words['number']} {handover.number})",
        "patient": handover.patient_name,
        "born": born,
        "language": language,
        "rtl": language in RIGHT_TO_LEFT,
        "names_language": handover.language,
        "words": {name: words[name] for name in ("title", "how_bold", "how", "how_stop", "help_bold", "page")}
        | {"phone": label_words["phone"], "number": label_words["number"], "log": label_words["log"]},
        "help": words["help"].format(phone=f"\u2068{phone}\u2069"),
        "weekdays": words_in(language)["long_weekdays"],
        "product": words["and"].join(tablets),
        "span": words["span"].format(first=long_day(first, language), last=long_day(last, language)),
        "weeks": weeks,
        "ends": course.then_stop,
        "pharmacy": handover.pharmacy.name,
        "address": handover.pharmacy.address,
        "phone": phone,
        "number": handover.number,
        "receipt": handover.receipt.short if handover.receipt else "",
    }


def _printed_entry(entry: dict[str, Any], first: date, language: str) -> dict[str, Any]:
    day: date = entry["on"]
    dated = short_day(day, language).split(NB, 1)[1]
    return entry | {"on": f"{dated}{NB}{day.year}" if day == first or (day.month, day.day) == (1, 1) else dated}
