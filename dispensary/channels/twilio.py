"""Text messages through Twilio, by its own client (the extra `twilio`). One POST a message, its retries off.

Twilio neither folds a repeated key nor can be asked for one, so that a lost answer is decided by the kind of message.
Receipts and replies carry X-Twilio-Signature, an HMAC of the address that Twilio was given and of every form field:
`webhook_url` must be that address, letter by letter (https://www.twilio.com/docs/usage/webhooks/webhooks-security).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

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
)
from dispensary.channels.over_http import CONNECT_SECONDS, READ_SECONDS, of_broken_line, of_status, seconds_of

_API = "https://api.twilio.com"
_HAS_SENT_STOP = 21610
# https://www.twilio.com/docs/api/errors
_REFUSED: Mapping[int, Refused] = {
    **dict.fromkeys((21211, 21214, 21217, 21614), Refused(Fault.BAD_ADDRESS, permanent=True)),
    _HAS_SENT_STOP: Refused(Fault.OPTED_OUT, permanent=True),
    **dict.fromkeys((21212, 21408, 21603, 21606, 21608, 21659, 21703), Refused(Fault.MISCONFIGURED, permanent=False)),
    **dict.fromkeys((14107, 20429), Refused(Fault.LIMITED, permanent=False)),
}
_UNDELIVERED = frozenset({"undelivered", "failed"})
_NUMBER_OF_NO_USE = frozenset({"30005", "30006", "21211", "21614"})
"""Unknown or cancelled number; landline or unreachable carrier; not a number; not a mobile."""


class _Elsewhere(TwilioHttpClient):
    """Twilio's client, one attempt a call, at another address where the site has a proxy in front of the API."""

    def __init__(self, base_url: str, timeout: Any) -> None:
        super().__init__(max_retries=0)
        self.timeout = timeout
        self._base_url = base_url.rstrip("/")
        self.wait: timedelta | None = None

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        self.wait = None
        answer = super().request(method, self._base_url + url.removeprefix(_API), *args, **kwargs)
        self.wait = seconds_of((answer.headers or {}).get("Retry-After"))  # the client's own exception leaves it out
        return answer


class Twilio(Channel):
    """Options: `account_sid`, `auth_token`, `from` or `messaging_service_sid`, `webhook_url`; `base_url` of a proxy.

    `answers_stop`: whether Twilio itself confirms a STOP, as it does unless its opt-out management is switched off.
    """

    name = "twilio"
    timeout = timedelta(seconds=CONNECT_SECONDS + READ_SECONDS)
    webhook_answer = ("text/xml", "<Response/>")
    can_be_asked = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.confirms_stop = not options.get("answers_stop", True)
        nobody_hears = self.confirms_stop and not options.get("webhook_url")
        if nobody_hears or ("messaging_service_sid" not in options and is_a_name(options.get("from", ""))):
            self.takes_replies = False
        self._line = _Elsewhere(
            options.get("base_url", _API), (CONNECT_SECONDS, float(options.get("read", READ_SECONDS)))
        )
        self._client = Client(options["account_sid"], options["auth_token"], http_client=self._line)

    def send(self, message: Message) -> Answer:
        sender = "messaging_service_sid" if "messaging_service_sid" in self.options else "from"
        told = {"from_" if sender == "from" else sender: self.options[sender]}
        if self.options.get("webhook_url"):
            told["status_callback"] = self.options["webhook_url"]
        try:
            made = self._client.messages.create(to=message.to, body=message.text, **told)
        except TwilioRestException as error:
            told = _REFUSED.get(error.code or 0) or of_status(error.status)
            return (
                replace(told, retry_after=self._line.wait) if isinstance(told, Refused) and not told.permanent else told
            )
        except requests.exceptions.RequestException as error:
            return of_broken_line(error)
        except (TwilioException, ValueError, KeyError):  # an answer that is none
            return Unknown()
        return Accepted(made.sid) if made.sid else Unknown()

    def ask(self, provider_message_id: str) -> Receipt | None:
        try:
            found = self._client.messages(provider_message_id).fetch()
        except (TwilioException, requests.exceptions.RequestException, ValueError, KeyError) as error:
            raise LookupError("no answer") from error
        form = {"MessageSid": found.sid, "MessageStatus": found.status, "ErrorCode": str(found.error_code or "")}
        return next((each for each in _event(form) if isinstance(each, Receipt)), None)

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: float) -> list[Receipt | Reply]:
        address = str(self.options.get("webhook_url", ""))
        if not address:
            raise BadSignature("webhook_url is not set for this channel")
        try:
            told = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=200))
        except ValueError as error:
            raise BadSignature("no form") from error
        if not RequestValidator(self.options["auth_token"]).validate(
            address, told, headers.get("X-Twilio-Signature", "")
        ):
            raise BadSignature("the signature does not fit")
        return _event(told)

    def close(self) -> None:
        if self._line.session is not None:
            self._line.session.close()


def _event(told: Mapping[str, str]) -> list[Receipt | Reply]:
    try:
        number = id_of(told.get("MessageSid", ""))
    except ValueError as error:
        raise BadPayload("MessageSid is missing") from error
    status = told.get("MessageStatus", "")
    if not status and "From" in told:
        words = "STOP" if told.get("OptOutType") == "STOP" else told.get("Body", "")
        return [Reply(number, told["From"], words.replace("\x00", "")[:1000])]
    if status != "delivered" and status not in _UNDELIVERED:
        return []
    return [
        Receipt(
            event_id=f"{number}:{status}",
            status=ReceiptStatus.DELIVERED if status == "delivered" else ReceiptStatus.UNDELIVERED,
            provider_message_id=number,
            permanent=told.get("ErrorCode", "") in _NUMBER_OF_NO_USE,
            opted_out=told.get("ErrorCode", "") == str(_HAS_SENT_STOP),
        )
    ]


CHANNEL = Twilio
