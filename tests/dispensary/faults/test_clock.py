"""Clocks that are wrong or jump. Every time in a lease is the database's, so a worker's own clock must not matter at all."""

import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connections

from deploy.servers.processes import BARE_ENVIRONMENT
from dispensary.models import Reminder, ReminderState
from tests.clock import Clock
from tests.dispensary.faults.reminder_site import LONG, ROOT, create_due
from tests.dispensary.reminders.conftest import database_now
from tests.site import working_folder

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
MANY = 2000 if LONG else 300
FIVE_MINUTES, TEN_MINUTES = timedelta(minutes=5), timedelta(minutes=10)


@contextmanager
def settable_clock(database):
    """Our own database server, restarted with a clock that a test may set; afterwards with its own again."""
    server, launch = database.server, database.server.launch
    connections.close_all()
    with working_folder() as folder:
        clock = Clock(folder)

        def launched(command, user=None, environment=None, folder=Path("/")):
            launch(command, user, {**(environment or BARE_ENVIRONMENT), **clock.environment}, folder)

        server.launch = launched
        try:
            database.crash()
            yield clock
        finally:
            del server.launch
            connections.close_all()
            database.crash()


@pytest.fixture
def clock(reminder_site):
    if reminder_site.site.database.server is None:
        pytest.skip("DATABASE_URL names a server whose clock is not ours to set")
    reminder_site.stop_all()
    with settable_clock(reminder_site.site.database) as clock:
        before = database_now()
        clock.set(timedelta(hours=1))
        if database_now() < before + timedelta(minutes=59):
            pytest.skip("libfaketime does not reach the server's clock on this machine")
        clock.set(timedelta())
        yield clock
        reminder_site.stop_all()


def test_a_database_whose_clock_jumps_forward_and_back_loses_nothing(reminder_site, clock):
    due_ids = create_due(MANY)
    reminder_site.start_all()
    reminder_site.wait_until_sent(MANY // 4)
    clock.set(TEN_MINUTES)  # every lease has run out at once, in the middle of its batch
    reminder_site.wait_until_sent(MANY // 2)
    clock.set(-TEN_MINUTES)  # nothing is due yet, and the leases of before last twenty minutes longer
    time.sleep(3)
    clock.set(timedelta())
    reminder_site.wait_until_idle()
    verdict = reminder_site.compare_with_log(due_ids)
    assert verdict.at_most_doubled(2), verdict  # the two that were in hand at the jump


@pytest.mark.skipif(not LONG, reason="part of the long form, `make test-faults`")
def test_what_a_dead_worker_held_when_the_clock_was_put_back_leaves_when_the_lease_has_run_out(reminder_site, clock):
    reminder_site.start_all()
    clock.set(TEN_MINUTES)
    due_ids = create_due(MANY)
    reminder_site.wait_until_sent(MANY // 4)
    for name in ("send1", "send2"):
        reminder_site.kill(name)
    clock.set(timedelta())
    Reminder.objects.filter(state=ReminderState.SCHEDULED).update(due_at=database_now() - timedelta(seconds=1))
    reminder_site.start("send1", "send2")
    reminder_site.wait(
        lambda: not Reminder.objects.filter(state=ReminderState.SCHEDULED).exists(), 120, "all that nobody held"
    )
    clock.set(TEN_MINUTES + timedelta(seconds=20))
    reminder_site.wait_until_idle()
    verdict = reminder_site.compare_with_log(due_ids)
    assert verdict.at_most_doubled(2), verdict


def test_what_is_due_is_decided_by_the_databases_clock_however_wrong_the_workers_is(reminder_site):
    """Two engines whose clocks are ten minutes apart, and a third of what is owed due in three minutes."""
    reminder_site.stop_all()
    due_ids = create_due(MANY)
    later = set(list(due_ids)[: MANY // 3])
    due = database_now() + timedelta(minutes=3)
    Reminder.objects.filter(public_id__in=later).update(due_at=due, local_date=due.date(), local_time=due.time())
    with working_folder() as folder:
        engines = []
        for offset in (FIVE_MINUTES, -FIVE_MINUTES):
            own = folder / str(len(engines))
            own.mkdir()
            clock = Clock(own)
            clock.set(offset)
            engines.append(
                subprocess.Popen(
                    [sys.executable, "manage.py", "reminders", "run", "--once"], cwd=ROOT,
                    env=reminder_site.environment(REDIS_URL="redis://127.0.0.1:1", **clock.environment), stdout=subprocess.DEVNULL,
                )
            )  # fmt: skip
        assert [engine.wait(120) for engine in engines] == [0, 0]
    assert reminder_site.compare_with_log(due_ids - later).clean
    sent_count = reminder_site.count_sent()
    assert sent_count == MANY - len(later)
    assert Reminder.objects.filter(public_id__in=later, state=ReminderState.SCHEDULED).count() == len(later)


@pytest.mark.parametrize("offset", [FIVE_MINUTES, -FIVE_MINUTES], ids=["ahead", "behind"])
@pytest.mark.skipif(not LONG, reason="part of the long form, `make test-faults`")
def test_a_celery_worker_whose_clock_is_five_minutes_off_does_no_harm(reminder_site, offset):
    due_ids = create_due(MANY)
    reminder_site.start_all()
    reminder_site.kill("send2")
    with working_folder() as folder:
        clock = Clock(folder)
        clock.set(offset)
        reminder_site.start("send2", **clock.environment)
        reminder_site.wait_until_idle()
        verdict = reminder_site.compare_with_log(due_ids)
        assert verdict.at_most_doubled(1), verdict  # the one that the first send2 may have had in hand
        reminder_site.kill("send2")
