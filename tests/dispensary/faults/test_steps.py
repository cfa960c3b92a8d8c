"""Killed at every step of claim, send and record: each step once, in a process of its own that ends by `kill -9`."""

import os
import signal
import time
from datetime import date, timedelta

import pytest
from django.db import OperationalError, connection

from dispensary import reminders
from dispensary.models import AuditEntry, Delivery, Reminder, ReminderState, WorklistItem
from dispensary.models.reminders import DeliveryOutcome
from dispensary.reminders import outcomes, queue
from dispensary.reminders.texts import say_date
from tests.dispensary.faults.children import in_a_child, in_a_process_that_dies, kill_when_called, recover
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
LEASE = 5


@pytest.fixture(autouse=True)
def short_leases(outbox, settings):
    outbox.set_sink_options(timeout=1)
    settings.DISPENSARY = {**settings.DISPENSARY, "reminder_lease": LEASE}
    say_date(
        date(2026, 11, 22), "en"
    )  # the catalogues are read here, once, and not in each child under its short lease


@pytest.mark.parametrize(
    ("at", "kind", "policy", "left", "parked"),
    [
        ("accepted", "run_out", "by-kind", 2, 0),
        ("accepted", "refill_due", "by-kind", 1, 1),
        ("accepted", "refill_due", "same-key", 1, 0),
        ("accepted", "refill_due", "look-up", 1, 0),
        ("called", "run_out", "by-kind", 1, 0),
        ("called", "refill_due", "by-kind", 0, 1),
        ("called", "refill_due", "same-key", 1, 0),
        ("called", "refill_due", "look-up", 1, 0),
    ],
)
def test_a_kill_around_the_providers_answer_follows_the_policy_of_its_kind(
    due,
    outbox,
    at,
    kind,
    policy,
    left,
    parked,
):
    outbox.set_sink_options(timeout=1, after_crash=policy)
    reminder = due(kind)
    outbox.set_faults(at=at, do="kill", times=1)
    assert in_a_process_that_dies(reminders.drain) == signal.SIGKILL
    recover()
    assert len(outbox.sent) == left
    assert WorklistItem.objects.filter(kind="maybe-sent").count() == parked
    reminder.refresh_from_db()
    assert reminder.state == (ReminderState.PARKED if parked else ReminderState.SENT)


@pytest.mark.parametrize(
    ("where", "step"),
    [
        (queue, queue.claim),
        (outcomes, outcomes.hand_over),
        (outcomes, outcomes.book),
        (outcomes, outcomes._sent),
        (queue, queue.release),
    ],
    ids=[
        "before the claim",
        "between claim and intent",
        "after the last was accepted",
        "inside the commit that books the batch",
        "after the batch",
    ],
)
def test_a_kill_at_a_step_of_our_own_loses_nothing(due, outbox, monkeypatch, where, step):
    reminder = due("run_out")
    with monkeypatch.context() as patched:
        kill_when_called(patched, where, step)
        assert in_a_process_that_dies(reminders.drain) == signal.SIGKILL
    recover()
    reminder.refresh_from_db()
    assert reminder.state == ReminderState.SENT
    assert len(outbox.sent) == 1
    assert AuditEntry.objects.filter(action="reminder.sent", pharmacy=reminder.pharmacy_id).count() == 1


def test_a_dispense_whose_process_dies_right_after_its_commit_is_still_reminded_of(due, outbox):
    def commit_and_die():
        due("run_out")
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_a_process_that_dies(commit_and_die) == signal.SIGKILL
    recover()
    assert len(outbox.sent) == 1


