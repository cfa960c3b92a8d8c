"""A plain HTTP gateway for text messages: one signed JSON POST a message. Its protocol: GATEWAY.md beside this file.

The key goes out as `Idempotency-Key`; a gateway that honours it may be sent the same message again after a crash.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from dispensary.channels.base import (
    Accepted,
    AfterCrash,
    Answer,
    BadPayload,
    Channel,
    Fault,
    Message,
    Receipt,
    ReceiptStatus,
    Refused,
    Reply,
    is_alphanumeric_sender,
    require_id,
    require_text,
)
from dispensary.channels.http_answers import answer_for_connection_error, answer_for_status
from dispensary.channels.signing import HEADER, sign, verify

_MAX_RESPONSE_BYTES = 65_536


class Gateway(Channel):
    """Options: `url`, `secret`, `sender`; `honours_key` when the gateway folds repeats; `connect` and `read` seconds.

    Without a secret no webhook call is accepted; an alphanumeric sender takes no replies.
    """

    name = "gateway"
    needed_options = ("url",)

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.after_crash = AfterCrash.SAME_KEY if options.get("honours_key") else AfterCrash.BY_KIND
        if not options.get("secret") or is_alphanumeric_sender(options.get("sender", "")):
            self.takes_replies = False
        self.connect_seconds = float(options.get("connect", 3))
        self.read_seconds = float(options.get("read", 10))
        self.timeout = timedelta(seconds=self.connect_seconds + self.read_seconds)

    def send(self, message: Message) -> Answer:
        body = json.dumps(
            {"key": str(message.key), "to": message.to, "text": message.text, "sender": self.options.get("sender", "")},
            ensure_ascii=False,
        ).encode()
        try:
            with requests.post(
                self.options["url"],
                data=body,
                headers={
                    "Content-Type": "application/json; charset=utf-8",
                    "Idempotency-Key": str(message.key),
                    HEADER: sign(self.options.get("secret", ""), body, time.time()),
                },
                timeout=(self.connect_seconds, self.read_seconds),
                allow_redirects=False,
                stream=True,
            ) as response:
                answer_body = response.raw.read(_MAX_RESPONSE_BYTES, decode_content=True)
        except (requests.exceptions.RequestException, HTTPError) as error:
            return answer_for_connection_error(error)
        return _parse_answer(response.status_code, response.headers, answer_body)

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: float) -> list[Receipt | Reply]:
        verify(self.options.get("secret", ""), body, headers.get(HEADER, ""), now)
        try:
            payload = json.loads(body)
            return [_parse_event(event) for event in (payload if isinstance(payload, list) else [payload])]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BadPayload(f"an event could not be read: {type(error).__name__}") from error


def _parse_answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    payload: Any = {}
    with suppress(ValueError):
        payload = json.loads(body or b"{}")
    payload = payload if isinstance(payload, dict) else {}
    if status in {200, 201, 202, 409}:  # 409: it has this key already
        return Accepted(str(payload.get("id", ""))[:200])
    faults = {"invalid-number": Fault.BAD_ADDRESS, "opted-out": Fault.OPTED_OUT}
    if 400 <= status < 500 and (fault := faults.get(str(payload.get("code", "")))):
        return Refused(fault, permanent=True)
    return answer_for_status(status, headers.get("Retry-After"))


def _parse_event(payload: Any) -> Receipt | Reply:
    if payload["type"] == "reply":
        return Reply(require_id(payload["id"]), require_text(payload["from"]), require_text(payload["text"])[:1000])
    return Receipt(
        event_id=require_id(payload["id"]),
        status=ReceiptStatus(payload["status"]),
        key=require_text(payload.get("key", "")),
        provider_message_id=require_text(payload.get("message", "")),
        permanent=payload.get("permanent") is True,
        opted_out=payload.get("opted_out") is True,
    )


CHANNEL = Gateway
