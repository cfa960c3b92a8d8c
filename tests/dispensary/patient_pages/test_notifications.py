"""Notifications in a browser: switched on at the patient's page, opened from there, ended by page, counter or push service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from dispensary import reminders
from dispensary.actions import consent
from dispensary.channels.subscriptions import parse_subscription
from dispensary.errors import InvalidInput
from dispensary.models import (
    AuditEntry,
    Carer,
    Consent,
    ConsentEvent,
    ContactPoint,
    Delivery,
    DetailLevel,
    Medium,
    Reminder,
    ReminderState,
)
from dispensary.models.audit import AuditBody
from dispensary.reminders.texts import patient_page
from dispensary.reminders.unread import give_up_waiting
from tests.dispensary.channels.providers import PushService, push_options, running, subscription
from tests.dispensary.reminders import making
from tests.dispensary.reminders.conftest import database_now

pytestmark = pytest.mark.django_db(transaction=True)
EN = patient_page("en")
HOURS_UNREAD = 2


@pytest.fixture
def push(settings: Any, monkeypatch: pytest.MonkeyPatch, tls: Any) -> Iterator[PushService]:
    server_context, trusted = tls
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    with running(PushService(), server_context) as service:
        settings.DISPENSARY = {
            **settings.DISPENSARY,
            "channels": {**settings.DISPENSARY.get("channels", {"email": "email"}), "push": "webpush"},
            "channel_options": {
                **settings.DISPENSARY.get("channel_options", {}),
                "webpush": push_options(service.url),
            },
            "public_url": "https://pharmacy.example",
        }
        yield service


@pytest.fixture
def sent(due: Callable[..., Reminder], push: PushService) -> Reminder:
    """A run-out that has left as a notification, of a patient who has an e-mail address, too."""
    address = parse_subscription(subscription(push.url), [push.url.split("://")[1]]).address
    reminder = due("run_out", reach=("push",), push_address=address)
    making.reachable(reminder.patient, "email", preference=2)
    reminders.drain()
    return reminder


def page_of(contact: ContactPoint) -> str:
    return f"/m/{contact.page_code}"


def press(client: Client, contact: ContactPoint, do: str, **fields: str) -> Any:
    return client.post(page_of(contact), {"do": do, **fields})


def switch_on(client: Client, contact: ContactPoint, push: PushService, path: str = "/send/7700900123") -> Any:
    return press(client, contact, "push_on", subscription=subscription(push.url, path))


def opened(client: Client, contact: ContactPoint, key: object) -> int:
    return client.post(f"{page_of(contact)}/opened", {"key": str(key)}).status_code


@pytest.fixture
def email(due: Callable[..., Reminder]) -> ContactPoint:
    return due("run_out").patient.contact_points.get(medium="email")


# --- switched on ------------------------------------------------------------------------------------------------------


def test_the_button_records_the_browser_with_its_day_and_a_yes_of_its_own(
    client: Client, email: ContactPoint, push: PushService
) -> None:
    assert switch_on(client, email, push)["Location"] == f"{page_of(email)}?said=push_on"
    browser = ContactPoint.objects.get(medium="push")
    assert (browser.patient, browser.preference, browser.detail_level) == (email.patient, 0, "plain")
    event = ConsentEvent.objects.get(medium="push")
    assert (event.answer, event.source) == ("yes", "patient-page")
    page_words = client.get(f"{page_of(email)}?said=push_on").content.decode()
    assert EN["done_push_on"] in page_words and EN["push_off"] in page_words


def test_pressed_twice_it_is_one_browser_and_one_yes(client: Client, email: ContactPoint, push: PushService) -> None:
    for _ in range(2):
        switch_on(client, email, push)
    assert ContactPoint.objects.filter(medium="push").count() == 1
    assert ConsentEvent.objects.filter(medium="push").count() == 1


def test_a_browser_that_is_somebody_elses_is_not_switched_on_again(
    client: Client, email: ContactPoint, push: PushService
) -> None:
    switch_on(client, email, push)
    press(client, ContactPoint.objects.get(medium="push"), "wrong")
    assert switch_on(client, email, push).status_code == 400


def test_each_browser_is_an_address_and_a_reader_has_at_most_five(
    client: Client, email: ContactPoint, push: PushService
) -> None:
    statuses = [switch_on(client, email, push, f"/send/{number}").status_code for number in range(6)]
    assert statuses == [302] * 5 + [400]
    assert ContactPoint.objects.filter(medium="push").count() == 5
    assert switch_on(client, email, push, "/send/1").status_code == 302, "one of the five again"


@pytest.mark.parametrize(
    "text",
    ["", "x", subscription("https://127.0.0.1:9"), subscription("http://fcm.googleapis.com")],
    ids=["nothing", "a letter", "this machine", "no HTTPS"],
)
def test_what_is_no_browser_at_a_push_service_is_refused_and_nothing_changes(
    client: Client, email: ContactPoint, push: PushService, text: str
) -> None:
    assert press(client, email, "push_on", subscription=text).status_code == 400
    assert not ContactPoint.objects.filter(medium="push").exists()
    assert not Consent.objects.filter(medium="push").exists()


def test_the_endpoint_and_its_keys_stand_neither_in_the_log_nor_before_staff(
    client: Client, email: ContactPoint, push: PushService, caplog: pytest.LogCaptureFixture
) -> None:
    switch_on(client, email, push)
    browser = ContactPoint.objects.get(medium="push")
    keys = json.loads(browser.address)["keys"]
    readable = f"{browser.shown_address} {[str(body.body) for body in AuditBody.objects.all()]} {caplog.text}"
    assert browser.shown_address == "A browser (127.0.0.1)"
    assert not [secret for secret in ("7700900123", *keys.values()) if secret in readable]
    assert AuditEntry.objects.filter(action="contact.changed").exists()


def test_a_site_without_the_channel_neither_offers_nor_takes_it(client: Client, email: ContactPoint) -> None:
    assert EN["push_title"] not in client.get(page_of(email)).content.decode()
    assert press(client, email, "push_on", subscription=subscription("https://fcm.googleapis.com")).status_code == 400


@pytest.mark.parametrize(("answer", "status"), [("yes", 302), ("no", 400), ("not-asked", 400)])
def test_a_carer_who_gets_messages_may_have_them_in_a_browser(
    client: Client, email: ContactPoint, push: PushService, answer: str, status: int
) -> None:
    now = database_now()
    carer = Carer.objects.create(
        patient=email.patient, name="Jo", relation="carer", language="en", answer=answer, added_at=now, added_by="user:1",
        answered_at=None if answer == "not-asked" else now,
    )  # fmt: skip
    contact = making.reachable(email.patient, "email", carer=carer)
    assert switch_on(client, contact, push).status_code == status
    assert ContactPoint.objects.filter(medium="push", carer=carer).count() == (status == 302)
    assert not Consent.objects.filter(medium="push").exists(), "no answer of the patient's"
    assert EN["push_off"] not in client.get(page_of(email)).content.decode(), (
        "the patient sees their own browsers alone"
    )


def test_the_worker_stands_beside_the_pages(client: Client) -> None:
    response = client.get("/m/notifications.js")
    assert response["Content-Type"] == "text/javascript; charset=utf-8" and b"showNotification" in response.content
    assert client.post("/m/notifications.js").status_code == 405


# --- a message ----------------------------------------------------------------------------------------------------------


def test_it_says_from_whom_it_is_and_names_no_medicine(sent: Reminder, push: PushService) -> None:
    [(headers, notification)] = push.taken
    assert notification["title"] == "Please call City Pharmacy"
    assert "aclofen" not in str(notification) and " mg" not in str(notification)
    assert notification["page"] == ContactPoint.objects.get(medium="push").page_code
    assert 0 < int(headers["TTL"]) <= 24 * 3600 and len(headers["Topic"]) == 22


def test_a_newer_reminder_of_the_next_supply_has_the_topic_of_the_older_and_another_kind_has_not(
    due: Callable[..., Reminder], sent: Reminder, push: PushService
) -> None:
    for kind in ("missed_collection", "papers_changed"):
        due(kind, person=sent.patient, reach=())
        reminders.drain()
    first, second, other = (headers["Topic"] for headers, _notification in push.taken)
    assert first == second != other


def test_two_messages_at_once_are_two_notifications(due: Callable[..., Reminder], push: PushService) -> None:
    first = due(
        "run_out", reach=("push",), push_address=parse_subscription(subscription(push.url), [push.url[8:]]).address
    )
    due("papers_changed", person=first.patient, reach=())
    reminders.drain()
    assert len(push.taken) == 2 and Delivery.objects.filter(sent_with=None).count() == 2


def test_one_that_is_opened_is_delivered(client: Client, sent: Reminder) -> None:
    delivery = Delivery.objects.get()
    assert Reminder.objects.get(pk=sent.pk).state == ReminderState.SENT, "taken by the push service is not read"
    for _ in range(2):
        assert opened(client, delivery.contact, delivery.key) == 204
    assert Reminder.objects.get(pk=sent.pk).state == ReminderState.DELIVERED


@pytest.mark.parametrize(("minutes", "media"), [(-1, ["push"]), (1, ["push", "email"])])
def test_one_that_is_not_opened_within_two_hours_goes_to_the_next_address(
    sent: Reminder, minutes: int, media: list[str]
) -> None:
    now = Delivery.objects.get().started_at + timedelta(hours=HOURS_UNREAD, minutes=minutes)
    give_up_waiting(now=now)
    reminders.tick()
    reminders.drain()
    assert list(Delivery.objects.order_by("pk").values_list("medium", flat=True)) == media
    assert ContactPoint.objects.get(medium="push").fault == "", "it may be opened yet"


@pytest.mark.parametrize("mood", ["no-number", "unknown-browser"])
def test_a_browser_that_is_gone_is_tried_no_more_and_the_next_address_is(
    due: Callable[..., Reminder], push: PushService, mood: str
) -> None:
    push.mood = mood
    address = parse_subscription(subscription(push.url), [push.url[8:]]).address
    reminder = due("run_out", reach=("push",), push_address=address)
    making.reachable(reminder.patient, "email", preference=2)
    reminders.drain()
    assert ContactPoint.objects.get(medium="push").fault == "refused"
    assert Delivery.objects.latest("pk").medium == "email"


@pytest.mark.parametrize("mood", ["too-fast", "away"])
def test_a_push_service_that_is_busy_is_tried_again_later(
    due: Callable[..., Reminder], push: PushService, mood: str
) -> None:
    push.mood = mood
    due("run_out", reach=("push",), push_address=parse_subscription(subscription(push.url), [push.url[8:]]).address)
    reminders.drain()
    assert Reminder.objects.get().state == ReminderState.SCHEDULED
    assert ContactPoint.objects.get(medium="push").fault == ""


# --- switched off, and strangers ------------------------------------------------------------------------------------------


def test_it_is_switched_off_at_the_page_of_any_of_the_readers_addresses(
    client: Client, email: ContactPoint, push: PushService
) -> None:
    switch_on(client, email, push)
    browser = ContactPoint.objects.get(medium="push")
    assert press(client, email, "push_off", browser=str(browser.pk)).status_code == 302
    browser.refresh_from_db()
    assert browser.retired_at is not None
    assert client.get(page_of(browser)).status_code == 410, "its own link ends with it"
    assert press(client, email, "push_off", browser=str(browser.pk)).status_code == 400


def test_a_stop_at_the_page_ends_all_browsers_and_the_button_begins_again(
    client: Client, email: ContactPoint, push: PushService
) -> None:
    switch_on(client, email, push)
    press(client, email, "stop", medium="push")
    assert dict(Consent.objects.values_list("medium", "answer")) == {"email": "yes", "push": "no"}
    switch_on(client, email, push)
    assert Consent.objects.get(medium="push").answer == "yes"


def test_the_counter_ends_a_browser_and_gives_it_no_medicine(
    client: Client, email: ContactPoint, push: PushService
) -> None:
    switch_on(client, email, push)
    browser, by, now = (
        ContactPoint.objects.get(medium="push"),
        making.pharmacist(email.patient.pharmacy),
        database_now(),
    )
    with pytest.raises(InvalidInput, match="locked screen"):
        consent.choose_detail(contact=browser, detail_level=DetailLevel.DETAILED, by=by, now=now)
    consent.retire_contact(contact=browser, by=by, now=now)
    assert not ContactPoint.objects.filter(medium=Medium.PUSH, retired_at=None).exists()


def test_nobody_ends_the_browser_of_another_patient(
    client: Client, due: Callable[..., Reminder], email: ContactPoint, push: PushService
) -> None:
    switch_on(client, email, push)
    other = due("run_out", reach=("email",)).patient.contact_points.get(medium="email")
    browser = ContactPoint.objects.get(medium="push")
    for name in (str(browser.pk), str(uuid4()), "x", ""):
        assert press(client, other, "push_off", browser=name).status_code == 400
    assert ContactPoint.objects.get(medium="push").retired_at is None


def test_nobody_says_that_the_message_of_another_was_opened(client: Client, sent: Reminder) -> None:
    key, mail = Delivery.objects.get().key, ContactPoint.objects.get(medium="email")
    browser = ContactPoint.objects.get(medium="push")
    assert [opened(client, mail, key), opened(client, browser, uuid4()), opened(client, browser, "x\x00")] == [404] * 3
    assert client.post("/m/nobody/opened", {"key": str(key)}).status_code == 404
    assert client.get(f"{page_of(browser)}/opened").status_code == 405
    assert Reminder.objects.get(pk=sent.pk).state == ReminderState.SENT