def test_a_lease_shorter_than_its_batch_doubles_nothing(due, outbox, awake):
    """Two workers, a batch that outlasts its lease: the fence stops each in time, and the rest is claimed again."""
    outbox.set_sink_options(timeout=1, delay=0.2)  # a message holds four of them
    first = due("run_out")
    rows = [
        Reminder(
            plan=first.plan, pharmacy=awake, patient=first.patient, kind="run_out", occurrence=f"n{number}",
            local_date=first.local_date + timedelta(days=number), local_time=first.local_time, tz_name="UTC",
            tzdb_version="t", due_at=first.due_at, useful_until=first.useful_until, params=first.params,
        )
        for number in range(1, 151)
    ]  # fmt: skip
    Reminder.objects.bulk_create(rows)

    def twenty_rounds():
        for _ in range(20):
            reminders.tick()
            reminders.drain(seconds=20)

    for pid in [in_a_child(twenty_rounds) for _ in range(2)]:
        os.waitpid(pid, 0)
    recover()
    keys = [message["key"] for message in outbox.sent]
    assert len(keys) == len(set(keys))
    accepted = Delivery.objects.filter(outcome=DeliveryOutcome.ACCEPTED)
    assert accepted.count() == accepted.values("reminder").distinct().count() == 151
    assert {str(key) for key in accepted.values_list("key", flat=True)} == set(keys)


@pytest.mark.parametrize(
    "wait", [LEASE - 2.2, LEASE + 1], ids=["so that no time to send is left", "longer than the lease"]
)
def test_a_commit_that_took_longer_than_the_lease_is_not_followed_by_a_send(due, outbox, site, wait):
    """The statement looked at the lease, then had to wait: what it began must not be sent on a lease that is used up."""
    outbox.set_sink_options(timeout=2)
    outbox.set_faults(at="accepted", wait=1, times=1)
    rows = [due("run_out"), due("run_out")]
    with site.database.connect(autocommit=False) as standing_still:
        worker = in_a_child(lambda: reminders.drain(seconds=3))
        wait_until(lambda: outbox.sent, 30)
        standing_still.execute("SELECT 1 FROM dispensary_delivery FOR UPDATE")  # the note of the first one's end waits
        time.sleep(1 + wait)
        standing_still.rollback()
    os.waitpid(worker, 0)
    assert len(outbox.sent) == 1
    for row in rows:
        row.refresh_from_db()
    assert ReminderState.SCHEDULED in {row.state for row in rows}
    recover()
    keys = [message["key"] for message in outbox.sent]
    assert len(keys) == len(set(keys)) == 2


def test_while_the_log_takes_no_line_a_batch_is_sent_once_and_booked_afterwards(due, outbox, awake, site):
    """Somebody stands still with the log's head in his hand: no more than the batch in hand leaves, and all get their lines."""
    outbox.set_sink_options(timeout=1)
    due("run_out")
    reminders.drain()  # now the pharmacy has a log, and the log its head
    outbox.file.unlink()
    rows = [due("run_out") for _ in range(3)]
    with site.database.connect(autocommit=False) as standing_still:
        standing_still.execute("SELECT 1 FROM audit.head FOR NO KEY UPDATE")
        with pytest.raises(OperationalError, match="lock timeout"):
            reminders.drain(seconds=3)
        for row in rows:
            row.refresh_from_db()
        assert {row.state for row in rows} == {ReminderState.LEASED} and len(outbox.sent) == 3
        assert all(row.deliveries.get().outcome == DeliveryOutcome.ACCEPTED for row in rows)
        standing_still.rollback()
    recover()
    assert len(outbox.sent) == 3
    lines = AuditEntry.objects.filter(action="reminder.sent", pharmacy=awake.pk)
    assert lines.count() == 4
    assert [lines.filter(subject_id=str(row.public_id)).count() for row in rows] == [1, 1, 1]


def test_what_another_session_holds_at_this_moment_delays_nobody_else(due, outbox, site):
    rows = [due("run_out") for _ in range(6)]
    with site.database.connect(autocommit=False) as busy:
        locked_ids = [row.pk for row in rows[:3]]
        busy.execute("SELECT 1 FROM dispensary_reminder WHERE id = ANY(%s) FOR UPDATE", [locked_ids])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        assert reminders.drain().sent == 3  # the others, at once: nobody waits for a lock
        busy.rollback()
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")
    assert reminders.drain().sent == 3
