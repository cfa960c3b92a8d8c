"""Web push: what is encrypted for a browser, how long it is held, and to which push services anything is sent."""

import json
import logging
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.core.exceptions import ImproperlyConfigured

from dispensary.channels import Accepted, Fault, Refused
from dispensary.channels import webpush as module
from dispensary.channels.subscriptions import parse_subscription
from tests.dispensary.channels.providers import PushService, message, push_options, running, subscription


def channel_at(url, **more):
    return module.WebPush(push_options(url, **more))


def pem_of(key):
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


@pytest.fixture
def push(tls, monkeypatch):
    server_context, trusted = tls
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    with running(PushService(), server_context) as service:
        yield service


def test_the_browser_reads_heading_words_language_and_page(push):
    sent = message(
        to=subscription(push.url), subject="A message from City", language="ar", topic="t" * 22,
        page_url="https://pharmacy.example/m/abcdefghijkl",
    )  # fmt: skip
    assert channel_at(push.url).send(sent) == Accepted(str(sent.key))
    [(headers, notification)] = push.taken
    assert notification == {
        "title": "A message from City", "body": sent.body, "language": "ar", "topic": "t" * 22, "key": str(sent.key),
        "page": "abcdefghijkl",
    }  # fmt: skip
    assert headers["Topic"] == "t" * 22


def test_the_push_service_reads_none_of_it(push):
    sent = message(to=subscription(push.url), subject="A message from City")
    channel_at(push.url).send(sent)
    [(_command, _path, headers, body)] = push.calls
    for words in (sent.subject, "ring us", str(sent.key)):
        assert words.encode() not in body and words not in str(headers)


@pytest.mark.parametrize(
    ("useful_for", "seconds"),
    [
        (timedelta(hours=3), 3 * 3600),
        (timedelta(seconds=-1), 0),
        (timedelta(days=28), 28 * 86400),
        (timedelta(days=29), 28 * 86400),
        (None, 28 * 86400),
    ],
)
def test_it_is_held_no_longer_than_it_is_useful_and_at_most_four_weeks(push, useful_for, seconds):
    channel_at(push.url).send(message(to=subscription(push.url), useful_for=useful_for))
    assert push.taken[0][0]["TTL"] == str(seconds)


@pytest.mark.parametrize("mood", ["no-number", "unknown-browser"])
def test_a_browser_that_is_gone_is_refused_for_good(push, mood):
    push.mood = mood
    assert channel_at(push.url).send(message(to=subscription(push.url))) == Refused(Fault.BAD_ADDRESS, permanent=True)


def test_the_endpoint_stands_in_no_log_line(push, caplog):
    caplog.set_level(logging.DEBUG)
    channel_at(push.url).send(message(to=subscription(push.url)))
    assert len(push.taken) == 1 and "/send/" not in caplog.text


HOSTS = ("https://fcm.googleapis.com", "https://web.push.apple.com", "https://fcm.googleapis.com:443")


@pytest.mark.parametrize("url", [*HOSTS, "https://updates.push.services.mozilla.com", "https://a.notify.windows.com"])
def test_the_push_services_of_browsers_are_known(url):
    assert parse_subscription(subscription(url)).endpoint == f"{url}/send/7700900123"


@pytest.mark.parametrize(
    "url",
    [
        "http://fcm.googleapis.com",
        "https://127.0.0.1",
        "https://10.0.0.1",
        "https://[::1]",
        "https://localhost",
        "https://metadata.internal",
        "https://fcm.googleapis.com:8443",
        "https://fcm.googleapis.com.evil.example",
        "https://evilpush.apple.com",
        "https://me@web.push.apple.com",
        "https://evil.example\\.push.apple.com",
        "https://evil.example/?.push.apple.com",
        "https://evil.example#.push.apple.com",
        "https://ｆcm.googleapis.com",
        "//fcm.googleapis.com",
        "file://fcm.googleapis.com",
    ],
)
def test_nothing_is_sent_to_any_other_place(push, url):
    with pytest.raises(ValueError, match="push"):
        parse_subscription(subscription(url))
    answer = channel_at("https://fcm.googleapis.com").send(message(to=subscription(url)))
    assert answer == Refused(Fault.BAD_ADDRESS, permanent=True) and push.calls == []


def changed(**keys):
    fields = json.loads(subscription(HOSTS[0]))
    return json.dumps({**fields, "keys": {**fields["keys"], **keys}})


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "null", "[]", "{}", "+447700900123", '{"endpoint": 1, "keys": {}}', "[" * 5000,
        subscription(HOSTS[0], ""), subscription(HOSTS[0], "/a b"), subscription(HOSTS[0], "/" + "x" * 1000),
        subscription(HOSTS[0], "/\r\nX: y"), changed(auth="AAAA"), changed(p256dh="AAAA"), changed(auth=None),
        changed(p256dh="BA" + "A" * 85),
    ],
    ids=[
        *("nothing", "a letter", "null", "a list", "an object", "a number", "no text", "nested"),
        *("no path", "a blank", "too long", "a line", "short secret", "short key", "no secret", "no point"),
    ],
)  # fmt: skip
def test_what_is_no_subscription_is_refused_without_being_shown(text):
    with pytest.raises(ValueError, match=r"^no push subscription$"):
        parse_subscription(text)


def test_a_subscription_has_one_spelling():
    spelled = parse_subscription(subscription(HOSTS[0])).address
    assert parse_subscription(spelled).address == spelled and "expirationTime" not in spelled


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"private_key": "x"}, "no private key in PEM"),
        ({"private_key": pem_of(ec.generate_private_key(ec.SECP384R1()))}, "not of the curve P-256"),
        ({"private_key": pem_of(rsa.generate_private_key(65537, 1024))}, "not of the curve P-256"),
        ({"subject": "desk@pharmacy.example"}, "subject is a mailto: or https://"),
    ],
    ids=["no key", "another curve", "RSA", "no address"],
)
def test_a_wrong_option_is_named(more, words):
    with pytest.raises(ImproperlyConfigured, match=words):
        channel_at("https://fcm.googleapis.com", **more)
