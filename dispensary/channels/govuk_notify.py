"""Text messages through GOV.UK Notify, by its own client (the extra `govuk-notify`).

The Notify template holds one placeholder, `((message))`: our words stay ours, with their version in the send ledger. The
key goes out as `reference`, which Notify does not fold but can be asked for, so that a lost answer is looked up.
Receipts and replies come as callbacks with the bearer token that was entered at Notify; the token must be long, since it
is all that proves them (https://docs.notifications.service.gov.uk/rest-api.html#callbacks).
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from notifications_python_client.errors import APIError, InvalidResponse
from notifications_python_client.notifications import NotificationsAPIClient

from dispensary.channels.base import (
    Accepted,
    AfterCrash,
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
    require_id,
    require_text,
)
from dispensary.channels.http_answers import (
    CONNECT_SECONDS,
    READ_SECONDS,
    answer_for_connection_error,
    answer_for_status,
)

MIN_TOKEN_LENGTH = 20
_FAILURES = {"permanent-failure": True, "temporary-failure": False, "technical-failure": False}
"""Statuses of failed delivery; True where the number is permanently of no use."""
_ABOUT_THE_SERVICE = ("team-only", "trial mode", "Template", "Missing personalisation", "not allowed to send letters")
_ABOUT_ADDRESSES = ("phone_number", "phone number", "digits", "ddress", "postcode")
"""Words of errors with status 400: Notify numbers none of them."""


class GovukNotify(Channel):
    """Options: `api_key`, `template_id`, `callback_token`; `sms_sender_id`, `placeholder`, `base_url` where they differ.

    `takes_replies` False where the service has no number that receives text messages, as a new one has not.
    """

    name = "govuk_notify"
    needed_options = ("api_key", "template_id")
    after_crash = AfterCrash.LOOK_UP
    can_fetch_receipt = True
    template_type = "sms"
    timeout = timedelta(seconds=CONNECT_SECONDS + READ_SECONDS)

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        if len(str(options.get("callback_token", ""))) < MIN_TOKEN_LENGTH:  # no callback can be verified
            self.takes_replies = False
        address = {"base_url": options["base_url"]} if "base_url" in options else {}
        self._client = NotificationsAPIClient(
            options["api_key"], timeout=(CONNECT_SECONDS, float(options.get("read", READ_SECONDS))), **address
        )
        self._client.request_session.max_redirects = 0  # a redirection would take personal data elsewhere

    def send(self, message: Message) -> Answer:
        try:
            notification = self.hand_over(message)
        except InvalidResponse:
            return Unknown()
        except APIError as error:
            return _answer_for_error(error)
        return (
            Accepted(str(notification["id"])) if isinstance(notification, dict) and "id" in notification else Unknown()
        )

    def hand_over(self, message: Message) -> Any:
        """Make the call for one message and return what Notify answers. Raises the errors of Notify's client."""
        return self._client.send_sms_notification(
            message.to,
            self.options["template_id"],
            personalisation={self.options.get("placeholder", "message"): message.text},
            reference=str(message.key),
            sms_sender_id=self.options.get("sms_sender_id"),
        )

    def look_up(self, key: UUID) -> Answer | None:
        try:
            page = self._client.get_all_notifications(template_type=self.template_type, reference=str(key))
            notification_ids = [str(notification["id"]) for notification in page["notifications"]]
        except (APIError, KeyError, TypeError):
            return None
        return Accepted(notification_ids[-1]) if notification_ids else Refused(Fault.NO_ANSWER, permanent=False)

    def fetch_receipt(self, provider_message_id: str) -> Receipt | None:
        try:
            events = _parse_event(self._client.get_notification_by_id(provider_message_id))
        except (APIError, InvalidResponse, KeyError, TypeError, ValueError) as error:
            raise LookupError("no answer") from error
        return next((event for event in events if isinstance(event, Receipt)), None)

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: float) -> list[Receipt | Reply]:
        token = str(self.options.get("callback_token", ""))
        if len(token) < MIN_TOKEN_LENGTH:
            raise BadSignature(f"callback_token is not set, or shorter than {MIN_TOKEN_LENGTH} characters")
        if not hmac.compare_digest(f"Bearer {token}".encode(), headers.get("Authorization", "").encode()):
            raise BadSignature("the bearer token does not fit")
        try:
            return _parse_event(json.loads(body))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BadPayload(f"a callback could not be read: {type(error).__name__}") from error

    def close(self) -> None:
        self._client.request_session.close()


def _answer_for_error(error: APIError) -> Answer:
    if error.response is None:
        return answer_for_connection_error(error.__cause__)
    if error.status_code == 400:
        error_text = json.dumps(error.message)
        if any(words in error_text for words in _ABOUT_THE_SERVICE):
            return Refused(Fault.MISCONFIGURED, permanent=False)
        is_address = any(words in error_text for words in _ABOUT_ADDRESSES)
        return Refused(Fault.BAD_ADDRESS if is_address else Fault.REJECTED, permanent=True)
    return answer_for_status(error.status_code, error.response.headers.get("Retry-After"))


def _parse_event(callback: dict[str, Any]) -> list[Receipt | Reply]:
    """Parse one callback: a reply, a delivery or a failure; empty while the message is on its way."""
    notification_id = require_id(callback["id"])
    if "source_number" in callback:
        sender = require_text(callback["source_number"])
        whole = (
            f"+{sender}" if sender.isdigit() and not sender.startswith("0") else sender
        )  # Notify leaves the plus out
        return [Reply(notification_id, whole, require_text(callback["message"])[:1000])]
    status = require_text(callback["status"])
    if status != "delivered" and status not in _FAILURES:
        return []
    return [
        Receipt(
            event_id=f"{notification_id}:{status}",
            status=ReceiptStatus.DELIVERED if status == "delivered" else ReceiptStatus.UNDELIVERED,
            key=require_text(callback.get("reference") or ""),
            provider_message_id=notification_id,
            permanent=_FAILURES.get(status, False),
        )
    ]


CHANNEL = GovukNotify
