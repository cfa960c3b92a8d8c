"""NHS Notify: one call a message, each documented error, an access token asked for once, callbacks signed over the body."""

import hashlib
import hmac
import json
import uuid

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
    Unknown,
    channel_named,
)
from dispensary.channels import nhs_notify as module
from tests.dispensary.channels.providers import NhsNotify, message, running

ENDING = "To stop these texts, ring the pharmacy."


@pytest.fixture
def notify(key):
    with running(NhsNotify(key[0])) as provider:
        yield provider


@pytest.fixture
def channel(notify, key):
    made = channel_at(notify.url, key)
    yield made
    made.close()


def options_at(url, key, **more):
    account = {"api_key": NhsNotify.API_KEY, "key_id": NhsNotify.KEY_ID, "private_key": key[1]}
    calls = {"application_id": NhsNotify.APPLICATION, "callback_api_key": NhsNotify.CALLBACK_KEY}
    words = {"contact_details_agreed": True, "opt_out": {"en": ENDING, "fr": "Pour arrêter, appelez la pharmacie."}}
    return {**account, **calls, **words, "base_url": url, "read": 1, **more}


def channel_at(url, key, **more):
    return module.NhsNotify(options_at(url, key, **more))


def letters(notify):
    return [call for call in notify.calls if call[1] == "/comms/v1/messages"]


def test_one_message_is_one_call_with_our_words_and_our_key_as_reference(notify, channel):
    sent = message()
    answer = channel.send(sent)
    [(reference, payload)] = notify.taken.items()
    assert isinstance(answer, Accepted) and answer.provider_message_id and len(letters(notify)) == 1
    assert reference == str(sent.key) and payload["routingPlanId"] == module.FREE_TEXT
    assert payload["recipient"] == {"contactDetails": {"sms": "447700900123"}} and "originator" not in payload


def test_nobody_is_told_to_reply_where_no_reply_arrives(channel):
    assert not channel.takes_replies
    lines = [channel.opt_out_line(language, "To end these messages, call us.") for language in ("en", "fr", "es")]
    assert lines == [ENDING, "Pour arrêter, appelez la pharmacie.", "To end these messages, call us."]


def test_what_leaves_is_the_whole_text_and_nothing_else(notify, channel):
    channel.send(message())
    [payload] = notify.taken.values()
    assert payload["personalisation"]["sms_body"] == message().text


def test_a_plan_and_an_organisation_of_its_own_go_out_with_the_message(notify, key):
    plan = str(uuid.uuid4())
    channel_at(notify.url, key, routing_plan_id=plan, placeholder="words", ods_code="X26").send(message())
    [payload] = notify.taken.values()
    assert payload["routingPlanId"] == plan and payload["originator"] == {"odsCode": "X26"}
    assert list(payload["personalisation"]) == ["words"]


@pytest.mark.parametrize(
    ("mood", "answer"),
    [
        ("needs-nhs-number", Refused(Fault.MISCONFIGURED, False)),
        ("not-agreed", Refused(Fault.MISCONFIGURED, False)),
        ("no-organisation", Refused(Fault.MISCONFIGURED, False)),
        ("forbidden", Refused(Fault.MISCONFIGURED, False)),
        ("no-plan", Refused(Fault.MISCONFIGURED, False)),
        ("too-early", Unknown()),
        ("slow", Unknown()),
        ("no-json", Unknown()),
        ("no-id", Unknown()),
    ],
)
def test_each_documented_error_has_its_meaning_and_is_asked_for_once(notify, channel, mood, answer):
    notify.mood = mood
    assert channel.send(message()) == answer
    assert len(letters(notify)) == 1


def test_the_same_message_again_is_taken_once_and_known_to_be_there(notify, channel):
    assert channel.after_crash is AfterCrash.SAME_KEY
    sent = message()
    channel.send(sent)
    assert channel.send(sent) == Accepted("") and len(notify.taken) == 1


def test_an_access_token_serves_many_messages(notify, channel):
    for _ in range(3):
        channel.send(message())
    assert len(notify.tokens) == 1 and len(notify.taken) == 3


def test_an_access_token_about_to_end_is_renewed(notify, channel):
    notify.lasts = str(module.RENEW_SECONDS)
    for _ in range(2):
        channel.send(message())
    assert len(notify.tokens) == 2


def test_an_access_token_that_was_withdrawn_is_renewed_with_the_next_attempt(notify, channel):
    notify.mood = "denied"
    channel.send(message())
    notify.mood = "kind"
    assert isinstance(channel.send(message()), Accepted) and len(notify.tokens) == 2


@pytest.mark.parametrize(
    ("door", "answer"),
    [
        ("401", Refused(Fault.MISCONFIGURED, False)),
        ("429", Refused(Fault.LIMITED, False, module.timedelta(seconds=7))),
        ("503", Refused(Fault.BUSY, False)),
        ("no-json", Refused(Fault.BUSY, False)),
    ],
)
def test_without_an_access_token_nothing_was_handed_over(notify, channel, door, answer):
    notify.door = door
    assert channel.send(message()) == answer
    assert letters(notify) == []


def test_a_line_that_breaks_before_the_access_token_came_leaves_no_doubt(notify, channel):
    notify.mood = "cut"
    assert channel.send(message()) == Refused(Fault.UNREACHABLE, False)
    assert letters(notify) == []


