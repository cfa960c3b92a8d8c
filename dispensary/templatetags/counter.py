"""Template tags and filters for amounts, days and states, without line breaks inside them."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from baclofen_rules.text import format_amount
from dispensary.counter.dose_line import NARROW, DoseLine, Picture
from dispensary.documents import words
from dispensary.documents.words import NB, birthday, long_day

register = template.Library()

_ISO_DATE = re.compile(
    r"\b(?P<on>[12]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?: (?P<time>\d\d:\d\d) UTC)?(?![\dT-])"
)

# Paths in a viewBox of 24 x 24, drawn for this project.
ICONS = {
    "stop": "M8 2h8l6 6v8l-6 6H8l-6-6V8zm0 8v4h8v-4z",
    "override": "M12 2 23 21H1zm-1 6v7h2V8zm0 9v2h2v-2z",
    "acknowledge": "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm-1 4h2v8h-2zm0 10h2v2h-2z",
    "information": "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm-1 4h2v2h-2zm0 4h2v8h-2z",
    "unknown": "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 4c2.3 0 4 1.5 4 3.6 0 2.4-3 2.9-3 4.4h-2c0-2.7 3-3.2 3-4.4 0-1-.8-1.7-2-1.7s-2 .8-2 2H8C8 7.5 9.7 6 12 6zm-1 10h2v2h-2z",
    "ready": "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm-1.4 14.5L6 12l1.5-1.5 3.1 3 6-6L18 9z",
    "done": "M3 3h18v18H3zm7.6 13.5L18 9l-1.5-1.5-5.9 6-3.1-3L6 12z",
}
WORDS = {
    "stop": "Stop",
    "override": "Needs an override",
    "acknowledge": "Needs an acknowledgement",
    "information": "Information",
    "unknown": "Could not be assessed",
    "ready": "Ready",
    "done": "Done",
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """Return the icon of a state, hidden from screen readers; a word is always beside it."""
    return format_html(
        '<svg class="d-icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path fill-rule="evenodd" d="{}"/></svg>',
        ICONS[name],
    )


@register.filter
def tone(level: str) -> str:
    """Return the state for a level of Django's messages."""
    return {"success": "ready", "warning": "override", "error": "stop"}.get(level, "information")


@register.simple_tag
def state(name: str, words: str = "") -> SafeString:
    """Return a state as icon and words, coloured by its class."""
    return format_html('<span class="d-state d-state--{}">{} {}</span>', name, icon(name), words or WORDS[name])


@register.filter
def amount(value: object) -> str:
    """Format a number without trailing zeros."""
    try:
        return format_amount(Decimal(str(value)))
    except InvalidOperation:
        return str(value)


@register.filter
def mg(value: object) -> SafeString:
    """Format as `10 mg`, without line break."""
    return format_html('<span class="d-nb">{}{}mg</span>', amount(value), NB)


@register.filter
def tablets(value: object) -> SafeString:
    """Format as `84 tablets`, `1 tablet`, `half a tablet`, without line break."""
    number = Decimal(str(value))
    if number == Decimal("0.5"):
        return format_html('<span class="d-nb">half a tablet</span>')
    return format_html('<span class="d-nb">{}{}{}</span>', amount(number), NB, "tablet" if number == 1 else "tablets")


@register.filter
def day(value: object) -> str:
    """Format as `Tue 24 Nov 2026`; a moment by the day in its own time zone."""
    if value in (None, ""):
        return "not known"
    return long_day(_day_of(value))


def _day_of(value: object) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value))


@register.filter
def born(value: date) -> str:
    """Format a date of birth as `24 Nov 1968`."""
    return birthday(value)


