"""The contract of every channel but e-mail: one call a message, one of three answers, no personal data in a log line."""

import logging
import ssl
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from dispensary.channels import Accepted, AfterCrash, Channel, Fault, Refused, Unknown
from dispensary.channels.gateway import Gateway
from tests.dispensary.channels import (
    test_govuk_notify,
    test_govuk_notify_letters,
    test_nhs_notify,
    test_twilio,
    test_twilio_voice,
    test_twilio_whatsapp,
    test_vonage,
    test_webpush,
)
from tests.dispensary.channels.providers import (
    NhsNotify,
    Notify,
    PushService,
    Twilio,
    TwilioCalls,
    Vonage,
    message,
    running,
    subscription,
)
from tests.dispensary.channels.servers import black_hole, http_gateway

Key = tuple[RSAPrivateKey, str]
"""The private key of an application, and the same in PEM."""
WAIT = timedelta(seconds=7)
"""Seconds that a provider which has had too many asks us to wait."""


@dataclass
class Line:
    """A channel with its provider on loopback. `moods` says how the provider calls what the contract asks of it."""

    provider: Any
    make: Any
    moods: dict[str, str | None] = field(default_factory=dict)
    address_at: Any = None
    channel: Any = None

    def __post_init__(self):
        self.channel = self.make(self.provider.url)

    def be(self, mood):
        if self.moods.get(mood, "") is None:
            pytest.skip("this provider has no such answer")
        self.provider.mood = self.moods.get(mood, mood)

    def message(self, url=None):
        """A message to an address of the provider, or of another one at `url`."""
        return message(to=self.address_at(url or self.provider.url)) if self.address_at else message()

    def calls(self):
        """Headers and body of every message handed over: an access token that is asked for first is none."""
        return [(headers, body) for *where, headers, body in self.provider.calls if "/oauth2/token" not in where]


@dataclass(frozen=True)
class Row:
    """A channel under the contract: its provider on loopback, and how to make the channel at the provider's address."""

    provider: Callable[[Key, ssl.SSLContext], AbstractContextManager[Any]]
    channel_at: Callable[[str, Key], Channel]
    moods: dict[str, str | None] = field(default_factory=dict)
    address_at: Callable[[str], str] | None = None
    """Where the address names the provider."""


GATEWAY_MOODS = {
    "away": "unavailable",
    "too-fast": "limited",
    "no-number": "wrong-number",
    "stopped": "opted-out",
    "wrong-key": "locked-out",
    "moved": "elsewhere",
}
ROWS = {
    "gateway": Row(
        lambda key, tls: http_gateway(),
        lambda url, key: Gateway({"url": url, "secret": "s" * 20, "connect": 1, "read": 1}),
        GATEWAY_MOODS,
    ),
    "govuk_notify": Row(
        lambda key, tls: running(Notify()),
        lambda url, key: test_govuk_notify.channel_at(url),
        {"stopped": None},
    ),
    "govuk_notify_letters": Row(
        lambda key, tls: running(Notify()),
        lambda url, key: test_govuk_notify_letters.channel_at(url),
        {"stopped": None, "no-number": "no-place"},
    ),
    "nhs_notify": Row(
        lambda key, tls: running(NhsNotify(key[0])),
        test_nhs_notify.channel_at,
        {"stopped": None, "wrong-key": "denied"},
    ),
    "twilio": Row(lambda key, tls: running(Twilio()), lambda url, key: test_twilio.channel_at(url)),
    "twilio_voice": Row(
        lambda key, tls: running(TwilioCalls()),
        lambda url, key: test_twilio_voice.channel_at(url),
        {"stopped": None, "too-long": None},
    ),
    "twilio_whatsapp": Row(lambda key, tls: running(Twilio()), lambda url, key: test_twilio_whatsapp.channel_at(url)),
    "vonage": Row(
        lambda key, tls: running(Vonage(key[0]), tls),
        test_vonage.channel_at,
        {"too-long": "invalid"},
    ),
    "webpush": Row(
        lambda key, tls: running(PushService(), tls),
        lambda url, key: test_webpush.channel_at(url),
        {"stopped": None},
        subscription,
    ),
}


