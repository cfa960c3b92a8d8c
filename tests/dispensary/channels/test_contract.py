"""What every channel for text messages promises, whoever the provider is: one call a message, three answers, nothing left lying."""

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from dispensary.channels import Accepted, AfterCrash, Fault, Refused, Unknown
from dispensary.channels.gateway import Gateway
from tests.dispensary.channels import test_govuk_notify, test_nhs_notify, test_twilio, test_vonage
from tests.dispensary.channels.providers import (
    NhsNotify,
    Notify,
    Twilio,
    Vonage,
    message,
    running,
)
from tests.dispensary.channels.servers import black_hole, http_gateway

WAIT = timedelta(seconds=7)
"""What a provider that has had too many asks us to wait."""


@dataclass
class Line:
    """A channel with its provider on loopback. `moods` says how the provider calls what the contract asks of it."""

    provider: Any
    make: Any
    moods: dict[str, str] = field(default_factory=dict)
    channel: Any = None

    def __post_init__(self):
        self.channel = self.make(self.provider.url)

    def be(self, mood):
        if self.moods.get(mood, "") is None:
            pytest.skip("this provider has no such answer")
        self.provider.mood = self.moods.get(mood, mood)

    def calls(self):
        """Headers and body of every message handed over: an access token that is asked for first is none."""
        return [(headers, body) for *where, headers, body in self.provider.calls if "/oauth2/token" not in where]


@contextmanager
def line_of(name, key, tls, monkeypatch):
    if name == "gateway":
        with http_gateway() as provider:
            moods = {
                "away": "unavailable",
                "too-fast": "limited",
                "no-number": "wrong-number",
                "stopped": "opted-out",
                "wrong-key": "locked-out",
                "moved": "elsewhere",
            }
            options = {"secret": "s" * 20, "connect": 1, "read": 1}
            yield Line(provider, lambda url: Gateway({"url": url, **options}), moods)
    elif name == "govuk_notify":
        with running(Notify()) as provider:
            yield Line(provider, test_govuk_notify.channel_at, {"stopped": None})
    elif name == "twilio":
        with running(Twilio()) as provider:
            yield Line(provider, test_twilio.channel_at)
    elif name == "vonage":
        context, trusted = tls
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
        with running(Vonage(key[0]), context) as provider:
            yield Line(provider, lambda url: test_vonage.channel_at(url, key), {"too-long": "invalid"})
    else:
        with running(NhsNotify(key[0])) as provider:
            moods = {"stopped": None, "wrong-key": "denied"}
            line = Line(provider, lambda url: test_nhs_notify.channel_at(url, key), moods)
            line.channel.send(message())  # so that it has an access token, and what follows is about messages
            provider.calls.clear()
            yield line


@pytest.fixture(params=["gateway", "govuk_notify", "nhs_notify", "twilio", "vonage"])
def line(request, key, tls, monkeypatch):
    with line_of(request.param, key, tls, monkeypatch) as made:
        yield made
        made.channel.close()


def test_a_message_that_is_taken_has_the_providers_number(line):
    answer = line.channel.send(message())
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
    assert line.channel.send(message()) == answer
    assert len(line.calls()) == 1


@pytest.mark.parametrize("mood", ["away", "broken", "garbage", "cut"])
def test_after_a_bad_one_the_next_message_still_goes(line, mood):
    line.be(mood)
    line.channel.send(message())
    line.be("kind")
    assert isinstance(line.channel.send(message()), Accepted)


def test_where_nobody_listens_nothing_was_handed_over(line):
    nowhere = line.make(line.provider.url.split("://")[0] + "://127.0.0.1:1")
    assert nowhere.send(message()) == Refused(Fault.UNREACHABLE, False)


def test_a_provider_that_never_answers_is_given_up_within_the_channels_own_limit(line):
    """The lease's fence relies on it. In doubt, unless nothing but a connection or an access token has been asked for."""
    with black_hole() as port:
        silent = line.make(line.provider.url.split("://")[0] + f"://127.0.0.1:{port}")
        began = time.monotonic()
        answer = silent.send(message())
        assert time.monotonic() - began < silent.timeout.total_seconds()
    assert answer in {Unknown(), Refused(Fault.UNREACHABLE, False)}


def test_a_redirection_takes_neither_number_nor_words_elsewhere(line):
    with http_gateway() as elsewhere:
        line.provider.elsewhere = elsewhere.url
        line.be("moved")
        line.channel.send(message())
        assert elsewhere.calls == []


def test_the_key_goes_out_with_the_message_and_again_with_its_repeat(line):
    """Except to Twilio, which has no place for one: there the kind of message decides about a repeat."""
    sent = message()
    line.channel.send(sent)
    line.channel.send(sent)
    carried = [str(sent.key) in f"{headers} {body.decode()}" for headers, body in line.calls()]
    assert carried == [line.channel.name != "twilio"] * 2
    if line.channel.name == "twilio":
        assert line.channel.after_crash is AfterCrash.BY_KIND


@pytest.mark.parametrize("mood", ["kind", "no-number", "away", "broken", "garbage", "cut", "moved"])
def test_neither_number_nor_words_nor_secrets_reach_a_log_line(line, caplog, mood):
    caplog.set_level(logging.DEBUG)
    line.be(mood)
    line.channel.send(message())
    told = caplog.text
    assert not [word for word in ("7700900123", "ring us", "Bearer", "Basic ", "s" * 20) if word in told], told
