"""Telephone calls from end to end: heard by a key, answered by a key, ended by a key, and unheard ones that go elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from dispensary import reminders
from dispensary.models import (
    Consent,
    ContactPoint,
    Delivery,
    InboundEvent,
    PatientAnswer,
    Reminder,
    ReminderState,
    WorkKind,
    WorklistItem,
)
from tests.dispensary.channels.providers import TwilioCalls, read_twiml, running, twilio_options
from tests.dispensary.channels.test_twilio import signature
from tests.dispensary.channels.test_twilio_voice import ADDRESS, PHONE
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def twilio(settings: Any) -> Iterator[TwilioCalls]:
    with running(TwilioCalls()) as provider:
        settings.DISPENSARY = {
            **settings.DISPENSARY,
            "channels": {"email": "email", "voice": "twilio_voice"},
            "channel_options": {"twilio_voice": twilio_options(provider.url, ADDRESS)},
            "public_url": "https://pharmacy.example",
        }
        yield provider


@pytest.fixture
def called(due: Callable[..., Reminder], awake: None, twilio: TwilioCalls) -> Callable[..., Reminder]:
    """Make a reminder that has left as a call."""

    def make(kind: str = "run_out", **more: Any) -> Reminder:
        reminder = due(kind, **{"reach": ("voice",), "voice_address": PHONE, **more})
        reminders.drain()
        return reminder

    return make


def press(client: Client, address: str, key: str) -> tuple[str, str | None]:
    """Press a key; return what is read out next and the address of its keys."""
    sid = max(Delivery.objects.values_list("provider_message_id", flat=True))
    form = {"CallSid": sid, "CallStatus": "in-progress", "To": PHONE, "Digits": key}
    return read_twiml(tell(client, address, form))


def tell(client: Client, address: str, form: dict[str, str]) -> str:
    response = client.post(
        address.removeprefix("https://pharmacy.example"),
        urlencode(form),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signature(form, address)},
    )
    assert response.status_code == 200 and response["Content-Type"] == "text/xml"
    return response.content.decode()


def end(client: Client, status: str = "completed") -> None:
    sid = Delivery.objects.filter(channel="twilio_voice").latest("pk").provider_message_id
    tell(client, ADDRESS, {"CallSid": sid, "CallStatus": status, "To": PHONE})


def test_a_call_that_was_heard_is_delivered_and_its_end_changes_nothing(
    client: Client, called: Callable[..., Reminder], twilio: TwilioCalls
) -> None:
    reminder = called()
    assert Reminder.objects.get(pk=reminder.pk).state == ReminderState.SENT
    spoken, _keys = press(client, twilio.hear()[1] or "", "5")
    assert "your supply is not enough for" in spoken and "press 1. To be called back, press 2." in spoken
    assert "baclofen" not in spoken and "http" not in spoken
    end(client)
    assert Reminder.objects.get(pk=reminder.pk).state == ReminderState.DELIVERED


@pytest.mark.parametrize("status", ["completed", "no-answer", "busy", "failed"])
def test_a_call_that_nobody_or_a_machine_answered_goes_to_the_next_address(
    client: Client, called: Callable[..., Reminder], twilio: TwilioCalls, status: str
) -> None:
    reminder = called()
    making.reachable(reminder.patient, "email", preference=2)
    end(client, status)
    reminders.drain()
    assert list(Delivery.objects.order_by("pk").values_list("medium", flat=True)) == ["voice", "email"]
    assert len(twilio.taken) == 1 and Reminder.objects.get(pk=reminder.pk).state == ReminderState.SENT


def test_without_a_next_address_it_is_work(client: Client, called: Callable[..., Reminder]) -> None:
    reminder = called()
    end(client, "no-answer")
    reminders.drain()
    assert WorklistItem.objects.get(reminder=reminder).kind == WorkKind.UNREACHABLE


@pytest.mark.parametrize(
    ("kind", "key", "work", "spoken"),
    [
        ("run_out", "1", WorkKind.ORDER_REQUESTED, "we have your request"),
        ("refill_again", "2", WorkKind.REPLY, "We will call you when we are open"),
    ],
)
def test_a_key_is_an_answer_and_what_follows_is_heard_in_the_call(
    client: Client,
    called: Callable[..., Reminder],
    twilio: TwilioCalls,
    kind: str,
    key: str,
    work: WorkKind,
    spoken: str,
) -> None:
    reminder = called(kind)
    _spoken, address = press(client, twilio.hear()[1] or "", "5")
    assert spoken in press(client, address or "", key)[0]
    press(client, address or "", key)  # told twice
    end(client)
    reminders.tick()
    assert PatientAnswer.objects.get().reminder_id == reminder.pk
    assert WorklistItem.objects.get().kind == work
    assert len(twilio.taken) == 1, "nobody is called to be answered"
    assert not InboundEvent.objects.filter(processed_at=None).exists()


def test_not_being_well_is_urgent_work_and_whom_to_call_is_heard_at_once(
    client: Client, called: Callable[..., Reminder], due: Callable[..., Reminder], twilio: TwilioCalls
) -> None:
    first = called()
    first.delete()
    due("step_check", person=first.patient, reach=())
    reminders.drain()
    _spoken, address = press(client, twilio.hear()[1] or "", "5")
    assert "9 9 9" in press(client, address or "", "7")[0]
    reminders.tick()
    assert WorklistItem.objects.get().kind == WorkKind.RED_FLAG
    assert len(twilio.taken) == 2


def test_where_a_call_asks_two_patients_whoever_is_not_well_is_urgent_for_both(
    client: Client, due: Callable[..., Reminder], awake: None, twilio: TwilioCalls
) -> None:
    for _ in range(2):
        first = due(reach=("voice",), voice_address=PHONE)
        first.delete()
        due("step_check", person=first.patient, reach=())
    reminders.drain()
    assert len(twilio.taken) == 1
    _spoken, address = press(client, twilio.hear()[1] or "", "5")
    press(client, address or "", "7")
    reminders.tick()
    assert [item.kind for item in WorklistItem.objects.all()] == [WorkKind.RED_FLAG] * 2
    assert all("Is not well (key 7)" in item.reason for item in WorklistItem.objects.all())
    assert len(twilio.taken) == 1 and not PatientAnswer.objects.exists()


@pytest.mark.parametrize("is_heard", [False, True])
def test_nine_is_a_no_to_calls_and_what_mattered_is_work(
    client: Client, called: Callable[..., Reminder], twilio: TwilioCalls, is_heard: bool
) -> None:
    called()
    address = twilio.hear()[1] or ""
    if is_heard:
        address = press(client, address, "5")[1] or ""
    assert "no more reminders" in press(client, address, "9")[0]
    end(client)
    reminders.tick()
    reminders.drain()
    assert Consent.objects.get(medium="voice").answer == "no"
    assert len(twilio.taken) == 1
    assert WorklistItem.objects.filter(kind=WorkKind.UNREACHABLE).exists() is not is_heard


def test_a_yes_to_text_messages_is_no_yes_to_calls(
    due: Callable[..., Reminder], awake: None, twilio: TwilioCalls
) -> None:
    reminder = due(reach=("sms",), sms_address=PHONE)
    making.reachable(reminder.patient, "voice", PHONE, answer="not-asked")
    reminders.drain()
    assert twilio.taken == {}


def test_at_a_shared_number_a_key_answers_for_the_patient_of_the_call(
    client: Client, called: Callable[..., Reminder], twilio: TwilioCalls
) -> None:
    called()
    second = called()
    assert len(twilio.taken) == 2 and ContactPoint.objects.filter(medium="voice").count() == 2
    spoken, address = press(client, twilio.hear()[1] or "", "5")
    assert "for A.C." in spoken
    press(client, address or "", "1")
    assert PatientAnswer.objects.get().reminder_id == second.pk
