"""Receipts and replies for e-mail from django-anymail's signals `tracking` and `inbound`.

django-anymail verifies the provider's signature, or the shared secret, and normalises every provider's events.
"""

from __future__ import annotations

import re
from typing import Any

from dispensary import reminders
from dispensary.channels import Receipt, ReceiptStatus, Reply
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
LONGEST_REPLY = 4000
"""Characters of a letter that are read."""
_OF_PROGRAMS = ("List-Id", "X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress")
_QUOTE = re.compile(
    r"\s*>|\s*_{8,}|\s*-{2,}\s*\S.*-{2,}\s*$|\s*--\s*$"
    r"|.*\d.*\b(?:wrote|a écrit|escribió|كتب)\s*:?\s*$|.*كتب.*:\s*$",
    re.IGNORECASE,
)
"""The first line of what a letter quotes, or of its signature."""


def receive_tracking(sender: Any, event: Any, esp_name: str = "", **_: Any) -> None:
    """Receive `anymail.signals.tracking`; queued, opened and clicked are ignored."""
    _keep_and_act(parse_receipt(event))


def receive_inbound(sender: Any, event: Any, esp_name: str = "", **_: Any) -> None:
    """Receive `anymail.signals.inbound`: a letter to the address that messages are answered to, acted on like a reply by text.

    What a program wrote (RFC 3834) is ignored.
    """
    _keep_and_act(parse_reply(event))


def _keep_and_act(event: Receipt | Reply | None) -> None:
    if event is None:
        return
    now = read_clock()
    reminders.keep(channel="email", events=[event], now=now)
    reminders.act_on_events(now=now, limit=50)


def parse_reply(event: Any) -> Reply | None:
    """Return what a person wrote, without what they quote; `None` for a program's letter, and one without sender or words."""
    letter = event.message
    is_automatic = str(letter.get("Auto-Submitted", "no")).strip().lower() != "no" or any(
        name in letter for name in _OF_PROGRAMS
    )
    address = letter.from_email.addr_spec if letter.from_email else ""
    try:
        text = require_text(cut_quotes(str(letter.text or "")), LONGEST_REPLY).strip()
        event_id = require_text(str(event.event_id or letter.get("Message-ID", "")), 150).strip()
    except ValueError:
        return None
    return None if is_automatic or not (address and text and event_id) else Reply(event_id, address, text)


def cut_quotes(text: str) -> str:
    """Return the lines of a letter before what it quotes: marked with ">", under a rule, or after "... wrote:"."""
    lines = []
    for line in text.splitlines():
        if _QUOTE.match(line):
            break
        lines.append(line)
    return "\n".join(lines)[:LONGEST_REPLY]


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
