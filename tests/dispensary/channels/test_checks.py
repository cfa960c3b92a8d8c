"""System checks of a site's channels and its public address."""

import sys
from datetime import timedelta
from types import SimpleNamespace

import pytest

from dispensary.channels import Accepted, AfterCrash, Channel
from dispensary.channels.checks import check_channels, check_public_address
from tests.dispensary.channels.providers import push_options


@pytest.fixture
def site(settings):
    def make(**more):
        settings.DISPENSARY = {**settings.DISPENSARY, **more}

    return make


def test_a_site_as_it_ships_is_right(site):
    site(channels={"email": "email"}, public_url="https://pharmacy.example")
    assert check_channels() == check_public_address() == []


@pytest.mark.parametrize(
    ("channels", "options", "error_text", "number"),
    [
        ({"sms": "pigeon"}, {}, "'pigeon'", "dispensary.E005"),
        ({"sms": "twilio"}, {}, "lacks 'account_sid'", "dispensary.E005"),
        (
            {"sms": "nhs_notify"},
            {"nhs_notify": {"api_key": "k", "key_id": "k", "private_key": "p"}},
            "onboarding team",
            "dispensary.E005",
        ),
        (
            {"sms": "gateway"},
            {"gateway": {"url": "https://x", "opt_out": "Ring us."}},
            "a sentence for each language",
            "dispensary.E005",
        ),
        ({"fax": "email"}, {}, "'fax'", "dispensary.E004"),
        ({"voice": "email"}, {}, "it carries email", "dispensary.E004"),
        (
            {"sms": "twilio_voice"},
            {
                "twilio_voice": {
                    "account_sid": "a",
                    "auth_token": "t",
                    "from": "+441134960999",
                    "webhook_url": "https://x",
                }
            },
            "it carries voice",
            "dispensary.E004",
        ),
        (
            {"voice": "twilio_voice"},
            {"twilio_voice": {"account_sid": "a", "auth_token": "t", "from": "+441134960999"}},
            "lacks 'webhook_url'",
            "dispensary.E005",
        ),
    ],
)
def test_what_is_wrong_is_named(site, channels, options, error_text, number):
    site(channels=channels, channel_options=options)
    [wrong] = check_channels()
    assert error_text in wrong.msg and wrong.id == number


class Pigeon(Channel):
    """A site's own channel, as it ought to be."""

    name = "pigeon"
    takes_replies = False

    def send(self, message):
        return Accepted()


class Unnamed(Pigeon):
    name = ""


class Asked(Pigeon):
    after_crash = AfterCrash.LOOK_UP


class Fetched(Pigeon):
    can_fetch_receipt = True


class Slow(Pigeon):
    timeout = timedelta(seconds=120)


class Replied(Pigeon):
    takes_replies = True


class Addressed(Pigeon):
    def send(self, message, address):
        return Accepted()


class Silent(Channel):
    name = "silent"


class Stranger:
    def __init__(self, options):
        pass


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        (Pigeon, None),
        (Unnamed, "has no name"),
        (Asked, "no look_up()"),
        (Fetched, "no fetch_receipt()"),
        (Slow, "takes 120 s for a message; expected less than the 120 s"),
        (Replied, 'no "STOP" would arrive'),
        (Addressed, "does not take a message alone"),
        (Silent, "cannot be made"),
        (Stranger, "is no subclass of dispensary.channels.Channel"),
    ],
)
def test_a_channel_of_the_site_does_what_it_promises(site, monkeypatch, channel, words):
    monkeypatch.setitem(sys.modules, "theirs.pigeon", SimpleNamespace(CHANNEL=channel))
    site(channels={"sms": "theirs.pigeon"})
    messages = check_channels()
    assert [message.id for message in messages] == (["dispensary.E005"] if words else [])
    assert all(words in message.msg for message in messages)


@pytest.mark.parametrize(("name", "count"), [("", 0), ("govuk_notify_letters", 1), ("pigeon", 1)])
def test_the_channel_of_letters_is_checked_too(site, name, count):
    site(letter_channel=name)
    assert len(check_channels()) == count


def test_a_setting_that_does_not_exist_is_named(site):
    site(stop_scope="some")
    assert [wrong.id for wrong in check_channels()] == ["dispensary.E003"]


@pytest.mark.parametrize(("address", "error_text"), [("", "not set"), ("http://pharmacy.example", "not HTTPS")])
def test_letters_without_one_click_are_warned_of(site, address, error_text):
    site(channels={"email": "email"}, public_url=address)
    [wrong] = check_public_address()
    assert error_text in wrong.msg and wrong.id == "dispensary.W004"


def test_who_sends_no_letters_needs_no_address_for_them(site):
    site(channels={}, public_url="")
    assert check_public_address() == []


@pytest.mark.parametrize("hours", [{"sink": 1}, {"sink": 47}])
def test_a_term_for_receipts_of_a_channel_in_use_is_right(site, tmp_path, hours):
    site(channels={"sms": "sink"}, channel_options={"sink": {"file": str(tmp_path / "sent")}}, receipt_hours=hours)
    assert check_channels() == []


@pytest.mark.parametrize("hours", [{"sink": 0}, {"sink": 48}, {"sink": "4"}, {"pigeon": 4}])
def test_a_term_for_receipts_that_fits_no_channel_is_named(site, tmp_path, hours):
    site(channels={"sms": "sink"}, channel_options={"sink": {"file": str(tmp_path / "sent")}}, receipt_hours=hours)
    [wrong] = check_channels()
    assert "receipt_hours" in wrong.msg and wrong.id == "dispensary.E004"


@pytest.mark.parametrize(
    ("name", "options", "option"),
    [
        ("gateway", {"secret": "s" * 32}, "url"),
        ("gateway", {"url": ""}, "url"),
        ("govuk_notify", {"api_key": "k"}, "template_id"),
        ("nhs_notify", {"key_id": "k", "private_key": "p", "contact_details_agreed": True}, "api_key"),
        ("sink", {}, "file"),
        ("twilio", {"account_sid": "AC1", "auth_token": "t"}, "from"),
        ("vonage", {"application_id": "a", "private_key": "p"}, "from"),
    ],
)
def test_a_channel_without_an_option_that_it_needs_is_named_before_a_message_is_due(site, name, options, option):
    site(channels={"sms": name}, channel_options={name: options})
    [wrong] = check_channels()
    assert wrong.id == "dispensary.E005" and f"[{name!r}] lacks {option!r}" in wrong.msg


@pytest.mark.parametrize(
    ("address", "numbers"),
    [("https://pharmacy.example", []), ("http://pharmacy.example", ["dispensary.E004"]), ("", ["dispensary.E004"])],
)
def test_notifications_need_the_sites_own_address_in_https(site, address, numbers):
    options = {"webpush": push_options("https://fcm.googleapis.com")}
    site(channels={"push": "webpush"}, channel_options=options, public_url=address)
    assert [wrong.id for wrong in check_channels()] == numbers


def test_notifications_without_a_key_are_named(site):
    site(channels={"push": "webpush"}, public_url="https://pharmacy.example")
    [wrong] = check_channels()
    assert "'webpush'" in wrong.msg and "lacks 'private_key'" in wrong.msg and wrong.id == "dispensary.E005"
