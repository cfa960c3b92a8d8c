"""WhatsApp through Twilio: templates for what we begin, free text for answers, read receipts, replies."""

import json

import pytest
from django.core.exceptions import ImproperlyConfigured

from dispensary.channels import Accepted, BadSignature, Fault, Receipt, ReceiptStatus, Refused, Reply
from dispensary.channels import twilio_whatsapp as module
from tests.dispensary.channels.providers import Twilio, message, running, twilio_options
from tests.dispensary.channels.test_twilio import callback, signature

ADDRESS = "https://pharmacy.example/hooks/twilio_whatsapp"
TEMPLATES = {"en": {"run_out": "HX" + "1" * 32}}


def channel_at(url, **more):
    return module.TwilioWhatsapp(twilio_options(url, ADDRESS, **{"templates": TEMPLATES, **more}))


@pytest.fixture
def twilio():
    with running(Twilio()) as provider:
        yield provider


@pytest.fixture
def channel(twilio):
    made = channel_at(twilio.url)
    yield made
    made.close()


def test_what_we_begin_is_sent_as_its_approved_template(twilio, channel):
    answer = channel.send(message(template="run_out", places=("City", "3 December", "020 7946 0999")))
    [(number, form)] = twilio.taken.items()
    assert answer == Accepted(number) and form.pop("ContentVariables")
    assert form == {
        "To": "whatsapp:+447700900123",
        "From": "whatsapp:+441134960999",
        "ContentSid": TEMPLATES["en"]["run_out"],
        "StatusCallback": ADDRESS,
    }


def test_the_places_of_a_template_are_numbered_from_one(twilio, channel):
    channel.send(message(template="run_out", places=("City", "3 December")))
    [form] = twilio.taken.values()
    assert json.loads(form["ContentVariables"]) == {"1": "City", "2": "3 December"}


def test_an_answer_is_free_text(twilio, channel):
    sent = message()
    channel.send(sent)
    [form] = twilio.taken.values()
    assert form["Body"] == sent.text and "ContentSid" not in form


@pytest.mark.parametrize(("language", "kind"), [("en", "ready"), ("ar", "run_out")])
def test_without_an_approved_template_the_next_address_is_tried_and_nobody_is_asked(twilio, channel, language, kind):
    assert channel.send(message(template=kind, language=language)) == Refused(Fault.REJECTED, permanent=True)
    assert twilio.calls == []


@pytest.mark.parametrize("templates", ["HX1", {"en": "HX1"}])
def test_templates_are_given_by_language_and_kind(templates):
    with pytest.raises(ImproperlyConfigured, match="by language, a ContentSid for each kind"):
        channel_at("http://127.0.0.1:1", templates=templates)


@pytest.mark.parametrize(
    ("status", "code", "ours", "permanent"),
    [
        ("delivered", "", ReceiptStatus.DELIVERED, False),
        ("read", "", ReceiptStatus.DELIVERED, False),
        ("undelivered", "63024", ReceiptStatus.UNDELIVERED, True),
        ("failed", "63003", ReceiptStatus.UNDELIVERED, True),
        ("failed", "63016", ReceiptStatus.UNDELIVERED, False),
    ],
)
def test_delivered_read_and_failed_are_receipts(channel, status, code, ours, permanent):
    form = {"MessageSid": "SM1", "MessageStatus": status, "ErrorCode": code, "From": "whatsapp:+441134960999"}
    assert callback(channel, form) == [Receipt(f"SM1:{status}", ours, "", "SM1", permanent)]


def test_a_reply_comes_from_the_number_alone(channel):
    form = {"MessageSid": "SM2", "From": "whatsapp:+447700900123", "Body": "STOP"}
    assert callback(channel, form) == [Reply("SM2", "+447700900123", "STOP")]


@pytest.mark.parametrize("header", ["", "x", signature({"MessageSid": "SM9"}, ADDRESS)])
def test_a_forged_call_is_refused(channel, header):
    with pytest.raises(BadSignature):
        callback(channel, {"MessageSid": "SM1", "MessageStatus": "read"}, header)


@pytest.mark.parametrize(("more", "is_ours"), [({}, True), ({"answers_stop": True}, False)])
def test_a_stop_is_confirmed_by_us_unless_twilio_does(more, is_ours):
    assert channel_at("http://127.0.0.1:1", **more).confirms_stop is is_ours