@register.filter
def dates(text: object, zone: tzinfo | None = None) -> str:
    """Return a sentence with its ISO dates as `Tue 24 Nov 2026`; times in UTC in the zone, where one is given."""

    def say(match: re.Match[str]) -> str:
        on, time = match["on"], match["time"]
        if time is None or zone is None:
            return long_day(date.fromisoformat(on)) + (f", {time} UTC" if time else "")
        return moment(datetime.fromisoformat(f"{on}T{time}+00:00").astimezone(zone))

    return _ISO_DATE.sub(say, str(text))


@register.filter
def moment(value: datetime) -> str:
    """Format as `Tue 24 Nov 2026, 10:00` in the value's own time zone."""
    return f"{long_day(value.date())}, {value:%H:%M}"


_PATH = re.compile(r"([A-Za-z]\w*(?:\[\d+\])?(?:\.\w+(?:\[\d+\])?)*): ")
"""The place of an element at the beginning of a note on an order: a FHIRPath, or that of a field."""
_OWN_PLACES = re.compile(r"^(Bundle\.entry\[\d+\]\.resource|MedicationRequest)(\.|$)")
"""What names the order as a whole."""
_OTHER_NAMES = {"contained": "attached record"}


@register.filter
def note(text: str) -> str:
    """Return a note on an order with the place of its element in words: "Dosage instruction 2, dose quantity: ..."."""
    match = _PATH.match(text)
    if match is None:
        return text
    names = []
    for part in filter(None, _OWN_PLACES.sub("", match[1]).split(".")):
        name, _, index = part.rstrip("]").partition("[")
        words = _OTHER_NAMES.get(name) or re.sub(r"(?<=[a-z])([A-Z])", r" \1", name).replace("_", " ").lower()
        names.append(f"{words} {int(index) + 1}" if index and (int(index) or name == "contained") else words)
    place = ", ".join(names) or "the order"
    return f"{place[0].upper()}{place[1:]}: {text[match.end() :]}"


@register.filter
def short_day(value: date) -> str:
    """Format as `Tue 24 Nov`, where the year is shown beside it."""
    return words.short_day(value)


@register.simple_tag
def day_from(value: object, today: date) -> str:
    """Format as `Tue 24 Nov 2026, in 2 days`; a moment by the day in its own time zone."""
    if value in (None, ""):
        return "not known"
    on = _day_of(value)
    return f"{long_day(on)}, {relative_day(on, today)}"


@register.filter
def from_today(value: datetime, today: date) -> str:
    """Format as `in 9 days`, by the day in the value's own time zone."""
    return relative_day(value.date(), today)


def relative_day(on: date, today: date) -> str:
    """Format as `today`, `tomorrow`, `in 9 days`, `3 days ago`."""
    days = (on - today).days
    if days in (-1, 0, 1):
        return {-1: "yesterday", 0: "today", 1: "tomorrow"}[days]
    return f"in {days} days" if days > 0 else f"{-days} days ago"


@register.filter
def waited(since: datetime, now: datetime) -> str:
    """Format as `12 minutes`, in the largest unit only."""
    return timesince(since, now, depth=1)


@register.filter(name="hex")
def hexadecimal(value: bytes | memoryview) -> str:
    """Format bytes as hexadecimal digits."""
    return bytes(value).hex()


@register.filter
def yes_no(value: bool | None) -> str:
    """Format a fact as `Yes`, `No` or `Not known`."""
    return {True: "Yes", False: "No", None: "Not known"}[value]


@register.filter
def expiry(on: date | None) -> str:
    """Format an expiry as packs have it: `Nov 2028` for the last day of a month, else the whole date."""
    if on is None:
        return "not known"
    is_last = (on + timedelta(days=1)).day == 1
    return f"{on:%b}{NB}{on.year}" if is_last else long_day(on)


@register.inclusion_tag("dispensary/parts/dose_line.html")
def dose_line(line: DoseLine) -> dict[str, dict[str, Picture]]:
    """Render the dose line as a picture with title and description, one for wide and one for narrow screens."""
    return {"pictures": {"wide": line.picture(), "narrow": line.picture(NARROW)}}
