"""A plain HTTP gateway for text messages: one signed JSON POST a message. See README.md beside this file.

The key goes out as `Idempotency-Key`; a gateway that honours it may be sent the same message again after a crash.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

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
    Unknown,
    id_of,
    is_a_name,
    text_of,
)
from dispensary.channels.over_http import of_status
from dispensary.channels.signing import HEADER, check, sign

_LONGEST_ANSWER = 65_536


class Gateway(Channel):
    """Options: `url`, `secret`, `sender`; `honours_key` when the gateway folds repeats; `connect` and `read` seconds.

    Without a secret no call from outside is believed, and nobody can reply to a name.
    """

    name = "gateway"

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.after_crash = AfterCrash.SAME_KEY if options.get("honours_key") else AfterCrash.BY_KIND
        if not options.get("secret") or is_a_name(options.get("sender", "")):
            self.takes_replies = False
        self.connect_seconds = float(options.get("connect", 3))
        self.read_seconds = float(options.get("read", 10))
        self.timeout = timedelta(seconds=self.connect_seconds + self.read_seconds)

    def send(self, message: Message) -> Answer:
        body = json.dumps(
            {"key": str(message.key), "to": message.to, "text": message.text, "sender": self.options.get("sender", "")},
            ensure_ascii=False,
        ).encode()
        line, path = self._line()
        try:
            line.connect()
        except OSError:
            return Refused(Fault.UNREACHABLE, permanent=False)
        try:
            if line.sock is not None:
                line.sock.settimeout(self.read_seconds)
            line.request("POST", path, body, self._headers(message, body))
            answer = line.getresponse()
            return _read(answer.status, answer.headers, answer.read(_LONGEST_ANSWER))
        except (OSError, http.client.HTTPException):
            return Unknown()
        finally:
            line.close()

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: float) -> list[Receipt | Reply]:
        check(self.options.get("secret", ""), body, headers.get(HEADER, ""), now)
        try:
            told = json.loads(body)
            return [_event(each) for each in (told if isinstance(told, list) else [told])]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BadPayload(f"an event could not be read: {type(error).__name__}") from error

    def _line(self) -> tuple[http.client.HTTPConnection, str]:
        url = urlsplit(self.options["url"])
        host = url.hostname or ""
        if url.scheme == "https":
            line: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, url.port, timeout=self.connect_seconds, context=ssl.create_default_context()
            )
        else:
            line = http.client.HTTPConnection(host, url.port, timeout=self.connect_seconds)
        return line, url.path + (f"?{url.query}" if url.query else "") or "/"

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        return {
            "Content-Type": "application/json; charset=utf-8",
            "Idempotency-Key": str(message.key),
            HEADER: sign(self.options.get("secret", ""), body, time.time()),
        }


def _read(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    told: Any = {}
    with suppress(ValueError):
        told = json.loads(body or b"{}")
    told = told if isinstance(told, dict) else {}
    if status in {200, 201, 202, 409}:  # 409: it has this key already
        return Accepted(str(told.get("id", ""))[:200])
    faults = {"invalid-number": Fault.BAD_ADDRESS, "opted-out": Fault.OPTED_OUT}
    if 400 <= status < 500 and (fault := faults.get(str(told.get("code", "")))):
        return Refused(fault, permanent=True)
    return of_status(status, headers.get("Retry-After"))


def _event(told: Any) -> Receipt | Reply:
    if told["type"] == "reply":
        return Reply(id_of(told["id"]), text_of(told["from"]), text_of(told["text"])[:1000])
    return Receipt(
        event_id=id_of(told["id"]),
        status=ReceiptStatus(told["status"]),
        key=text_of(told.get("key", "")),
        provider_message_id=text_of(told.get("message", "")),
        permanent=told.get("permanent") is True,
        opted_out=told.get("opted_out") is True,
    )


CHANNEL = Gateway
