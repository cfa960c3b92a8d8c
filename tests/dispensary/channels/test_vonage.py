"""Vonage: one call a message by its own client with every repeat of its own off, each documented error, signed calls."""

import hashlib
import json
import uuid

import jwt
import pytest
from django.core.exceptions import ImproperlyConfigured

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
from dispensary.channels import vonage as module
from dispensary.reminders.replies import is_stop
from tests.dispensary.channels.providers import Vonage, message, running

NOW = 1_795_000_000


@pytest.fixture
def vonage(key, tls, monkeypatch):
    context, trusted = tls
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    with running(Vonage(key[0]), context) as provider:
        yield provider


@pytest.fixture
def channel(vonage, key):
    made = channel_at(vonage.url, key)
    yield made
    made.close()


def channel_at(url, key, **more):
    account = {"application_id": Vonage.APPLICATION, "private_key": key[1], "from": "+447700900999"}
    calls = {"signature_secret": Vonage.SECRET, "api_key": Vonage.KEY}
    return module.Vonage({**account, **calls, "api_host": url.removeprefix("https://"), "read": 1, **more})


def test_one_message_is_one_call_with_our_words_and_our_key_as_reference(vonage, channel):
    sent = message()
    answer = channel.send(sent)
    [(number, payload)] = vonage.taken.items()
    assert answer == Accepted(number) and len(vonage.calls) == 1
    assert payload["to"] == "447700900123" and payload["from"] == "447700900999" and payload["channel"] == "sms"
    assert payload["text"] == sent.text and payload["client_ref"] == str(sent.key)


@pytest.mark.parametrize(
    ("mood", "answer"),
    [
        ("gone", Refused(Fault.BAD_ADDRESS, True)),
        ("not-for-this-channel", Refused(Fault.BAD_ADDRESS, True)),
        ("not-ours", Refused(Fault.MISCONFIGURED, False)),
        ("not-on-the-list", Refused(Fault.MISCONFIGURED, False)),
        ("no-money", Refused(Fault.MISCONFIGURED, False)),
        ("no-money-unsaid", Refused(Fault.MISCONFIGURED, False)),
        ("too-many", Refused(Fault.LIMITED, False)),
        ("not-submitted", Refused(Fault.BUSY, False)),
        ("inner", Unknown()),
        ("no-json", Unknown()),
        ("no-number-given", Unknown()),
    ],
)
def test_each_documented_error_has_its_meaning_and_is_asked_for_once(vonage, channel, mood, answer):
    vonage.mood = mood
    assert channel.send(message()) == answer
    assert len(vonage.calls) == 1


@pytest.mark.parametrize(
    ("wrong", "fault"), [({"to": "not a number"}, Fault.BAD_ADDRESS), ({"body": "x" * 4000}, Fault.REJECTED)]
)
def test_what_the_client_itself_refuses_never_leaves(vonage, channel, wrong, fault):
    assert channel.send(message(**wrong)) == Refused(fault, True)
    assert vonage.calls == []


