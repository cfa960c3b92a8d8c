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
    id_of,
    text_of,
)
from dispensary.channels.over_http import CONNECT_SECONDS, READ_SECONDS, of_broken_line, of_status

SHORTEST_TOKEN = 20
_FAILURES = {"permanent-failure": True, "temporary-failure": False, "technical-failure": False}
"""Statuses that mean it did not arrive, and whether the number is of no use for good."""


class GovukNotify(Channel):
    """Options: `api_key`, `template_id`, `callback_token`; `sms_sender_id`, `placeholder`, `base_url` where they differ.

    `takes_replies` False where the service has no number that receives text messages, as a new one has not.
    """

    name = "govuk_notify"
    after_crash = AfterCrash.LOOK_UP
    can_be_asked = True
    timeout = timedelta(seconds=CONNECT_SECONDS + READ_SECONDS)

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        if (
            len(str(options.get("callback_token", ""))) < SHORTEST_TOKEN
        ):  # no callback is believed, a reply least of all
            self.takes_replies = False
        where = {"base_url": options["base_url"]} if "base_url" in options else {}
        self._client = NotificationsAPIClient(
            options["api_key"], timeout=(CONNECT_SECONDS, float(options.get("read", READ_SECONDS))), **where
        )
        self._client.request_session.max_redirects = 0  # number and words go where we were told, and nowhere else

    def send(self, message: Message) -> Answer:
        try:
            told = self._client.send_sms_notification(
                message.to,
                self.options["template_id"],
                personalisation={self.options.get("placeholder", "message"): message.text},
                reference=str(message.key),
                sms_sender_id=self.options.get("sms_sender_id"),
            )
        except InvalidResponse:
            return Unknown()
        except APIError as error:
            return _refusal(error)
        return Accepted(str(told["id"])) if isinstance(told, dict) and "id" in told else Unknown()

    def look_up(self, key: UUID) -> Answer | None:
        try:
            found = self._client.get_all_notifications(template_type="sms", reference=str(key))
            known = [str(each["id"]) for each in found["notifications"]]
        except (APIError, KeyError, TypeError):
            return None
        return Accepted(known[-1]) if known else Refused(Fault.NO_ANSWER, permanent=False)

    def ask(self, provider_message_id: str) -> Receipt | None:
        try:
            told = _event(self._client.get_notification_by_id(provider_message_id))
        except (APIError, InvalidResponse, KeyError, TypeError, ValueError) as error:
            raise LookupError("no answer") from error
        return next((each for each in told if isinstance(each, Receipt)), None)

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: float) -> list[Receipt | Reply]:
        token = str(self.options.get("callback_token", ""))
        if len(token) < SHORTEST_TOKEN:
            raise BadSignature(f"callback_token is not set, or shorter than {SHORTEST_TOKEN} characters")
        if not hmac.compare_digest(f"Bearer {token}".encode(), headers.get("Authorization", "").encode()):
            raise BadSignature("the bearer token does not fit")
        try:
            return _event(json.loads(body))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BadPayload(f"a callback could not be read: {type(error).__name__}") from error

    def close(self) -> None:
        self._client.request_session.close()


def _refusal(error: APIError) -> Answer:
    if error.response is None:
        return of_broken_line(error.__cause__)
    if error.status_code == 400:
        said = json.dumps(error.message)
        if "team-only" in said or "trial mode" in said or "Template" in said or "Missing personalisation" in said:
            return Refused(Fault.MISCONFIGURED, permanent=False)
        wrong_number = "phone_number" in said or "phone number" in said or "digits" in said
        return Refused(Fault.BAD_ADDRESS if wrong_number else Fault.REJECTED, permanent=True)
    return of_status(error.status_code, error.response.headers.get("Retry-After"))


def _event(told: dict[str, Any]) -> list[Receipt | Reply]:
    """One callback: a text that came in, a delivery, a failure; what is still on its way tells nothing."""
    number = id_of(told["id"])
    if "source_number" in told:
        sender = text_of(told["source_number"])
        whole = (
            f"+{sender}" if sender.isdigit() and not sender.startswith("0") else sender
        )  # Notify leaves the plus out
        return [Reply(number, whole, text_of(told["message"])[:1000])]
    status = text_of(told["status"])
    if status != "delivered" and status not in _FAILURES:
        return []
    return [
        Receipt(
            event_id=f"{number}:{status}",
            status=ReceiptStatus.DELIVERED if status == "delivered" else ReceiptStatus.UNDELIVERED,
            key=text_of(told.get("reference") or ""),
            provider_message_id=number,
            permanent=_FAILURES.get(status, False),
        )
    ]


CHANNEL = GovukNotify
