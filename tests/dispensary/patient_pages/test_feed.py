"""The calendar of a patient's phone: RFC 5545, withdrawals cancelled, no medicine and no dose."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from dispensary.models import ContactPoint, Patient, Reminder, ReminderState
from dispensary.reminders.texts import LANGUAGES
from tests.dispensary import make
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db


@pytest.fixture
def email() -> ContactPoint:
    """The address of somebody on a taper with a change ahead and an end."""
    person, now = making.patient(making.pharmacy(name="City; Pharmacy, Ltd")), timezone.now()
    phases = ((("10", "10", "10"), 4), (("5", "5"), 4))
    making.dispense(making.prescription(person, phases, then_stop=True), days=8, at=now)
    making.follow(person, now)
    return making.reachable(person, "email", address="ann@example.org")


def feed_of(contact: ContactPoint, client: Client) -> str:
    answer = client.get(f"/m/{contact.page_code}/calendar.ics")
    assert answer.status_code == 200 and answer["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer["Referrer-Policy"] == "no-referrer" and answer["X-Robots-Tag"] == "noindex"
    return answer.content.decode()


def events_of(feed: str) -> dict[str, dict[str, str]]:
    """Return the events by id, each as its properties, with folded lines joined."""
    lines = feed.replace("\r\n ", "").split("\r\n")
    events: dict[str, dict[str, str]] = {}
    event: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line == "BEGIN:VEVENT":
            event = {}
        elif line == "END:VEVENT":
            events[event["UID"]] = event
        else:
            event[name] = value
    return events


def test_each_change_and_the_last_day_is_an_event_of_its_day(client: Client, email: ContactPoint) -> None:
    events = events_of(feed_of(email, client))
    changes = Reminder.objects.filter(kind="dose_change")
    for row in changes:
        event = events[f"{row.public_id}@dispensary"]
        assert event["DTSTART;VALUE=DATE"] == row.params["date"].replace("-", "")
        assert event["SUMMARY"] == "Your tablets change today: look at your page"
        assert (event["STATUS"], event["SEQUENCE"]) == ("CONFIRMED", "0")
    assert changes and any(event["SUMMARY"].startswith("Last day") for event in events.values())


def test_what_is_withdrawn_is_cancelled_under_its_own_id_with_a_higher_sequence(
    client: Client, email: ContactPoint
) -> None:
    before = events_of(feed_of(email, client))
    order = email.patient.prescriptions.get()
    making.stop(order, timezone.now() + timedelta(hours=1))
    making.follow(email.patient, timezone.now() + timedelta(hours=1))
    after = events_of(feed_of(email, client))
    assert Reminder.objects.filter(state=ReminderState.WITHDRAWN).exists() and before.keys() <= after.keys()
    assert {(after[uid]["STATUS"], after[uid]["SEQUENCE"]) for uid in before} == {("CANCELLED", "1")}


def test_a_change_that_was_announced_and_no_longer_comes_is_cancelled(client: Client, email: ContactPoint) -> None:
    Reminder.objects.filter(kind="dose_change").update(state=ReminderState.SENT)
    making.stop(email.patient.prescriptions.get(), timezone.now() + timedelta(hours=1))
    making.follow(email.patient, timezone.now() + timedelta(hours=1))
    events = events_of(feed_of(email, client))
    for row in Reminder.objects.filter(kind="dose_change"):
        event = events[f"{row.public_id}@dispensary"]
        assert (event["STATUS"], event["SEQUENCE"]) == ("CANCELLED", "1")


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("start_day", "First day of your tablets: look at your page"),
        ("ready", "Your prescription is ready at City\\; Pharmacy\\, Ltd"),
        ("owing_ready", "Your prescription is ready at City\\; Pharmacy\\, Ltd"),
    ],
)
def test_the_first_day_and_the_day_to_collect_are_events(
    client: Client, email: ContactPoint, kind: str, title: str
) -> None:
    row = Reminder.objects.filter(kind="last_day").get()
    Reminder.objects.filter(pk=row.pk).update(kind=kind)
    event = events_of(feed_of(email, client))[f"{row.public_id}@dispensary"]
    assert event["SUMMARY"] == title and event["STATUS"] == "CONFIRMED"


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_names_neither_patient_nor_medicine_nor_dose_and_keeps_to_the_form(
    client: Client, email: ContactPoint, language: str
) -> None:
    make.change_past_actions(Patient.objects.all(), language=language)
    feed = feed_of(email, client)
    assert not any(secret in feed.lower() for secret in ("baclof", "باكلوفين", "canary", " mg", "ann@"))
    lines = feed.split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR" and lines[-2:] == ["END:VCALENDAR", ""]
    assert all(len(line.encode()) <= 75 for line in lines) and "\n" not in "".join(lines)
    assert "X-WR-CALNAME:City\\; Pharmacy\\, Ltd" in lines


def test_looking_at_it_changes_nothing_and_a_lost_link_opens_nothing(client: Client, email: ContactPoint) -> None:
    before = list(Reminder.objects.order_by("id").values())
    feed_of(email, client)
    assert list(Reminder.objects.order_by("id").values()) == before
    assert client.post(f"/m/{email.page_code}/calendar.ics").status_code == 405
    ContactPoint.objects.update(retired_at=timezone.now())
    assert client.get(f"/m/{email.page_code}/calendar.ics").status_code == 410
