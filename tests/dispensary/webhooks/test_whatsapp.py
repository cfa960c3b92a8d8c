"""WhatsApp from end to end: a template leaves, is read, is answered, and a STOP ends it and is confirmed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from dispensary import reminders
from dispensary.actions import consent
from dispensary.actions.channel_trials import send_trial
from dispensary.actors import Role
from dispensary.channels import Reply
from dispensary.conf import conf
from dispensary.errors import InvalidInput
from dispensary.models import (
    Consent,
    ContactPoint,
    Delivery,
    DetailLevel,
    Medium,
    Patient,
    PatientAnswer,
    Reminder,
    ReminderState,
    WorkKind,
    WorklistItem,
)
from dispensary.models.reminders import ReminderKind
from dispensary.reminders import receipts
from tests.dispensary import make
from tests.dispensary.channels.providers import Twilio, running, twilio_options
from tests.dispensary.channels.test_twilio import signature
from tests.dispensary.channels.test_twilio_whatsapp import ADDRESS
from tests.dispensary.reminders import making
from tests.dispensary.reminders.conftest import database_now

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+447700900123"
TEMPLATES = {language: {kind.value: f"HX-{language}-{kind}" for kind in ReminderKind} for language in ("en", "fr")}


@pytest.fixture
def twilio(settings: Any) -> Iterator[Twilio]:
    with running(Twilio()) as provider:
        options = twilio_options(provider.url, ADDRESS, templates=TEMPLATES)
        settings.DISPENSARY = {
            **settings.DISPENSARY,
            "channels": {"email": "email", "whatsapp": "twilio_whatsapp"},
            "channel_options": {"twilio_whatsapp": options},
            "public_url": "https://pharmacy.example",
        }
        yield provider


@pytest.fixture
def sent(due: Callable[..., Reminder], twilio: Twilio) -> Reminder:
    reminder = due("run_out", reach=("whatsapp",), whatsapp_address=PHONE)
    reminders.drain()
    return reminder


def tell(client: Client, **fields: str) -> None:
    response = client.post(
        "/hooks/twilio_whatsapp",
        urlencode(fields),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signature(fields, ADDRESS)},
    )
    assert response.status_code == 200


def reply(client: Client, text: str) -> None:
    tell(client, MessageSid=f"IN{text}", From=f"whatsapp:{PHONE}", Body=text)


def test_a_reminder_leaves_as_its_template_with_what_stands_at_its_places(sent: Reminder, twilio: Twilio) -> None:
    [form] = twilio.taken.values()
    assert form["ContentSid"] == "HX-en-run_out" and "Body" not in form
    sender, day, phone, link = json.loads(form["ContentVariables"]).values()
    assert (sender, phone) == ("City Pharmacy", "020 7946 0999") and day
    assert link == f"https://pharmacy.example/m/{ContactPoint.objects.get().page_code}"


def test_one_that_is_read_is_delivered(client: Client, sent: Reminder) -> None:
    tell(client, MessageSid=Delivery.objects.get().provider_message_id, MessageStatus="read")
    assert Reminder.objects.get(pk=sent.pk).state == ReminderState.DELIVERED


def test_where_there_is_no_such_account_the_next_address_is_tried(client: Client, sent: Reminder) -> None:
    making.reachable(sent.patient, "email", preference=2)
    number = Delivery.objects.get().provider_message_id
    tell(client, MessageSid=number, MessageStatus="failed", ErrorCode="63024")
    reminders.drain()
    assert list(Delivery.objects.order_by("pk").values_list("medium", flat=True)) == ["whatsapp", "email"]
    assert ContactPoint.objects.get(medium="whatsapp").fault == "refused"


def test_a_stop_ends_it_and_is_confirmed_in_free_text(client: Client, sent: Reminder, twilio: Twilio) -> None:
    reply(client, "STOP")
    reminders.tick()
    assert Consent.objects.get(medium="whatsapp").answer == "no"
    assert "no more reminders" in twilio.taken[max(twilio.taken)]["Body"] and len(twilio.taken) == 2


@pytest.mark.parametrize(
    ("language", "confirmation"),
    [
        ("en", "no more WhatsApp messages from us. Call us if you want them back. Other messages go on (E-mail)."),
        ("es", "ya no le enviaremos mensajes de WhatsApp."),
        ("fr", "vous ne recevrez plus de messages WhatsApp."),
        ("ar", "لن نرسل إليكم رسائل واتساب بعد الآن."),
    ],
)
def test_a_stop_of_one_medium_is_answered_with_its_name_and_what_goes_on(
    client: Client, sent: Reminder, twilio: Twilio, settings: Any, language: str, confirmation: str
) -> None:
    settings.DISPENSARY = {**settings.DISPENSARY, "stop_scope": "medium"}
    making.reachable(sent.patient, "email", preference=2)
    make.change_past_actions(Patient.objects.filter(pk=sent.patient_id), language=language)
    reply(client, "STOP")
    reminders.tick()
    answer = twilio.taken[max(twilio.taken)]["Body"]
    assert confirmation in answer and answer.count("(") == 1
    assert dict(Consent.objects.values_list("medium", "answer")) == {"whatsapp": "no", "email": "yes"}


def test_a_stop_to_a_channel_under_a_dotted_name_ends_its_own_medium(
    client: Client, sent: Reminder, twilio: Twilio, settings: Any
) -> None:
    channels = {"email": "email", "whatsapp": "dispensary.channels.twilio_whatsapp"}
    options = {channels["whatsapp"]: settings.DISPENSARY["channel_options"]["twilio_whatsapp"]}
    count = receipts.keep(channel="twilio_whatsapp", events=[Reply("IN1", PHONE, "STOP")], now=database_now())
    settings.DISPENSARY = {**settings.DISPENSARY, "channels": channels, "channel_options": options}
    reminders.tick()
    assert count == 1 and Consent.objects.get(medium="whatsapp").answer == "no"
    assert "no more reminders" in twilio.taken[max(twilio.taken)]["Body"]


def test_a_stop_that_twilio_tells_of_by_receipt_ends_every_medium_like_one_that_we_read(
    client: Client, sent: Reminder
) -> None:
    making.reachable(sent.patient, "email", preference=2)
    number = Delivery.objects.get().provider_message_id
    tell(client, MessageSid=number, MessageStatus="failed", ErrorCode="21610")
    assert dict(Consent.objects.values_list("medium", "answer")) == {"whatsapp": "no", "email": "no"}


def test_a_start_is_confirmed_without_a_word_of_text_messages(client: Client, sent: Reminder, twilio: Twilio) -> None:
    make.change_past_actions(Patient.objects.filter(pk=sent.patient_id), language="fr")
    for word in ("ARRET", "REPRENDRE"):
        reply(client, word)
        reminders.tick()
    answer = twilio.taken[max(twilio.taken)]["Body"]
    assert "vous recevrez à nouveau nos rappels" in answer and "ARRET" in answer and "SMS" not in answer


def test_a_number_answers_the_question_and_the_answer_is_free_text(
    client: Client, sent: Reminder, twilio: Twilio
) -> None:
    reply(client, "1")
    reminders.tick()
    assert PatientAnswer.objects.get().reminder_id == sent.pk
    assert WorklistItem.objects.get().kind == WorkKind.ORDER_REQUESTED
    assert "we have your request" in twilio.taken[max(twilio.taken)]["Body"]


def test_two_messages_at_once_leave_as_two_templates(due: Callable[..., Reminder], twilio: Twilio) -> None:
    first = due("run_out", reach=("whatsapp",), whatsapp_address=PHONE)
    due("papers_changed", person=first.patient, reach=())
    reminders.drain()
    sids = {form["ContentSid"] for form in twilio.taken.values()}
    assert sids == {"HX-en-run_out", "HX-en-papers_changed"}


def test_a_yes_to_text_messages_is_no_yes_to_whatsapp(due: Callable[..., Reminder], twilio: Twilio) -> None:
    reminder = due(reach=("sms",), sms_address=PHONE)
    making.reachable(reminder.patient, "whatsapp", PHONE, answer="not-asked")
    reminders.drain()
    assert twilio.taken == {}


def test_neither_alerts_nor_test_messages_go_there_since_they_are_no_templates(twilio: Twilio) -> None:
    assert "whatsapp" not in conf().free_text_channels and "email" in conf().free_text_channels
    shop = making.pharmacy()
    with pytest.raises(InvalidInput, match="No channel carries this medium"):
        send_trial(
            pharmacy=shop, medium=Medium.WHATSAPP, address=PHONE, now=database_now(),
            by=replace(making.pharmacist(shop), role=Role.MANAGER),
        )  # fmt: skip


def test_the_medicine_is_never_named_there(sent: Reminder) -> None:
    contact, now = ContactPoint.objects.get(), database_now()
    with pytest.raises(InvalidInput, match="approved templates alone"):
        consent.choose_detail(
            contact=contact, detail_level=DetailLevel.DETAILED, by=making.pharmacist(sent.pharmacy), now=now
        )