@pytest.fixture(params=ROWS)
def line(request, key, tls, monkeypatch):
    row = ROWS[request.param]
    server_context, trusted = tls
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    with row.provider(key, server_context) as provider:
        running_line = Line(provider, lambda url: row.channel_at(url, key), row.moods, row.address_at)
        running_line.channel.send(
            running_line.message()
        )  # fetches an access token where one is needed: what follows is about messages
        provider.calls.clear()
        yield running_line
        running_line.channel.close()


def test_a_message_that_is_taken_has_the_providers_number(line):
    answer = line.channel.send(line.message())
    assert isinstance(answer, Accepted) and answer.provider_message_id
    assert len(line.calls()) == 1


@pytest.mark.parametrize(
    ("mood", "answer"),
    [
        ("away", Refused(Fault.BUSY, False)),
        ("too-fast", Refused(Fault.LIMITED, False, WAIT)),
        ("wrong-key", Refused(Fault.MISCONFIGURED, False)),
        ("no-number", Refused(Fault.BAD_ADDRESS, True)),
        ("stopped", Refused(Fault.OPTED_OUT, True)),
        ("too-long", Refused(Fault.REJECTED, True)),
        ("broken", Unknown()),
        ("garbage", Unknown()),
        ("cut", Unknown()),
        ("hang", Unknown()),
        ("moved", Unknown()),
    ],
)
def test_every_answer_is_one_of_three_and_is_asked_for_once(line, mood, answer):
    line.be(mood)
    assert line.channel.send(line.message()) == answer
    assert len(line.calls()) == 1


@pytest.mark.parametrize("mood", ["away", "broken", "garbage", "cut"])
def test_after_a_bad_one_the_next_message_still_goes(line, mood):
    line.be(mood)
    line.channel.send(line.message())
    line.be("kind")
    assert isinstance(line.channel.send(line.message()), Accepted)


def test_where_nobody_listens_nothing_was_handed_over(line):
    url = line.provider.url.split("://")[0] + "://127.0.0.1:1"
    assert line.make(url).send(line.message(url)) == Refused(Fault.UNREACHABLE, False)


def test_a_provider_that_never_answers_is_given_up_within_the_channels_own_limit(line):
    """The lease's fence relies on it. In doubt, unless nothing but a connection or an access token has been asked for."""
    with black_hole() as port:
        url = line.provider.url.split("://")[0] + f"://127.0.0.1:{port}"
        silent = line.make(url)
        began = time.monotonic()
        answer = silent.send(line.message(url))
        assert time.monotonic() - began < silent.timeout.total_seconds()
    assert answer in {Unknown(), Refused(Fault.UNREACHABLE, False)}


def test_a_redirection_takes_neither_number_nor_words_elsewhere(line):
    with http_gateway() as elsewhere:
        line.provider.elsewhere = elsewhere.url
        line.be("moved")
        line.channel.send(line.message())
        assert elsewhere.calls == []


def test_the_key_goes_out_with_the_message_and_again_with_its_repeat(line):
    """Except where there is no place for one, as at Twilio: there the kind of message decides about a repeat."""
    has_no_place = line.channel.name.startswith(("twilio", "webpush"))
    sent = line.message()
    line.channel.send(sent)
    line.channel.send(sent)
    carried = [str(sent.key) in f"{headers} {body.decode(errors='replace')}" for headers, body in line.calls()]
    assert carried == [not has_no_place] * 2
    if has_no_place:
        assert line.channel.after_crash is AfterCrash.BY_KIND


@pytest.mark.parametrize("mood", ["kind", "no-number", "away", "broken", "garbage", "cut", "moved"])
def test_neither_number_nor_words_nor_secrets_reach_a_log_line(line, caplog, mood):
    caplog.set_level(logging.DEBUG)
    line.be(mood)
    line.channel.send(line.message())
    assert not [word for word in ("7700900123", "ring us", "Bearer", "Basic ", "s" * 20) if word in caplog.text], (
        caplog.text
    )
