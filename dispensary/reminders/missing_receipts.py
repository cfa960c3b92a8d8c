"""Poll providers for messages without a delivery receipt after 24 hours."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import datetime, timedelta

from dispensary.channels import Channel, channels_in_use
from dispensary.models import Delivery, EngineTurn
from dispensary.models.reminders import DeliveryOutcome as Outcome
from dispensary.reminders import receipts
from dispensary.reminders.queue import count, take_turn

log = logging.getLogger(__name__)

SILENT_FOR = timedelta(hours=24)
EVERY = timedelta(hours=1)
LONGEST = 40.0  # seconds; shorter than a task's soft limit of 60
MOST = 2000
TURN = "missing-receipts"
"""The turn whose position is the last delivery looked at: each is asked about once."""


def poll_missing_receipts() -> int:
    """Poll for receipts of messages accepted a day ago, at most once an hour. Returns how many were looked at.

    A provider that gives no answer is asked again in an hour. What it says goes the way of every receipt.
    """
    turn = take_turn(TURN, EVERY)
    if turn is None:
        return 0
    now = turn.at
    channels = {channel.name: channel for channel in channels_in_use().values() if channel.can_fetch_receipt}
    ends, looked_at, last = time.monotonic() + LONGEST, 0, turn.position
    try:
        for delivery in Delivery.objects.filter(pk__gt=turn.position).order_by("pk")[:MOST]:
            if (
                delivery.started_at > now - SILENT_FOR
                or time.monotonic() > ends
                or not _poll_one(delivery, channels, now)
            ):
                break
            looked_at, last = looked_at + 1, delivery.pk
    finally:
        for channel in channels.values():
            channel.close()
        EngineTurn.objects.filter(name=TURN, position__lt=last).update(position=last)
    receipts.act_on_events(now=now)
    return looked_at


def _poll_one(delivery: Delivery, channels: Mapping[str, Channel], now: datetime) -> bool:
    """Poll for one receipt. Returns False when the provider gave no answer and is to be asked again."""
    channel = channels.get(delivery.channel)
    if delivery.outcome != Outcome.ACCEPTED or channel is None or not delivery.provider_message_id:
        return True
    try:
        receipt = channel.fetch_receipt(delivery.provider_message_id)
    except LookupError:
        log.warning("channel %s does not say what became of delivery %d", channel.name, delivery.pk)
        return False
    if receipt:
        receipts.keep(channel=channel.name, events=[receipt], now=now)
    count({"receipt-asked-for" if receipt else "receipt-missing": 1})
    return True
