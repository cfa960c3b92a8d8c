"""A provider that is slow, moody or overrun: the alarm sounds, the order holds, quiet hours that begin meanwhile are kept."""

import random
from collections import Counter
from datetime import timedelta
from itertools import permutations

import pytest
from django.db.models import F

from dispensary import reminders
from dispensary.channels import Receipt, ReceiptStatus
from dispensary.models import (
    ChannelRest,
    Delivery,
    DeliveryOutcome,
    Pharmacy,
    Reminder,
    ReminderState,
    WorklistItem,
)
from dispensary.models.audit import AuditEntry
from dispensary.models.reminders import LIVE
from dispensary.reminders import receipts
from tests.dispensary import make
from tests.dispensary.channels.servers import Gateway, http_gateway
from tests.dispensary.faults.children import frozen, heal, let_leases_run_out, not_ended, thaw
from tests.dispensary.faults.reminder_site import create_due
from tests.dispensary.reminders.conftest import database_now

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


# --- slow -------------------------------------------------------------------------------------------------------------


def test_quiet_hours_that_begin_in_the_middle_of_a_batch_are_kept(outbox, settings):
    """A batch of eighty at ten a second takes eight seconds: what was allowed when it was read may not be at its end."""
    outbox.set_sink_options(delay=0.1, timeout=1)
    settings.DISPENSARY = {**settings.DISPENSARY, "reminder_batch": 80}
    create_due(80, pharmacies=1)
    begin = database_now() + timedelta(seconds=4)
    until = begin + timedelta(hours=8)
    make.change_past_actions(Pharmacy.objects.all(), quiet_from=begin.time(), quiet_until=until.time())
    reminders.drain()
    times = [message["at"] for message in outbox.sent]
    assert 0 < len(times) < 60
    assert max(times) < begin.timestamp() + 1  # the one that was in the provider's hands
    left = Reminder.objects.filter(state=ReminderState.SCHEDULED, attempts=0)
    assert left.count() == 80 - len(times)
    assert all(until <= row.due_at < until + timedelta(minutes=1) for row in left)


def test_the_alarm_sounds_while_a_provider_is_overrun_and_the_oldest_leave_first(client, outbox):
    outbox.set_sink_options(delay=0.1, timeout=1)
    due_keys = list(create_due(24, pharmacies=1))
    random.shuffle(due_keys)
    now = database_now()
    for place, public_id in enumerate(due_keys):
        due = now - timedelta(minutes=15) + timedelta(seconds=place)
        Reminder.objects.filter(public_id=public_id).update(due_at=due, local_date=due.date(), local_time=due.time())
    reminders.tick()
    reminders.drain(seconds=1)
    answer = client.get("/health/reminders")
    assert answer.status_code == 503 and "has been due for" in answer.json()["troubles"][0]
    reminders.drain()
    in_order = Reminder.objects.order_by("due_at", "id").values_list("deliveries__key", flat=True)
    assert [message["key"] for message in outbox.sent] == [str(key) for key in in_order]
    assert client.get("/health/reminders").status_code == 200


# --- moody ------------------------------------------------------------------------------------------------------------

MOODS = ["kind", "cut", "garbage", "hang", *Gateway.answers]


def test_whatever_a_provider_answers_no_message_is_alive_twice_in_the_ledger_and_none_is_forgotten(settings):
    with http_gateway() as gateway:
        options = {"url": gateway.url, "secret": "s" * 20, "connect": 1, "read": 0.5}
        settings.DISPENSARY = {
            **settings.DISPENSARY,
            "channels": {"email": "gateway"},
            "channel_options": {"gateway": options},
        }
        for mood in MOODS:
            gateway.mood = mood
            create_due(2, pharmacies=1)
            reminders.drain()
            ChannelRest.objects.all().delete()  # the provider's rest is another test's matter
            alive = Delivery.objects.filter(outcome__in=LIVE).values_list("reminder", "medium", "round")
            assert max(Counter(alive).values(), default=1) == 1, mood
        gateway.mood = "kind"
        heal()
    keys = Counter(headers["Idempotency-Key"] for headers, _ in gateway.calls)
    assert len(keys) == 2 * len(MOODS)
    ended = Counter(ReminderState(state).name for state in Reminder.objects.values_list("state", flat=True))
    refused = 2 * len({"wrong-number", "opted-out", "too-long"})
    assert ended == {"SENT": 2 * len(MOODS) - refused, "FAILED": refused}
    assert WorklistItem.objects.filter(kind__in=["failed", "unreachable"]).count() == refused
    unasked = Reminder.objects.exclude(attempts=1).filter(
        deliveries__outcome=DeliveryOutcome.REFUSED, attempts__gt=F("round")
    )
    assert not unasked.exists()  # what was refused for good is not asked for again


# --- news that overtake us --------------------------------------------------------------------------------------------


def receipt(key, status, event="e1"):
    return Receipt(event, status, key, permanent=status is not ReceiptStatus.DELIVERED)


def lines(reminder):
    entries = AuditEntry.objects.filter(subject_id=str(reminder.public_id), action__startswith="reminder.")
    return sorted(entries.exclude(action="reminder.planned").values_list("action", flat=True))


@pytest.mark.parametrize(
    ("status", "state", "logged"),
    [
        (ReceiptStatus.DELIVERED, ReminderState.DELIVERED, ["reminder.delivered", "reminder.sent"]),
        (ReceiptStatus.BOUNCED, ReminderState.FAILED, ["reminder.failed", "reminder.failed", "reminder.sent"]),
        (ReceiptStatus.COMPLAINED, ReminderState.SENT, ["reminder.sent"]),
    ],
)
def test_a_receipt_that_overtakes_our_own_commit_counts(due, outbox, status, state, logged):
    """The worker stands still between the provider's yes and the commit that says so; the receipt is there first."""
    outbox.set_sink_options(timeout=1)
    reminder = due("run_out")
    outbox.set_faults(at="accepted", do="freeze", times=1)
    worker = frozen(reminders.drain)
    key = outbox.sent[0]["key"]
    receipts.keep(channel="sink", events=[receipt(key, status)], now=database_now())
    reminders.tick()
    thaw(worker)
    for _ in range(3):
        let_leases_run_out()
        reminders.tick()
        reminders.drain()
    assert not not_ended().exists() and len(outbox.sent) == 1
    reminder.refresh_from_db()
    assert (ReminderState(reminder.state), lines(reminder)) == (state, logged)


@pytest.mark.parametrize("order", list(permutations(["delivered", "undelivered", "complained"])), ids="-".join)
def test_receipts_in_any_order_and_each_of_them_five_times_come_to_the_same(due, outbox, order):
    reminder = due("run_out")
    reminders.drain()
    key = outbox.sent[0]["key"]
    for status in order:
        for _ in range(5):
            event = receipt(key, ReceiptStatus(status), event=status)
            receipts.keep(channel="sink", events=[event], now=database_now())
            reminders.tick()
    delivery = Delivery.objects.get()
    assert delivery.outcome == DeliveryOutcome.COMPLAINED
    logged = lines(reminder)
    assert logged.count("reminder.sent") == 1 and logged.count("reminder.delivered") <= 1 and len(outbox.sent) == 1
