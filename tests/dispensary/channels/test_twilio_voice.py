"""Calls through Twilio: a key before the message, keys that answer, what ends unheard, forged, replayed and late calls."""

import time
from urllib.parse import urlencode

import pytest

from dispensary.channels import Accepted, BadSignature, Fault, Receipt, ReceiptStatus, Refused, Reply
from dispensary.channels import twilio_voice as module
from dispensary.reminders.texts import LANGUAGES
from tests.dispensary.channels.providers import TwilioCalls, message, read_twiml, running, twilio_options
from tests.dispensary.channels.test_twilio import callback, signature

ADDRESS = "https://pharmacy.example/hooks/twilio_voice"
PHONE = "+447700900123"
ORDER = {"1": "We have your request.", "9": "We will not call again."}


def channel_at(url, **more):
    return module.TwilioVoice(twilio_options(url, ADDRESS, **more))


@pytest.fixture
def twilio():
    with running(TwilioCalls()) as provider:
        yield provider


@pytest.fixture
def channel(twilio):
    made = channel_at(twilio.url)
    yield made
    made.close()


def spoken_message(**more):
    words = {
        "body": "City: your supply ends soon. Questions: 020 7946 0999.",
        "opt_out": "To get no more of these calls, press 9.",
        "keys": ORDER,
    }
    return message(**{**words, **more})


def press(channel, address, key, *, at=None, sid="CA1", header=None):
    """Press a key of a call, as Twilio tells of it; return the events, what is read out next and the address of its keys."""
    form = {"CallSid": sid, "CallStatus": "in-progress", "To": PHONE, "From": "+441134960999", "Digits": key}
    headers = {"X-Twilio-Signature": signature(form, address) if header is None else header}
    query, now = address.partition("?")[2], time.time() if at is None else at
    events, twiml = channel.answer_webhook(headers, query, urlencode(form).encode(), now)
    return events, *read_twiml(twiml)


def end(channel, status, sid="CA1"):
    return callback(channel, {"CallSid": sid, "CallStatus": status, "To": PHONE})


@pytest.fixture
def opening(twilio, channel):
    """The address of the keys of a call that was just answered."""
    assert isinstance(channel.send(spoken_message()), Accepted)
    return twilio.hear()[1]


def test_one_message_is_one_call_that_tells_its_end(twilio, channel):
    answer = channel.send(spoken_message())
    [(number, form)] = twilio.taken.items()
    assert answer == Accepted(number) and form["To"] == PHONE and form["From"] == "+441134960999"
    assert form["StatusCallback"] == ADDRESS and int(form["Timeout"]) == 30


def test_before_a_key_is_pressed_nothing_of_the_message_is_read_or_can_be_read_off_the_call(twilio, channel):
    channel.send(spoken_message())
    spoken, address = twilio.hear()
    assert spoken == "City has a message for you. To hear it, press 5. To get no more of these calls, press 9."
    assert "supply" not in twilio.taken[max(twilio.taken)]["Twiml"] and "supply" not in address


def test_a_key_reads_the_message_slowly_with_its_numbers_digit_by_digit(channel, opening):
    events, spoken, address = press(channel, opening, "5")
    assert spoken == (
        "City: your supply ends soon. Questions: 0 2 0, 7 9 4 6, 0 9 9 9. "
        "To get no more of these calls, press 9. To hear it again, press 0."
    )
    assert events == [Receipt("CA1:heard", ReceiptStatus.DELIVERED, provider_message_id="CA1")]
    assert press(channel, address, "0")[1] == spoken


def test_a_key_of_the_message_answers_only_once_it_was_heard(channel, opening):
    events, _spoken, address = press(channel, opening, "1")
    assert not [event for event in events if isinstance(event, Reply)]
    assert press(channel, address, "1") == (
        [Reply("CA1:1", PHONE, "1", answers_message="CA1")],
        "We have your request.",
        None,
    )


@pytest.mark.parametrize("key", ["2", "3", "8", "0", "*", "#"])
def test_a_key_that_means_nothing_reads_the_message_again(channel, opening, key):
    address = press(channel, opening, "5")[2]
    events, spoken, again = press(channel, address, key)
    assert "your supply ends" in spoken and again == address
    assert not [event for event in events if isinstance(event, Reply)]


@pytest.mark.parametrize("is_heard", [False, True])
def test_nine_ends_the_calls_before_and_after_the_message(channel, opening, is_heard):
    address = press(channel, opening, "5")[2] if is_heard else opening
    assert press(channel, address, "9") == (
        [Reply("CA1:9", PHONE, "STOP", answers_message="CA1")],
        "We will not call again.",
        None,
    )


