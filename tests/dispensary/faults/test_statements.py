"""Killed before every single statement that it sends to the database: a drain, and a tick. What each of them is called does not matter."""

from collections import Counter
from datetime import timedelta

import pytest

from dispensary import reminders
from dispensary.channels import Receipt, ReceiptStatus
from dispensary.models import (
    ChannelRest,
    Delivery,
    EngineCounter,
    EngineTurn,
    InboundEvent,
    Reminder,
    ReminderPlan,
    ReminderState,
    TherapySummary,
    WorklistItem,
)
from dispensary.models.audit import AuditEntry
from dispensary.models.reminders import LIVE
from dispensary.reminders import receipts
from tests.dispensary.faults.children import dies_at, heal, in_a_process_that_dies, let_leases_run_out, steps_of
from tests.dispensary.faults.reminder_site import LONG
from tests.dispensary.reminders import making
from tests.dispensary.reminders.conftest import database_now

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def small_batches(outbox, settings):
    outbox.set_sink_options(timeout=1)
    settings.DISPENSARY = {**settings.DISPENSARY, "reminder_batch": 3}


def count_by_key(outbox):
    return Counter(message["key"] for message in outbox.sent)


def told_once(rows):
    """Each of them has exactly one line in the log that says it was sent."""
    ids = [str(row.public_id) for row in rows]
    lines = AuditEntry.objects.filter(action="reminder.sent", subject_id__in=ids).values_list("subject_id", flat=True)
    return Counter(lines) == Counter(ids)


def two_batches(due, outbox):
    """Five that will leave, the first of them only at its second attempt, and one that has no address."""
    for table in (Reminder, ReminderPlan, TherapySummary, WorklistItem, EngineCounter, EngineTurn, ChannelRest):
        table.objects.all().delete()
    outbox.file.unlink(missing_ok=True)
    outbox.set_faults(answer="busy", times=1)
    return [due("run_out") for _ in range(5)], due("run_out", reach=())


@pytest.mark.parametrize("policy", ["by-kind", "same-key"])
def test_a_drain_killed_before_any_of_its_statements_loses_nothing_and_doubles_at_most_one(
    due, outbox, tmp_path, policy
):
    outbox.set_sink_options(timeout=1, after_crash=policy)
    two_batches(due, outbox)
    died = 0
    for step in range(1, steps_of(reminders.drain, tmp_path) + 1, 1 if LONG else 2 if policy == "by-kind" else 5):
        rows, unreachable = two_batches(due, outbox)
        died += dies_at(reminders.drain, step)  # on a busy machine one drain may need a statement more than the next
        heal()
        counts = count_by_key(outbox)
        where = f"killed before statement {step}: {sorted(counts.values())}"
        assert len(counts) == 5, where
        assert sum(counts.values()) <= (6 if policy == "by-kind" else 5), where
        assert told_once(rows), where
        live = Counter(Delivery.objects.filter(outcome__in=LIVE).values_list("reminder", flat=True))
        assert live == Counter(row.pk for row in rows), where
        assert WorklistItem.objects.get().reminder_id == unreachable.pk, where
    assert died >= 5


def left_lying(due, outbox):
    """Make rows for a tick: claimed by a dead worker, in doubt, a receipt, a supply that has run out."""
    for table in (
        Reminder,
        ReminderPlan,
        TherapySummary,
        WorklistItem,
        EngineCounter,
        EngineTurn,
        ChannelRest,
        InboundEvent,
    ):
        table.objects.all().delete()
    outbox.file.unlink(missing_ok=True)
    arrived = due("run_out")
    reminders.drain()
    key = outbox.sent[0]["key"]
    outbox.set_faults(at="accepted", do="kill", times=1)
    doubtful, claimed = due("run_out"), due("run_out")
    assert in_a_process_that_dies(reminders.drain) == 9
    let_leases_run_out()
    receipts.keep(channel="sink", events=[Receipt("e1", ReceiptStatus.DELIVERED, key)], now=database_now())
    ended_on = making.NOON.date() - timedelta(days=5)
    summaries = TherapySummary.objects.filter(patient=claimed.patient_id)
    summaries.update(first_uncovered_on=ended_on, listed_from=ended_on, listed_until=ended_on + timedelta(days=90))
    return arrived, doubtful, claimed


def test_a_tick_killed_before_any_of_its_statements_is_made_good_by_the_next(due, outbox, tmp_path):
    left_lying(due, outbox)
    died = 0
    for step in range(1, steps_of(reminders.tick, tmp_path) + 1, 1 if LONG else 3):
        arrived, doubtful, claimed = left_lying(due, outbox)
        died += dies_at(reminders.tick, step)
        EngineTurn.objects.filter(name__in=["withdrawal-risk", "time-zones"]).delete()  # their turn comes again
        heal()
        reminders.tick()
        assert sorted(count_by_key(outbox).values()) == [1, 1, 2], step  # the one in doubt matters: it is sent again
        assert told_once([arrived, doubtful, claimed]), step
        arrived.refresh_from_db()
        assert arrived.state == ReminderState.DELIVERED, step
        assert WorklistItem.objects.filter(kind="withdrawal-risk").count() == 1, step
    assert died >= 5
