"""The plain HTTP gateway: one signed POST a message, and what each answer means."""

import json
import time

import pytest

from dispensary.channels import Accepted, AfterCrash, BadSignature, channel_named
from dispensary.channels.gateway import Gateway
from dispensary.channels.signing import HEADER, sign, verify
from tests.dispensary.channels.providers import message
from tests.dispensary.channels.servers import http_gateway

SECRET = "shared"


@pytest.fixture
def gateway():
    with http_gateway() as running:
        yield running


def channel(url, **more):
    return Gateway({"url": url, "secret": SECRET, "connect": 1, "read": 1, "sender": "CITY", **more})


def test_one_message_is_one_signed_call_with_its_key(gateway):
    sent = message()
    assert channel(gateway.url).send(sent) == Accepted("gw-1")
    [(headers, body)] = gateway.calls
    verify(SECRET, body, headers[HEADER], time.time())
    assert headers["Idempotency-Key"] == str(sent.key)
    assert json.loads(body) == {"key": str(sent.key), "to": sent.to, "text": sent.text, "sender": "CITY"}


@pytest.mark.parametrize(
    ("mood", "answer"),
    [
        ("seen-before", Accepted("gw-first")),
        ("no-json", Accepted("")),
        ("strange-number", Accepted("")),
    ],
)
def test_each_answer_has_its_meaning_and_is_asked_for_once(gateway, mood, answer):
    gateway.mood = mood
    assert channel(gateway.url).send(message()) == answer
    assert len(gateway.calls) == 1


def test_a_gateway_that_honours_keys_says_so():
    assert channel("http://x", honours_key=True).after_crash is AfterCrash.SAME_KEY
    assert channel("http://x").after_crash is AfterCrash.BY_KIND


def test_without_a_secret_no_call_is_believed():
    with pytest.raises(BadSignature):
        Gateway({"url": "http://x"}).read_webhook({HEADER: sign("", b"{}", 100)}, b"{}", 100)


def test_an_unknown_channel_is_a_sentence(settings):
    from django.core.exceptions import ImproperlyConfigured

    with pytest.raises(ImproperlyConfigured, match="cannot be used"):
        channel_named("pigeon")