def test_a_provider_that_cannot_prove_its_name_gets_nothing(vonage, key, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert channel_at(vonage.url, key).send(message()) == Refused(Fault.UNREACHABLE, False)
    assert vonage.calls == []


def test_nobody_can_ask_vonage_by_our_key_so_the_kind_decides(channel):
    assert channel.after_crash is AfterCrash.BY_KIND


def test_a_stop_is_answered_by_us_unless_vonage_does_it(vonage, channel, key):
    assert channel.confirms_stop is True
    assert channel_at(vonage.url, key, answers_stop=True).confirms_stop is False


def test_a_key_that_is_none_is_said_when_the_channel_is_made(key):
    with pytest.raises(ImproperlyConfigured, match="private_key"):
        channel_at("https://127.0.0.1:1", (None, "no key"))


def signed(body, at=NOW, secret=Vonage.SECRET, **more):
    """As Vonage describes it: a token with the time, the account and the SHA-256 of the body."""
    claims = {"iat": at, "jti": str(uuid.uuid4()), "iss": "Vonage", "api_key": Vonage.KEY}
    claims["payload_hash"] = hashlib.sha256(body).hexdigest()
    token_claims = {name: value for name, value in {**claims, **more}.items() if value is not None}
    return f"Bearer {jwt.encode(token_claims, secret, algorithm='HS256')}"


def called(channel, payload, header=None):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return channel.read_webhook({"Authorization": signed(body) if header is None else header}, body, NOW)


def status(status_name, code=None, **more):
    problem = {"type": f"{Vonage.LIST}{code}", "title": code, "detail": "…"} if code else None
    payload = {
        "message_uuid": "aaaa-1",
        "to": "447700900123",
        "from": "447700900999",
        "channel": "sms",
        "status": status_name,
    }
    return {**payload, "client_ref": "our-key", **({"error": problem} if problem else {}), **more}


@pytest.mark.parametrize(
    ("status_name", "code", "ours", "permanent"),
    [
        ("delivered", None, ReceiptStatus.DELIVERED, False),
        ("rejected", 1180, ReceiptStatus.UNDELIVERED, False),
        ("rejected", 1190, ReceiptStatus.UNDELIVERED, True),
        ("rejected", None, ReceiptStatus.UNDELIVERED, False),
        ("undeliverable", 1190, ReceiptStatus.UNDELIVERED, False),
    ],
)
def test_a_call_is_a_receipt_by_key_and_by_number(channel, status_name, code, ours, permanent):
    assert called(channel, status(status_name, code)) == [
        Receipt(f"aaaa-1:{status_name}", ours, "our-key", "aaaa-1", permanent)
    ]


def test_a_number_that_has_sent_stop_is_an_opt_out_and_no_fault_of_the_address(channel):
    [receipt] = called(channel, status("rejected", 1240))
    assert receipt.opted_out and not receipt.permanent


def test_the_number_of_an_error_is_found_in_its_title_too(channel):
    payload = status("rejected", error={"title": 1190})
    assert called(channel, payload)[0].permanent is True


@pytest.mark.parametrize("status_name", ["submitted", "read", "accepted"])
def test_what_is_on_its_way_tells_nothing(channel, status_name):
    assert called(channel, status(status_name)) == []


def inbound(text, **more):
    payload = {"channel": "sms", "message_uuid": "bbbb-1", "to": "447700900999", "from": "447700900123"}
    return {**payload, "timestamp": "2026-11-22T08:00:00Z", "message_type": "text", "text": text, **more}


def test_a_stop_that_comes_in_is_a_reply_with_a_whole_number(channel):
    [reply] = called(channel, inbound("Stop please"))
    assert reply == Reply("bbbb-1", "+447700900123", "Stop please") and is_stop(reply.text)


def test_a_picture_that_comes_in_is_a_reply_without_words(channel):
    assert called(channel, inbound(None, message_type="image")) == [Reply("bbbb-1", "+447700900123", "")]


@pytest.mark.parametrize(
    "header",
    [
        "Basic x",
        "Bearer x",
        signed(b"{}", secret="another-secret-that-nobody-guesses"),
        signed(json.dumps(status("rejected")).encode()),
        signed(json.dumps(status("delivered")).encode(), payload_hash=None),
        signed(json.dumps(status("delivered")).encode(), iat=None),
        signed(json.dumps(status("delivered")).encode(), iat="now"),
        signed(json.dumps(status("delivered")).encode(), api_key="somebody"),
        f"Bearer {jwt.encode({'iat': NOW, 'payload_hash': 'x'}, None, algorithm='none')}",
    ],
    ids=[
        "basic",
        "no token",
        "other secret",
        "other body",
        "no digest",
        "no time",
        "time in words",
        "other key",
        "unsigned",
    ],
)
def test_a_forged_call_is_refused(channel, header):
    with pytest.raises(BadSignature):
        called(channel, status("delivered"), header)


@pytest.mark.parametrize(("age", "taken"), [(300, True), (301, False), (-300, True), (-301, False)])
def test_a_signature_is_good_for_five_minutes(channel, age, taken):
    body = json.dumps(status("delivered")).encode()
    if taken:
        assert called(channel, body, signed(body, at=NOW - age))
        return
    with pytest.raises(BadSignature, match="old"):
        called(channel, body, signed(body, at=NOW - age))


def test_a_call_played_back_at_once_is_the_same_event(channel):
    body = json.dumps(inbound("STOP")).encode()
    header = signed(body)
    assert called(channel, body, header) == called(channel, body, header)


def test_a_call_without_a_signature_is_asked_for_again_as_vonage_describes(channel):
    with pytest.raises(BadSignature) as refused:
        called(channel, status("delivered"), "")
    assert refused.value.status == 503


def test_a_secret_that_can_be_guessed_is_no_secret(vonage, key):
    body = json.dumps(status("delivered")).encode()
    with pytest.raises(BadSignature, match="shorter than 20"):
        called(channel_at(vonage.url, key, signature_secret="short"), body, "Bearer x")


@pytest.mark.parametrize(
    "payload", [b"no json", [], {}, {"message_uuid": 7}, {"message_uuid": "1"}, {"status": "delivered"}]
)
def test_what_cannot_be_read_is_said(channel, payload):
    with pytest.raises(BadPayload):
        called(channel, payload)
