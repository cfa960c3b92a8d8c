"""Receipts for e-mail from django-anymail's `tracking` signal: delivered, bounced, complained.

django-anymail verifies the provider's signature, or the shared secret, and normalises every provider's events.
"""

from __future__ import annotations

from typing import Any

from dispensary import reminders
from dispensary.channels import Receipt, ReceiptStatus
from dispensary.channels.base import require_id, require_text
from dispensary.clock import read_clock

_STATUSES = {
    "delivered": ReceiptStatus.DELIVERED,
    "bounced": ReceiptStatus.BOUNCED,
    "failed": ReceiptStatus.UNDELIVERED,
    "rejected": ReceiptStatus.UNDELIVERED,
    "complained": ReceiptStatus.COMPLAINED,
    "unsubscribed": ReceiptStatus.DELIVERED,  # only a letter that arrived can be unsubscribed from
}
_STATUS_BY_REASON = {"spam": ReceiptStatus.COMPLAINED}
_NO_SUCH_MAILBOX = "invalid"


def receive_tracking(sender: Any, event: Any, esp_name: str = "", **_: Any) -> None:
    """Receive `anymail.signals.tracking`; queued, opened and clicked are ignored."""
    receipt = parse_receipt(event)
    if receipt is None:
        return
    now = read_clock()
    reminders.keep(channel="email", events=[receipt], now=now)
    reminders.act_on_events(now=now, limit=50)


def parse_receipt(event: Any) -> Receipt | None:
    """Return the receipt by the provider's message id, or `None` where the event is none of the listed kinds."""
    status = _STATUSES.get(str(event.event_type))
    reason = str(event.reject_reason or "")
    if status is ReceiptStatus.UNDELIVERED:
        status = _STATUS_BY_REASON.get(reason, status)
    try:
        message_id = require_id(str(event.message_id or ""))
        event_id = require_text(str(event.event_id or ""), 150).strip() or f"{message_id}:{event.event_type}"
    except ValueError:
        return None
    if status is None:
        return None
    return Receipt(
        event_id=event_id,
        status=status,
        provider_message_id=message_id,
        permanent=reason == _NO_SUCH_MAILBOX,
        opted_out="unsubscribed" in {str(event.event_type), reason},
    )
