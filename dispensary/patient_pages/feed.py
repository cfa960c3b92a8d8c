"""The calendar that a patient's phone subscribes to (RFC 5545): days to call, to change and to end, without medicine or dose.

Each message that was planned is an event under an id of its own. One that is withdrawn stays, cancelled and with a higher
SEQUENCE, so that a phone which keeps events takes it out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, timedelta

from dispensary.models import Patient, Pharmacy, Reminder, ReminderState
from dispensary.models.reminders import ReminderKind
from dispensary.reminders.texts import patient_page

SINCE = timedelta(days=60)
"""How long ago an event may have been for the calendar to name it still."""
_TITLES = {
    ReminderKind.DOSE_CHANGE: "event_change",
    ReminderKind.LAST_DAY: "event_last_day",
    ReminderKind.REFILL_DUE: "event_refill",
    ReminderKind.RUN_OUT: "event_run_out",
}
"""The kinds that are events; the second and the late calls say nothing new about a day."""
_LONGEST_LINE = 75
"""Octets (RFC 5545, 3.1)."""


def render_feed(patient: Patient, pharmacy: Pharmacy, language: str, page_url: str, today: date) -> str:
    """Return the calendar of a patient. Titles name neither medicine nor dose, nor the patient."""
    words = patient_page(language)
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:-//Dispensary//Patient page//{language.upper()}",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{_escape(pharmacy.name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT6H",
        "X-PUBLISHED-TTL:PT6H",
    ]
    rows = Reminder.objects.filter(patient=patient, kind__in=_TITLES, local_date__gte=today - SINCE)
    for row in rows.select_related("plan").order_by("local_date", "id"):
        lines += _event(row, words, pharmacy, page_url)
    return "".join(f"{_fold(line)}\r\n" for line in (*lines, "END:VCALENDAR"))


def _event(row: Reminder, words: dict[str, str], pharmacy: Pharmacy, page_url: str) -> Iterator[str]:
    is_withdrawn = row.state == ReminderState.WITHDRAWN
    on = date.fromisoformat(row.params["date"]) if row.kind == ReminderKind.DOSE_CHANGE else row.local_date
    changed_at = (row.plan.ended_at if is_withdrawn else None) or row.plan.planned_at
    yield "BEGIN:VEVENT"
    yield f"UID:{row.public_id}@dispensary"
    yield f"SEQUENCE:{int(is_withdrawn)}"
    yield f"STATUS:{'CANCELLED' if is_withdrawn else 'CONFIRMED'}"
    yield f"DTSTAMP:{changed_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    yield f"DTSTART;VALUE=DATE:{on:%Y%m%d}"
    yield f"DTEND;VALUE=DATE:{on + timedelta(days=1):%Y%m%d}"
    yield "TRANSP:TRANSPARENT"
    yield "CLASS:PRIVATE"
    yield f"SUMMARY:{_escape(words[_TITLES[ReminderKind(row.kind)]].format(sender=pharmacy.name))}"
    yield f"DESCRIPTION:{_escape(words['event_text'].format(phone=pharmacy.phone))}"
    if page_url:
        yield f"URL:{page_url}"
    yield "END:VEVENT"


def _escape(text: str) -> str:
    """Return a text value (RFC 5545, 3.3.11)."""
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return " ".join(escaped.splitlines())


def _fold(line: str) -> str:
    """Break a line after 75 octets, between characters."""
    parts, size = [""], 0
    for sign in line:
        octets = len(sign.encode())
        if size + octets > _LONGEST_LINE:
            parts.append("")
            size = 1  # the blank that the next line begins with
        parts[-1] += sign
        size += octets
    return "\r\n ".join(parts)
