"""Messages that matter for safety and that no receipt says arrived: sent again to the next address, else a person's work."""

from __future__ import annotations

from datetime import datetime, timedelta

from dispensary.channels import Receipt, ReceiptStatus, channels_in_use
from dispensary.conf import conf
from dispensary.models import Delivery, ReminderState
from dispensary.models.reminders import DeliveryOutcome, ReminderKind
from dispensary.reminders import receipts

MOST = 200
_SAFETY = [kind.value for kind in ReminderKind if kind.matters_for_safety]


def give_up_waiting(*, now: datetime) -> int:
    """Count accepted messages of a channel as not delivered after its `receipt_hours`, or its own hours. Returns how many.

    What follows is what follows a receipt that says so: the next address or, where there is none, work. A message that is no
    longer useful is left as it is.
    """
    given_up = 0
    own_hours = {channel.name: channel.unread_hours for channel in channels_in_use().values() if channel.unread_hours}
    for channel, hours in {**own_hours, **conf().receipt_hours}.items():
        silent = Delivery.objects.filter(
            channel=channel,
            outcome=DeliveryOutcome.ACCEPTED,
            started_at__range=(now - timedelta(days=2), now - timedelta(hours=hours)),
            reminder__state=ReminderState.SENT,
            reminder__kind__in=_SAFETY,
            reminder__plan__ended_at=None,
            reminder__useful_until__gt=now,
        )
        events = [
            Receipt(f"silent-{delivery.key}-{delivery.attempt}", ReceiptStatus.UNDELIVERED, str(delivery.key))
            for delivery in silent.order_by("pk")[:MOST]
        ]
        given_up += receipts.keep(channel=channel, events=events, now=now)
    return given_up
