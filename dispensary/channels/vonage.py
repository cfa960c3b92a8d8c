"""Text messages through Vonage's Messages API, by its own client (the extra `vonage`). One POST a message.

Left alone, that client waits without end, and repeats a POST whose line broke as often as its pool has places, whatever
its `max_retries` says: one place in the pool, no retries and a timeout are what make one call one attempt. It also writes
numbers and words to the logger `vonage`, which is therefore kept silent.

Our key goes out as `client_ref`, which Vonage hands back with every receipt but neither folds nor can be asked for, so that
a lost answer is decided by the kind of message. Receipts and replies carry a signed token whose `payload_hash` is that of
the body (https://developer.vonage.com/en/getting-started/concepts/webhooks#decoding-signed-webhooks).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import requests
from django.core.exceptions import ImproperlyConfigured
from pydantic import ValidationError
from vonage_http_client.auth import Auth
from vonage_http_client.errors import HttpRequestError
from vonage_http_client.http_client import HttpClient, HttpClientOptions
from vonage_messages import Messages, Sms
from vonage_utils.errors import VonageError

from dispensary.channels.base import (
    Accepted,
    Answer,
    BadPayload,
    BadSignature,
    Channel,
    Fault,
    Message,
    Receipt,
    ReceiptStatus,
    Refused,
    Reply,
    Unknown,
    id_of,
    is_a_name,
    text_of,
)
from dispensary.channels.over_http import READ_SECONDS, of_broken_line, of_status, seconds_of
from dispensary.channels.signing import WINDOW_SECONDS

SHORTEST_SECRET = 20
_HAS_SENT_STOP = "1240"
# https://developer.vonage.com/en/api-errors/messages and https://developer.vonage.com/en/api-errors
_ANSWERS: Mapping[str, Answer] = {
    **dict.fromkeys(("1040", "1050", "1170", "1190", "1300", "1430"), Refused(Fault.BAD_ADDRESS, permanent=True)),
    _HAS_SENT_STOP: Refused(Fault.OPTED_OUT, permanent=True),
    **dict.fromkeys(
        ("1060", "1070", "1080", "1110", "1120", "1140", "1160", "low-balance", "unprovisioned", "account-suspended"),
        Refused(Fault.MISCONFIGURED, permanent=False),
    ),
    **dict.fromkeys(("1000", "1241"), Refused(Fault.LIMITED, permanent=False)),
    "1100": Refused(Fault.BUSY, permanent=False),
    "1030": Unknown(),
}
_STATUSES = {
    "delivered": ReceiptStatus.DELIVERED,
    "rejected": ReceiptStatus.UNDELIVERED,
    "undeliverable": ReceiptStatus.UNDELIVERED,
}
_NUMBER_OF_NO_USE = frozenset({"1050", "1170", "1190", "1300", "1310"})
"""Barred; not a number; no longer active; unknown to the network; a device that takes no messages."""


def _say_nothing(_: logging.LogRecord) -> bool:
    """A filter that lets no line pass."""
    return False


class Vonage(Channel):
    """Options: `application_id`, `private_key` (PEM, or the path of a file), `from`; `signature_secret` for its calls.

    `api_host` where a region or a proxy serves the API; `api_key` to take the calls of that account only;
    `answers_stop` where Vonage itself confirms a STOP, as on numbers in the United States.
    """

    name = "vonage"

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        logging.getLogger("vonage").addFilter(_say_nothing)
        self.confirms_stop = not options.get("answers_stop", False)
        nobody_hears = self.confirms_stop and len(str(options.get("signature_secret", ""))) < SHORTEST_SECRET
        if nobody_hears or is_a_name(options["from"]):
            self.takes_replies = False
        seconds = int(options.get("read", READ_SECONDS))
        self.timeout = timedelta(seconds=2 * seconds)  # the client has one number, for connecting and for the answer
        host = {"api_host": options["api_host"]} if "api_host" in options else {}
        try:
            account = Auth(application_id=options["application_id"], private_key=options["private_key"])
            account.generate_application_jwt()
        except (VonageError, jwt.PyJWTError, ValueError, TypeError) as error:
            raise ImproperlyConfigured(
                "channel_options of 'vonage': private_key is not the private key of an application, in PEM"
            ) from error
        self._line = HttpClient(account, HttpClientOptions(timeout=seconds, pool_maxsize=1, max_retries=0, **host))
        self._line._session.max_redirects = 0  # number and words go where we were told; the client has no option for it
        self._messages = Messages(self._line)

    def send(self, message: Message) -> Answer:
        try:
            words = Sms(
                to=message.to.removeprefix("+"),
                from_=str(self.options["from"]).removeprefix("+"),
                text=message.text,
                client_ref=str(message.key),
            )
        except ValidationError as error:
            wrong_number = any("to" in each["loc"] for each in error.errors())
            return Refused(Fault.BAD_ADDRESS if wrong_number else Fault.REJECTED, permanent=True)
        try:
            return Accepted(self._messages.send(words).message_uuid)
        except HttpRequestError as error:
            return _refusal(error.response)
        except requests.exceptions.RequestException as error:
            return of_broken_line(error)
        except (VonageError, ValueError, TypeError):  # an answer that is none
            return Unknown()

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: float) -> list[Receipt | Reply]:
        self._check(headers.get("Authorization", ""), body, now)
        try:
            return _event(json.loads(body))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BadPayload(f"a call could not be read: {type(error).__name__}") from error

    def _check(self, given: str, body: bytes, now: float) -> None:
        secret = str(self.options.get("signature_secret", ""))
        if len(secret) < SHORTEST_SECRET:
            raise BadSignature(f"signature_secret is not set, or shorter than {SHORTEST_SECRET} characters")
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer" or not token:  # Vonage: a call that lost its signature comes again after a 5xx
            raise BadSignature("no bearer token", status=503)
        try:
            told = jwt.decode(token, secret, algorithms=["HS256"], options=_CLAIMS)
        except jwt.PyJWTError as error:
            raise BadSignature("the signature does not fit") from error
        issued = told["iat"]
        if not isinstance(issued, int | float) or not abs(now - issued) <= WINDOW_SECONDS:
            raise BadSignature("the signature is too old, or from the future")
        if not hmac.compare_digest(str(told["payload_hash"]).encode(), hashlib.sha256(body).hexdigest().encode()):
            raise BadSignature("the body is not the one that was signed")
        if "api_key" in self.options and told.get("api_key") != self.options["api_key"]:
            raise BadSignature("signed for another account")

    def close(self) -> None:
        self._line._session.close()  # the client has no way of its own to let go


# Our own `now` decides what is too old; the library would ask the clock.
_CLAIMS: Any = {"require": ["iat", "payload_hash"], "verify_iat": False, "verify_exp": False, "verify_nbf": False}


def _refusal(response: requests.Response) -> Answer:
    told: Any = {}
    with suppress(ValueError):
        told = response.json()
    if isinstance(told, dict) and (known := _ANSWERS.get(_code(told))):
        wait = seconds_of(response.headers.get("Retry-After"))
        return (
            replace(known, retry_after=wait) if isinstance(known, Refused) and known.fault is Fault.LIMITED else known
        )
    if response.status_code == 402:  # the account is out of money
        return Refused(Fault.MISCONFIGURED, permanent=False)
    return of_status(response.status_code, response.headers.get("Retry-After"))


def _code(told: Mapping[str, Any]) -> str:
    """The code of a problem document: what follows the # of its type, or its title where that is the number."""
    return str(told.get("type", "")).rpartition("#")[2] if "#" in str(told.get("type", "")) else str(told.get("title"))


def _event(told: dict[str, Any]) -> list[Receipt | Reply]:
    """One call: a text that came in, a delivery, a failure; what is still on its way tells nothing."""
    number = id_of(told["message_uuid"])
    if "status" not in told:
        sender = text_of(told["from"])
        words = text_of(told["text"], 4000) if told["message_type"] == "text" else ""
        return [Reply(number, f"+{sender}" if sender.isdigit() and len(sender) > 6 else sender, words[:1000])]
    status = text_of(told["status"])
    if status not in _STATUSES:
        return []
    why = _code(told.get("error") or {})
    return [
        Receipt(
            event_id=f"{number}:{status}",
            status=_STATUSES[status],
            key=text_of(told.get("client_ref") or ""),
            provider_message_id=number,
            permanent=status == "rejected" and why in _NUMBER_OF_NO_USE,
            opted_out=status == "rejected" and why == _HAS_SENT_STOP,
        )
    ]


CHANNEL = Vonage
