"""What an e-mail provider tells of a letter, through django-anymail's webhooks: arrived, bounced, unwanted.

django-anymail checks the provider's signature, or the shared secret, and brings every provider's events into one form; from
here on they go the way of every receipt.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from dispensary.actions import reminders
from dispensary.channels import Receipt, ReceiptStatus
from dispensary.channels.base import require_id, require_text

_STATUSES = {
    "delivered": ReceiptStatus.DELIVERED,
    "bounced": ReceiptStatus.BOUNCED,
    "failed": ReceiptStatus.UNDELIVERED,
    "rejected": ReceiptStatus.UNDELIVERED,
    "complained": ReceiptStatus.COMPLAINED,
    "unsubscribed": ReceiptStatus.DELIVERED,  # who unsubscribes has got it
}
_NO_SUCH_MAILBOX = "invalid"
_REFUSED_FOR = {"spam": ReceiptStatus.COMPLAINED}


def on_tracking(sender: Any, event: Any, esp_name: str = "", **_: Any) -> None:
    """Receive `anymail.signals.tracking`. What is on its way, or was opened or clicked, tells nothing."""
    receipt = receipt_of(event)
    if receipt is None:
        return
    now = timezone.now()
    reminders.keep(channel="email", events=[receipt], now=now)
    reminders.act_on_events(now=now, limit=50)


def receipt_of(event: Any) -> Receipt | None:
    """One of our receipts, by the provider's number of the letter; `None` where it says nothing of that kind."""
    status = _STATUSES.get(str(event.event_type))
    why = str(event.reject_reason or "")
    if status is ReceiptStatus.UNDELIVERED:
        status = _REFUSED_FOR.get(why, status)
    try:
        number = require_id(str(event.message_id or ""))
        told = require_text(str(event.event_id or ""), 150).strip() or f"{number}:{event.event_type}"
    except ValueError:
        return None
    if status is None:
        return None
    return Receipt(
        event_id=told,
        status=status,
        provider_message_id=number,
        permanent=why == _NO_SUCH_MAILBOX,
        opted_out="unsubscribed" in {str(event.event_type), why},
    )