@pytest.mark.parametrize(
    ("wrong", "error_text"),
    [
        ({"contact_details_agreed": False}, "onboarding team"),
        ({"contact_details_agreed": "yes"}, "onboarding team"),
        ({"opt_out": "Ring us."}, "a sentence for each language"),
        ({"private_key": "no key"}, "private_key"),
    ],
)
def test_what_could_never_be_sent_is_said_when_the_channel_is_made(key, wrong, error_text):
    with pytest.raises(ImproperlyConfigured, match=error_text):
        channel_at("http://127.0.0.1:1", key, **wrong)


def test_an_option_that_is_missing_is_named(key, settings):
    options = options_at("http://127.0.0.1:1", key)
    del options["key_id"]
    settings.DISPENSARY = {**settings.DISPENSARY, "channel_options": {"nhs_notify": options}}
    with pytest.raises(ImproperlyConfigured, match="key_id"):
        channel_named("nhs_notify")


@pytest.fixture
def called(key):
    """Hand a callback to a channel; signed as documented, unless headers are given."""
    channel = channel_at("http://127.0.0.1:1", key)

    def call(payload, **headers):
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        sent_headers = {"x-api-key": NhsNotify.CALLBACK_KEY, "x-hmac-sha256-signature": signature(body), **headers}
        return channel.read_webhook(sent_headers, body, 0)

    return call


def signature(body, secret=f"{NhsNotify.APPLICATION}.{NhsNotify.CALLBACK_KEY}"):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def item(kind, event="e1", **facts):
    attributes = {"messageId": "2WL3", "messageReference": "our-key", "timestamp": "2026-11-22T08:00:00Z", **facts}
    return {"type": kind, "attributes": attributes, "meta": {"idempotencyKey": event}}


def of_message(status, **more):
    return item("MessageStatus", messageStatus=status, **more)


def of_channel(status, supplier, channel="sms", **more):
    return item("ChannelStatus", channel=channel, channelStatus=status, supplierStatus=supplier, **more)


@pytest.mark.parametrize(
    ("payload", "ours", "permanent"),
    [
        (of_message("delivered"), ReceiptStatus.DELIVERED, False),
        (of_message("failed"), ReceiptStatus.UNDELIVERED, False),
        (of_channel("delivered", "delivered"), ReceiptStatus.DELIVERED, False),
        (of_channel("failed", "permanent_failure"), ReceiptStatus.UNDELIVERED, True),
        (of_channel("failed", "temporary_failure"), ReceiptStatus.UNDELIVERED, False),
        (of_channel("failed", "technical_failure"), ReceiptStatus.UNDELIVERED, False),
    ],
)
def test_a_callback_is_a_receipt_by_key_and_by_number(called, payload, ours, permanent):
    assert called({"data": [payload]}) == [Receipt("e1", ours, "our-key", "2WL3", permanent)]


@pytest.mark.parametrize(
    "payload",
    [
        of_message("sending"),
        of_message("enriched"),
        of_channel("sending", "temporary_failure"),
        of_channel("delivered", "read", channel="nhsapp"),
        item("RecipientResponse", code="YES"),
    ],
)
def test_what_is_on_its_way_or_not_ours_tells_nothing(called, payload):
    assert called({"data": [payload]}) == []


def test_one_call_may_tell_of_several_messages(called):
    payload = {"data": [of_message("delivered", event="e1"), of_message("sending"), of_message("failed", event="e2")]}
    assert [receipt.event_id for receipt in called(payload)] == ["e1", "e2"]


def test_a_callback_played_back_is_the_same_event(called):
    payload = {"data": [of_message("failed", event="the-key-of-the-event")]}
    assert [receipt.event_id for receipt in called(payload) + called(payload)] == ["the-key-of-the-event"] * 2


@pytest.mark.parametrize(
    "header",
    ["", "x", signature(b"{}"), signature(b'{"data": []}', NhsNotify.CALLBACK_KEY)],
    ids=["none", "no digest", "another key", "another body"],
)
def test_a_signature_that_does_not_fit_is_refused(called, header):
    with pytest.raises(BadSignature) as refused:
        called({"data": []}, **{"x-hmac-sha256-signature": header})
    assert refused.value.status == 403


@pytest.mark.parametrize("header", ["", "another-key-that-fits-not"])
def test_a_callback_with_another_key_is_refused_as_documented(called, header):
    with pytest.raises(BadSignature) as refused:
        called({"data": []}, **{"x-api-key": header})
    assert refused.value.status == 401


@pytest.mark.parametrize("wrong", [{"callback_api_key": "short"}, {"callback_api_key": ""}, {"application_id": ""}])
def test_without_a_secret_no_callback_is_believed(key, wrong):
    weak = channel_at("http://127.0.0.1:1", key, **wrong)
    with pytest.raises(BadSignature, match="shorter than 20"):
        weak.read_webhook({"x-api-key": wrong.get("callback_api_key", "")}, b"{}", 0)


@pytest.mark.parametrize(
    "payload",
    [
        b"no json",
        [],
        {},
        {"data": [{}]},
        {"data": [{"type": "MessageStatus", "attributes": {}, "meta": {}}]},
        {"data": [of_message(7)]},
        {"data": [of_message("failed", event="")]},
    ],
)
def test_what_cannot_be_read_is_said(called, payload):
    with pytest.raises(BadPayload):
        called(payload)


def test_no_stop_is_confirmed_since_none_arrives(channel):
    assert channel.confirms_stop is False
