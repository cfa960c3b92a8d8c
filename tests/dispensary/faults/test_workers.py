"""Workers, beat and database killed at every step. Counted by the sink's file, which is no part of the engine."""

import random
import signal
import subprocess
import sys
import time

import pytest
from django.db import connections

from dispensary.models import EngineCounter
from tests.dispensary.faults.reminder_site import LONG, ROOT, create_due

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
KILLS = 20 if LONG else 2
MANY = 4000 if LONG else 300
LEASES = 3 if LONG else 1
"""Leases, of ten seconds each, that a frozen worker stands still."""


def test_workers_killed_under_load_lose_nothing_and_double_at_most_the_message_in_hand(reminder_site):
    due_ids = create_due(MANY)
    reminder_site.start_all()
    for kill in range(KILLS):
        reminder_site.wait_until_sent((kill + 1) * MANY // (KILLS + 2))
        victim = random.choice(["send1", "send2"])
        reminder_site.kill(victim)
        reminder_site.start(victim)
    reminder_site.wait_until_idle()
    verdict = reminder_site.compare_with_log(due_ids)
    assert verdict.at_most_doubled(KILLS), verdict


def test_a_killed_pool_child_costs_at_most_its_message_and_the_worker_goes_on(reminder_site):
    due_ids = create_due(MANY)
    reminder_site.start_all()
    reminder_site.wait_until_sent(MANY // 4)
    parent = reminder_site.processes["send1"].process.pid
    reminder_site.wait(lambda: reminder_site.kill_child("send1"), 60, "a child to kill")
    reminder_site.wait_until_idle()
    verdict = reminder_site.compare_with_log(due_ids)
    assert verdict.at_most_doubled(1), verdict
    assert reminder_site.processes["send1"].process.pid == parent and reminder_site.processes["send1"].running


def test_a_frozen_worker_that_thaws_after_its_lease_sends_nothing_more(reminder_site):
    due_ids = create_due(MANY)
    reminder_site.start_all()
    reminder_site.wait_until_sent(MANY // 5)
    reminder_site.signal("send1", signal.SIGSTOP)
    time.sleep(LEASES * 10 + 1)
    reminder_site.signal("send1", signal.SIGCONT)
    reminder_site.wait_until_idle()
    verdict = reminder_site.compare_with_log(due_ids)
    assert verdict.at_most_doubled(1), verdict


@pytest.mark.parametrize("beats", [2, 5] if LONG else [5])
def test_however_many_beats_there_are_and_one_of_them_is_killed_nobody_is_messaged_twice(reminder_site, beats):
    due_ids = create_due(MANY)
    reminder_site.start_all()
    others = [f"beat{number}" for number in range(2, beats + 1)]
    reminder_site.start(*others)
    reminder_site.wait_until_sent(MANY // 4)
    reminder_site.kill("beat")
    reminder_site.wait_until_idle()
    verdict = reminder_site.compare_with_log(due_ids)
    assert verdict.clean, verdict
    before = EngineCounter.objects.get(name="tick").count
    reminder_site.wait(lambda: EngineCounter.objects.get(name="tick").count > before, 120, "the other beats tick on")
    for name in others:
        reminder_site.kill(name)


def test_a_database_that_crashes_loses_nothing_and_doubles_at_most_what_was_in_flight(reminder_site):
    if reminder_site.site.database.server is None:
        pytest.skip("DATABASE_URL names a server that is not ours to crash")
    due_ids = create_due(MANY)
    reminder_site.start_all()
    reminder_site.wait_until_sent(MANY // 4)
    connections.close_all()
    reminder_site.site.database.crash(down=1)
    reminder_site.restart_dead()
    reminder_site.wait_until_idle()
    verdict = reminder_site.compare_with_log(due_ids)
    assert verdict.at_most_doubled(2), verdict


def test_the_engine_runs_without_any_broker(reminder_site):
    for name in list(reminder_site.processes):
        reminder_site.kill(name)
    due_ids = create_due(MANY)
    subprocess.run(
        [sys.executable, "manage.py", "reminders", "run", "--once"],
        cwd=ROOT,
        env=reminder_site.environment(REDIS_URL="redis://127.0.0.1:1"),
        check=True,
        capture_output=True,
    )
    verdict = reminder_site.compare_with_log(due_ids)
    assert verdict.clean, verdict
