"""GOV.UK Notify: one call a message by its own client, each documented answer, look-up, callbacks."""

import json
import uuid

import pytest

from dispensary.channels import (
    Accepted,
    AfterCrash,
    BadPayload,
    BadSignature,
    Fault,
    Receipt,
    ReceiptStatus,
    Refused,
    Reply,
    Unknown,
)
from dispensary.channels.govuk_notify import GovukNotify
from tests.dispensary.channels.providers import Notify, message, running

TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture
def notify():
    with running(Notify()) as provider:
        yield provider


@pytest.fixture
def channel(notify):
    made = channel_at(notify.url)
    yield made
    made.close()


def channel_at(url):
    return GovukNotify(
        {
            "api_key": Notify.API_KEY,
            "template_id": Notify.TEMPLATE,
            "base_url": url,
            "callback_token": TOKEN,
            "read": 1,
        }
    )


def test_one_message_is_one_call_with_our_words_and_our_key_as_reference(notify, channel):
    sent = message()
    answer = channel.send(sent)
    [(number, payload)] = notify.taken.items()
    assert answer == Accepted(number) and len(notify.calls) == 1
    assert payload["phone_number"] == sent.to and payload["reference"] == str(sent.key)
    assert payload["personalisation"] == {"message": sent.text}


@pytest.mark.parametrize(
    ("mood", "answer"),
    [
        ("team-only", Refused(Fault.MISCONFIGURED, False)),
        ("no-template", Refused(Fault.MISCONFIGURED, False)),
        ("no-json", Unknown()),
    ],
)
def test_each_documented_answer_has_its_meaning_and_is_asked_for_once(notify, channel, mood, answer):
    notify.mood = mood
    assert channel.send(message()) == answer
    assert len(notify.calls) == 1


def test_a_lost_answer_can_be_looked_up_by_our_key(notify, channel):
    assert channel.after_crash is AfterCrash.LOOK_UP
    sent = message()
    assert channel.look_up(sent.key) == Refused(Fault.NO_ANSWER, False)  # it was never there: send it
    accepted = channel.send(sent)
    assert channel.look_up(sent.key) == accepted
    notify.mood = "away"
    assert channel.look_up(sent.key) is None  # nobody can say now: ask again


def callback(channel, payload, token=TOKEN):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return channel.read_webhook({"Authorization": f"Bearer {token}"}, body, 0)


@pytest.mark.parametrize(
    ("status", "ours", "permanent"),
    [
        ("delivered", ReceiptStatus.DELIVERED, False),
        ("permanent-failure", ReceiptStatus.UNDELIVERED, True),
        ("temporary-failure", ReceiptStatus.UNDELIVERED, False),
        ("technical-failure", ReceiptStatus.UNDELIVERED, False),
    ],
)
def test_a_callback_is_a_receipt_by_key_and_by_number(channel, status, ours, permanent):
    key, number = str(uuid.uuid4()), str(uuid.uuid4())
    payload = {"id": number, "reference": key, "to": "07700900123", "status": status, "notification_type": "sms"}
    assert callback(channel, payload) == [Receipt(f"{number}:{status}", ours, key, number, permanent)]


@pytest.mark.parametrize("status", ["created", "sending", "pending", "sent"])
def test_what_is_on_its_way_tells_nothing(channel, status):
    assert callback(channel, {"id": "1", "reference": None, "status": status}) == []


def test_a_text_that_comes_in_is_a_reply_with_a_whole_number(channel):
    payload = {"id": "in-1", "source_number": "447700900123", "destination_number": "07900900900", "message": "STOP"}
    assert callback(channel, payload) == [Reply("in-1", "+447700900123", "STOP")]


@pytest.mark.parametrize("token", ["", "another-token-that-fits-not", TOKEN + "x"])
def test_without_the_token_no_call_is_believed(channel, token):
    with pytest.raises(BadSignature):
        callback(channel, {"id": "1", "status": "delivered"}, token)


def test_a_token_that_can_be_guessed_is_no_token(notify):
    weak = GovukNotify({"api_key": Notify.API_KEY, "template_id": "t", "callback_token": "short"})
    with pytest.raises(BadSignature, match="shorter than 20"):
        callback(weak, {"id": "1", "status": "delivered"}, "short")


@pytest.mark.parametrize("payload", [b"no json", {}, {"id": 7}, {"id": "1"}, {"id": "1", "source_number": "2"}, []])
def test_what_cannot_be_read_is_said(channel, payload):
    with pytest.raises(BadPayload):
        callback(channel, payload)