def test_a_call_without_keys_offers_none_and_nine_is_one_like_any_other(twilio, channel):
    channel.send(message())
    spoken, address = twilio.hear()
    assert spoken == "City has a message for you. To hear it, press 5."
    assert "ring us" in press(channel, address, "9")[1]


@pytest.mark.parametrize("status", ["completed", "busy", "no-answer", "failed", "canceled"])
def test_a_call_that_ends_is_not_delivered_unless_it_was_heard_before(channel, status):
    assert end(channel, status) == [
        Receipt(f"CA1:{status}", ReceiptStatus.UNDELIVERED, provider_message_id="CA1", permanent=False)
    ]


@pytest.mark.parametrize("status", ["queued", "initiated", "ringing", "in-progress"])
def test_a_call_that_goes_on_tells_nothing(channel, status):
    assert end(channel, status) == []


@pytest.mark.parametrize(("status", "is_over"), [("completed", True), ("no-answer", True), ("in-progress", False)])
def test_twilio_can_be_asked_how_a_call_ended(twilio, channel, status, is_over):
    twilio.status = (status, None)
    receipt = channel.fetch_receipt("CA1")
    assert (receipt.status is ReceiptStatus.UNDELIVERED) if is_over else receipt is None


@pytest.mark.parametrize("header", ["", "x", signature({"CallSid": "CA1"}, ADDRESS)])
def test_a_forged_key_is_refused(channel, opening, header):
    with pytest.raises(BadSignature):
        press(channel, opening, "1", header=header)


def test_a_key_under_another_message_s_address_is_refused(channel, opening):
    form = {"CallSid": "CA1", "Digits": "1", "To": PHONE}
    headers = {"X-Twilio-Signature": signature(form, ADDRESS)}  # signed without the message
    with pytest.raises(BadSignature):
        channel.answer_webhook(headers, opening.partition("?")[2], urlencode(form).encode(), time.time())


def test_a_message_that_we_did_not_seal_is_refused_however_it_is_signed(channel):
    with pytest.raises(BadSignature):
        press(channel, f"{ADDRESS}?m=gAAAAABmade-up&heard=1", "1")


@pytest.mark.parametrize(("later", "is_late"), [(module.GOOD_FOR - 60, False), (module.GOOD_FOR + 60, True)])
def test_a_key_is_good_for_an_hour(channel, opening, later, is_late):
    if not is_late:
        assert press(channel, opening, "5", at=time.time() + later)[2]
        return
    with pytest.raises(BadSignature):
        press(channel, opening, "5", at=time.time() + later)


def test_the_same_key_told_twice_is_one_event(channel, opening):
    address = press(channel, opening, "5")[2]
    [first], [second] = press(channel, address, "1")[0], press(channel, address, "1")[0]
    assert first.event_id == second.event_id


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_a_voice_of_its_own_and_no_marks_for_the_eye(twilio, channel, language):
    channel.send(spoken_message(language=language, sender="\u2068City\u2069"))
    twiml = twilio.taken[max(twilio.taken)]["Twiml"]
    assert f'language="{module._VOICES[language][1]}"' in twiml and 'rate="slow"' in twiml
    assert not set("\u2066\u2068\u2069\u200f") & set(twilio.hear()[0]) and "City" in twilio.hear()[0]


def test_the_site_may_choose_another_voice(twilio):
    channel_at(twilio.url, voices={"en": ["Polly.Joanna", "en-US"]}).send(spoken_message())
    assert 'voice="Polly.Joanna"' in twilio.taken[max(twilio.taken)]["Twiml"]


@pytest.mark.parametrize(
    ("words", "spoken"),
    [
        ("Call 999.", "Call 9 9 9."),
        ("Call +44 20 7946 0999.", "Call 4 4, 2 0, 7 9 4 6, 0 9 9 9."),
        ("Call 555-010-0199.", "Call 5 5 5, 0 1 0, 0 1 9 9."),
        ("Take 100 mg a day, not 12.5 mg.", "Take 100 mg a day, not 12.5 mg."),
        ("From 23 September, 15 tablets", "From 23 September, 15 tablets"),
    ],
)
def test_telephone_numbers_are_spelled_and_amounts_are_not(channel, twilio, words, spoken):
    channel.send(spoken_message(body=words, opt_out=""))
    assert press(channel, twilio.hear()[1], "5")[1].startswith(spoken)


def test_what_is_too_long_for_a_call_is_refused_before_anybody_is_called(twilio, channel):
    assert channel.send(spoken_message(body="x" * 4000)) == Refused(Fault.REJECTED, permanent=True)
    assert twilio.calls == []
