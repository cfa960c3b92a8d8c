"""Text messages through Twilio, by its own client (the extra `twilio`). One POST a message, its retries off.

Twilio neither folds a repeated key nor can be asked for one, so that a lost answer is decided by the kind of message.
Receipts and replies carry X-Twilio-Signature, an HMAC of the address that Twilio was given and of every form field:
`webhook_url` must be that address, letter by letter (https://www.twilio.com/docs/usage/webhooks/webhooks-security).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar
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
    is_alphanumeric_sender,
    require_id,
)
from dispensary.channels.http_answers import (
    CONNECT_SECONDS,
    READ_SECONDS,
    answer_for_connection_error,
    answer_for_status,
    parse_retry_after,
)

_API = "https://api.twilio.com"
_HAS_SENT_STOP = 21610
# https://www.twilio.com/docs/api/errors
_REFUSED: Mapping[int, Refused] = {
    **dict.fromkeys((21211, 21214, 21217, 21614), Refused(Fault.BAD_ADDRESS, permanent=True)),
    _HAS_SENT_STOP: Refused(Fault.OPTED_OUT, permanent=True),
    **dict.fromkeys(
        (21210, 21212, 21215, 21216, 21408, 21603, 21606, 21608, 21659, 21703),
        Refused(Fault.MISCONFIGURED, permanent=False),
    ),
    **dict.fromkeys((14107, 20429), Refused(Fault.LIMITED, permanent=False)),
}
_DELIVERED = frozenset({"delivered", "read"})
_UNDELIVERED = frozenset({"undelivered", "failed"})
_NUMBER_OF_NO_USE = frozenset({"30005", "30006", "21211", "21614", "63003", "63024"})
"""Unknown or cancelled number; landline or unreachable carrier; not a number; not a mobile; no account at WhatsApp (two)."""


class _HttpClient(TwilioHttpClient):  # type: ignore[misc]  # Twilio has no annotations
    """Twilio's HTTP client with one attempt a call, and another base URL where the site has a proxy."""

    def __init__(self, base_url: str, timeout: Any) -> None:
        super().__init__(max_retries=0)
        self.timeout = timeout
        self._base_url = base_url.rstrip("/")
        self.retry_after: timedelta | None = None

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        self.retry_after = None
        answer = super().request(method, self._base_url + url.removeprefix(_API), *args, **kwargs)
        self.retry_after = parse_retry_after(
            (answer.headers or {}).get("Retry-After")
        )  # the exception of the client lacks it
        return answer


class Twilio(Channel):
    """Options: `account_sid`, `auth_token`, `from` or `messaging_service_sid`, `webhook_url`; `base_url` of a proxy.

    `answers_stop`: True (default) where Twilio confirms a STOP; False where its opt-out management is switched off.
    """

    name = "twilio"
    media: ClassVar[tuple[str, ...]] = ("sms",)
    needed_options: ClassVar[tuple[str, ...]] = ("account_sid", "auth_token")
    timeout = timedelta(seconds=CONNECT_SECONDS + READ_SECONDS)
    webhook_response = ("text/xml", "<Response/>")
    can_fetch_receipt = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.confirms_stop = not options.get("answers_stop", True)
        has_no_webhook = self.confirms_stop and not options.get("webhook_url")
        if has_no_webhook or ("messaging_service_sid" not in options and is_alphanumeric_sender(options["from"])):
            self.takes_replies = False
        self._http_client = _HttpClient(
            options.get("base_url", _API), (CONNECT_SECONDS, float(options.get("read", READ_SECONDS)))
        )
        self._client = Client(options["account_sid"], options["auth_token"], http_client=self._http_client)

    def send(self, message: Message) -> Answer:
        try:
            resource = self._create(message)
        except TwilioRestException as error:
            answer = _REFUSED.get(error.code or 0) or answer_for_status(error.status)
            if isinstance(answer, Refused) and not answer.permanent:
                return replace(answer, retry_after=self._http_client.retry_after)
            return answer
        except requests.exceptions.RequestException as error:
            return answer_for_connection_error(error)
        except (TwilioException, ValueError, KeyError):  # an unreadable answer
            return Unknown()
        return Accepted(resource.sid) if resource.sid else Unknown()

    def _create(self, message: Message) -> Any:
        """Ask Twilio to send a message; return its resource. Raises what Twilio's client raises."""
        sender = "messaging_service_sid" if "messaging_service_sid" in self.options else "from"
        request_kwargs = {"from_" if sender == "from" else sender: self.options[sender]}
        if self.options.get("webhook_url"):
            request_kwargs["status_callback"] = self.options["webhook_url"]
        return self._client.messages.create(to=message.to, body=message.text, **request_kwargs)

    def fetch_receipt(self, provider_message_id: str) -> Receipt | None:
        try:
            form = self._fetch(provider_message_id)
        except (TwilioException, requests.exceptions.RequestException, ValueError, KeyError) as error:
            raise LookupError("no answer") from error
        return next((event for event in self._parse(form) if isinstance(event, Receipt)), None)

    def _fetch(self, sid: str) -> Mapping[str, str]:
        """Ask Twilio how a message fared; return what its callback would tell. Raises what Twilio's client raises."""
        message = self._client.messages(sid).fetch()
        return {"MessageSid": message.sid, "MessageStatus": message.status, "ErrorCode": str(message.error_code or "")}

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: float) -> list[Receipt | Reply]:
        return self._parse(self._read_form(headers, body))

    def _read_form(self, headers: Mapping[str, str], body: bytes, query: str = "") -> dict[str, str]:
        """Return the fields of a call to our address with this query. Raises BadSignature."""
        address = f"{self.options.get('webhook_url', '')}{query and f'?{query}'}"
        if not self.options.get("webhook_url"):
            raise BadSignature("webhook_url is not set for this channel")
        try:
            form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=200))
        except ValueError as error:
            raise BadSignature("no form") from error
        if not RequestValidator(self.options["auth_token"]).validate(
            address, form, headers.get("X-Twilio-Signature", "")
        ):
            raise BadSignature("the signature does not fit")
        return form

    def _parse(self, form: Mapping[str, str]) -> list[Receipt | Reply]:
        """Return what the fields of a verified callback tell: a reply, a receipt, or nothing yet. Raises BadPayload."""
        message_sid, status = read_sid(form, "MessageSid"), form.get("MessageStatus", "")
        if not status and "From" in form:
            words = "STOP" if form.get("OptOutType") == "STOP" else form.get("Body", "")
            return [Reply(message_sid, form["From"], words.replace("\x00", "")[:1000])]
        if status not in _DELIVERED and status not in _UNDELIVERED:
            return []
        return [
            Receipt(
                event_id=f"{message_sid}:{status}",
                status=ReceiptStatus.DELIVERED if status in _DELIVERED else ReceiptStatus.UNDELIVERED,
                provider_message_id=message_sid,
                permanent=form.get("ErrorCode", "") in _NUMBER_OF_NO_USE,
                opted_out=form.get("ErrorCode", "") == str(_HAS_SENT_STOP),
            )
        ]

    def close(self) -> None:
        if self._http_client.session is not None:
            self._http_client.session.close()


def read_sid(form: Mapping[str, str], field: str) -> str:
    """Return Twilio's number of a message or a call. Raises BadPayload."""
    try:
        return require_id(form.get(field, ""))
    except ValueError as error:
        raise BadPayload(f"{field} is missing") from error


CHANNEL = Twilio
