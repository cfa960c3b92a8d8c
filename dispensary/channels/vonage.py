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
    is_alphanumeric_sender,
    require_id,
    require_text,
)
from dispensary.channels.http_answers import (
    READ_SECONDS,
    answer_for_connection_error,
    answer_for_status,
    parse_retry_after,
)
from dispensary.channels.signing import WINDOW_SECONDS

MIN_SECRET_LENGTH = 20
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


def _drop_record(_: logging.LogRecord) -> bool:
    """A filter that lets no line pass."""
    return False


class Vonage(Channel):
    """Options: `application_id`, `private_key` (PEM, or the path of a file), `from`; `signature_secret` for its calls.

    `api_host` where a region or a proxy serves the API; `api_key` to take the calls of that account only;
    `answers_stop` where Vonage itself confirms a STOP, as on numbers in the United States.
    """

    name = "vonage"
    needed_options = ("application_id", "private_key", "from")

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        logging.getLogger("vonage").addFilter(_drop_record)
        self.confirms_stop = not options.get("answers_stop", False)
        has_no_webhook = self.confirms_stop and len(str(options.get("signature_secret", ""))) < MIN_SECRET_LENGTH
        if has_no_webhook or is_alphanumeric_sender(options["from"]):
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
        self._http_client = HttpClient(
            account, HttpClientOptions(timeout=seconds, pool_maxsize=1, max_retries=0, **host)
        )
        self._http_client._session.max_redirects = 0  # no redirections; the client has no option for it
        self._messages = Messages(self._http_client)

    def send(self, message: Message) -> Answer:
        try:
            words = Sms(
                to=message.to.removeprefix("+"),
                from_=str(self.options["from"]).removeprefix("+"),
                text=message.text,
                client_ref=str(message.key),
            )
        except ValidationError as error:
            wrong_number = any("to" in error_item["loc"] for error_item in error.errors())
            return Refused(Fault.BAD_ADDRESS if wrong_number else Fault.REJECTED, permanent=True)
        try:
            return Accepted(self._messages.send(words).message_uuid)
        except HttpRequestError as error:
            return _answer_for_error(error.response)
        except requests.exceptions.RequestException as error:
            return answer_for_connection_error(error)
        except (VonageError, ValueError, TypeError):  # an unreadable answer
            return Unknown()

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: float) -> list[Receipt | Reply]:
        self._check(headers.get("Authorization", ""), body, now)
        try:
            return _parse_event(json.loads(body))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BadPayload(f"a call could not be read: {type(error).__name__}") from error

    def _check(self, header: str, body: bytes, now: float) -> None:
        secret = str(self.options.get("signature_secret", ""))
        if len(secret) < MIN_SECRET_LENGTH:
            raise BadSignature(f"signature_secret is not set, or shorter than {MIN_SECRET_LENGTH} characters")
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:  # Vonage: a call that lost its signature comes again after a 5xx
            raise BadSignature("no bearer token", status=503)
        try:
            claims = jwt.decode(token, secret, algorithms=["HS256"], options=_CLAIMS)
        except jwt.PyJWTError as error:
            raise BadSignature("the signature does not fit") from error
        issued = claims["iat"]
        if not isinstance(issued, int | float) or not abs(now - issued) <= WINDOW_SECONDS:
            raise BadSignature("the signature is too old, or from the future")
        if not hmac.compare_digest(str(claims["payload_hash"]).encode(), hashlib.sha256(body).hexdigest().encode()):
            raise BadSignature("the body is not the one that was signed")
        if "api_key" in self.options and claims.get("api_key") != self.options["api_key"]:
            raise BadSignature("signed for another account")

    def close(self) -> None:
        self._http_client._session.close()  # the client has no close of its own


# Our own `now` decides what is too old; the library would ask the clock.
_CLAIMS: Any = {"require": ["iat", "payload_hash"], "verify_iat": False, "verify_exp": False, "verify_nbf": False}


def _answer_for_error(response: requests.Response) -> Answer:
    problem: Any = {}
    with suppress(ValueError):
        problem = response.json()
    if isinstance(problem, dict) and (answer := _ANSWERS.get(_problem_code(problem))):
        wait = parse_retry_after(response.headers.get("Retry-After"))
        return (
            replace(answer, retry_after=wait)
            if isinstance(answer, Refused) and answer.fault is Fault.LIMITED
            else answer
        )
    if response.status_code == 402:  # the account is out of money
        return Refused(Fault.MISCONFIGURED, permanent=False)
    return answer_for_status(response.status_code, response.headers.get("Retry-After"))


def _problem_code(problem: Mapping[str, Any]) -> str:
    """Return the code of a problem document: the fragment of its type, else its title."""
    return (
        str(problem.get("type", "")).rpartition("#")[2]
        if "#" in str(problem.get("type", ""))
        else str(problem.get("title"))
    )


def _parse_event(call: dict[str, Any]) -> list[Receipt | Reply]:
    """Parse one call: a reply, a delivery or a failure; empty while the message is on its way."""
    message_uuid = require_id(call["message_uuid"])
    if "status" not in call:
        sender = require_text(call["from"])
        words = require_text(call["text"], 4000) if call["message_type"] == "text" else ""
        return [Reply(message_uuid, f"+{sender}" if sender.isdigit() and len(sender) > 6 else sender, words[:1000])]
    status = require_text(call["status"])
    if status not in _STATUSES:
        return []
    why = _problem_code(call.get("error") or {})
    return [
        Receipt(
            event_id=f"{message_uuid}:{status}",
            status=_STATUSES[status],
            key=require_text(call.get("client_ref") or ""),
            provider_message_id=message_uuid,
            permanent=status == "rejected" and why in _NUMBER_OF_NO_USE,
            opted_out=status == "rejected" and why == _HAS_SENT_STOP,
        )
    ]


CHANNEL = Vonage
