"""Twilio: one call a message by its own client with its retries off, each numbered error, signed callbacks."""

import base64
import hashlib
import hmac
from urllib.parse import urlencode

import pytest

from dispensary.channels import (
    Accepted,
    BadPayload,
    BadSignature,
    Fault,
    Receipt,
    ReceiptStatus,
    Refused,
    Reply,
    Unknown,
)
from dispensary.channels import twilio as module
from tests.dispensary.channels.providers import Twilio, message, running, twilio_options

ADDRESS = "https://pharmacy.example/hooks/twilio"


@pytest.fixture
def twilio():
    with running(Twilio()) as provider:
        yield provider


@pytest.fixture
def channel(twilio):
    made = channel_at(twilio.url)
    yield made
    made.close()


def channel_at(url, **more):
    return module.Twilio(twilio_options(url, **{"webhook_url": ADDRESS, "from": "+447700900999", **more}))


def test_one_message_is_one_call_with_our_words(twilio, channel):
    sent = message()
    answer = channel.send(sent)
    [(number, payload)] = twilio.taken.items()
    assert answer == Accepted(number) and len(twilio.calls) == 1
    assert payload == {"To": sent.to, "From": "+447700900999", "Body": sent.text, "StatusCallback": ADDRESS}


def test_a_messaging_service_takes_the_place_of_a_number(twilio):
    channel_at(twilio.url, messaging_service_sid="MG1").send(message())
    [payload] = twilio.taken.values()
    assert payload["MessagingServiceSid"] == "MG1" and "From" not in payload


@pytest.mark.parametrize(
    ("mood", "answer"),
    [
        ("landline", Refused(Fault.BAD_ADDRESS, True)),
        ("not-ours", Refused(Fault.MISCONFIGURED, False)),
        ("no-json", Unknown()),
    ],
)
def test_each_numbered_error_has_its_meaning_and_is_asked_for_once(twilio, channel, mood, answer):
    twilio.mood = mood
    assert channel.send(message()) == answer
    assert len(twilio.calls) == 1


def test_who_lets_twilio_answer_a_stop_does_not_answer_it_again(twilio, channel):
    assert channel.confirms_stop is False
    assert channel_at(twilio.url, answers_stop=False).confirms_stop is True


def signature(form, address=ADDRESS, token=Twilio.TOKEN):
    """As Twilio describes it, by hand: the address, then every field's name and value in the order of the names."""
    signed_text = address + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), signed_text.encode(), hashlib.sha1).digest()).decode()


def callback(channel, form, header=None):
    """Tell a channel through Twilio what these fields say, rightly signed unless a header is given."""
    header = signature(form, channel.options["webhook_url"]) if header is None else header
    return channel.read_webhook({"X-Twilio-Signature": header}, urlencode(form).encode(), 0)


@pytest.mark.parametrize(
    ("status", "code", "ours", "permanent"),
    [
        ("delivered", "", ReceiptStatus.DELIVERED, False),
        ("undelivered", "30003", ReceiptStatus.UNDELIVERED, False),
        ("undelivered", "30005", ReceiptStatus.UNDELIVERED, True),
        ("failed", "30006", ReceiptStatus.UNDELIVERED, True),
        ("failed", "", ReceiptStatus.UNDELIVERED, False),
    ],
)
def test_a_callback_is_a_receipt(channel, status, code, ours, permanent):
    form = {"MessageSid": "SM1", "MessageStatus": status, "ErrorCode": code, "To": "+447700900123"}
    assert callback(channel, form) == [Receipt(f"SM1:{status}", ours, "", "SM1", permanent)]


@pytest.mark.parametrize("status", ["queued", "sending", "sent", "accepted"])
def test_what_is_on_its_way_tells_nothing(channel, status):
    assert callback(channel, {"MessageSid": "SM1", "MessageStatus": status}) == []


@pytest.mark.parametrize(("more", "text"), [({}, "thank you"), ({"OptOutType": "STOP"}, "STOP")])
def test_a_text_that_comes_in_is_a_reply(channel, more, text):
    form = {"MessageSid": "SM2", "From": "+447700900123", "Body": "thank you", **more}
    assert callback(channel, form) == [Reply("SM2", "+447700900123", text)]


@pytest.mark.parametrize(
    "header", ["", "x", signature({"MessageSid": "SM9"}), signature({"MessageSid": "SM1"}, token="3" * 32)]
)
def test_a_signature_that_does_not_fit_is_refused(channel, header):
    with pytest.raises(BadSignature):
        callback(channel, {"MessageSid": "SM1"}, header)


def test_a_call_signed_for_another_address_is_refused(channel):
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    with pytest.raises(BadSignature):
        callback(channel, form, signature(form, "https://elsewhere.example/hooks/twilio"))


def test_without_its_own_address_no_call_is_believed(twilio):
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    with pytest.raises(BadSignature, match="webhook_url"):
        callback(channel_at(twilio.url, webhook_url=""), form)


def test_what_cannot_be_read_is_said(channel):
    with pytest.raises(BadPayload):
        callback(channel, {"MessageStatus": "delivered"})
