"""The calendar that a patient's phone subscribes to (RFC 5545): days to begin, call, collect, change and end, without medicine or dose.

Each message that was planned is an event under an id of its own. One that is withdrawn, or whose plan had ended by its day,
stays, cancelled and with a higher SEQUENCE, so that a phone which keeps events takes it out.
"""

from __future__ import annotations

from datetime import date, timedelta

from icalendar import Calendar, Event
from icalendar.enums import CLASS, STATUS, TRANSP
from icalendar.prop import vDuration, vText

from dispensary.models import Patient, Pharmacy, Reminder, ReminderState
from dispensary.models.reminders import ReminderKind
from dispensary.reminders.texts import patient_page

SINCE = timedelta(days=60)
"""How long ago an event may have been for the calendar to name it still."""
REFRESH = timedelta(hours=6)
"""How often a telephone should look again."""
_TITLES = {
    ReminderKind.START_DAY: "event_start",
    ReminderKind.DOSE_CHANGE: "event_change",
    ReminderKind.LAST_DAY: "event_last_day",
    ReminderKind.REFILL_DUE: "event_refill",
    ReminderKind.RUN_OUT: "event_run_out",
    ReminderKind.READY: "event_ready",
    ReminderKind.OWING_READY: "event_ready",
}
"""The kinds that are events; the second and the late calls say nothing new about a day."""


def render_feed(patient: Patient, pharmacy: Pharmacy, language: str, page_url: str, today: date) -> bytes:
    """Return the calendar of a patient. Titles name neither medicine nor dose, nor the patient."""
    words = patient_page(language)
    calendar = Calendar.new(prodid=f"-//Dispensary//Patient page//{language.upper()}", uid=f"{patient.pk}@dispensary")
    calendar.add("METHOD", "PUBLISH")
    # With their types: the library takes these for words that need no escapes.
    calendar.add("X-WR-CALNAME", vText(pharmacy.name))
    calendar.add("REFRESH-INTERVAL", vDuration(REFRESH), parameters={"VALUE": "DURATION"})
    calendar.add("X-PUBLISHED-TTL", vDuration(REFRESH))
    rows = Reminder.objects.filter(patient=patient, reader=None, kind__in=_TITLES, local_date__gte=today - SINCE)
    for row in rows.select_related("plan").order_by("local_date", "id"):
        calendar.add_component(_event(row, words, pharmacy, page_url))
    content: bytes = calendar.to_ical()
    return content


def _event(row: Reminder, words: dict[str, str], pharmacy: Pharmacy, page_url: str) -> Event:
    on = date.fromisoformat(row.params["date"]) if row.kind == ReminderKind.DOSE_CHANGE else row.local_date
    ended_at = row.plan.ended_at
    is_over = row.state == ReminderState.WITHDRAWN or (ended_at is not None and on >= pharmacy.local_day(ended_at))
    event = Event.new(
        uid=f"{row.public_id}@dispensary",
        sequence=int(is_over),
        status=STATUS.CANCELLED if is_over else STATUS.CONFIRMED,
        stamp=(ended_at if is_over else None) or row.plan.planned_at,
        start=on,
        end=on + timedelta(days=1),
        classification=CLASS.PRIVATE,
        summary=words[_TITLES[ReminderKind(row.kind)]].format(sender=pharmacy.name),
        description=words["event_text"].format(phone=pharmacy.phone),
        url=page_url or None,
    )
    event.add("TRANSP", TRANSP.TRANSPARENT)
    return event
