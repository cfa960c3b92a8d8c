"""Workers, beat and database killed at every step. Counted by the sink's file, which is no part of the engine."""

import random
import signal
import subprocess
import sys
import time

import pytest
from django.db import connections

from dispensary.models import EngineCounter
from tests.dispensary.faults.house import LONG, ROOT

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
KILLS = 20 if LONG else 2
MANY = 4000 if LONG else 300
LEASES = 3 if LONG else 1
"""Leases, of ten seconds each, that a frozen worker stands still."""


def test_workers_killed_under_load_lose_nothing_and_double_at_most_the_message_in_hand(house):
    due_ids = house.owe(MANY)
    house.start_all()
    for kill in range(KILLS):
        house.wait_until_sent((kill + 1) * MANY // (KILLS + 2))
        victim = random.choice(["send1", "send2"])
        house.kill(victim)
        house.start(victim)
    house.wait_until_idle()
    verdict = house.verdict(due_ids)
    assert verdict.at_most_doubled(KILLS), verdict


def test_a_killed_pool_child_costs_at_most_its_message_and_the_worker_goes_on(house):
    due_ids = house.owe(MANY)
    house.start_all()
    house.wait_until_sent(MANY // 4)
    parent = house.processes["send1"].process.pid
    house.wait(lambda: house.kill_child("send1"), 60, "a child to kill")
    house.wait_until_idle()
    verdict = house.verdict(due_ids)
    assert verdict.at_most_doubled(1), verdict
    assert house.processes["send1"].process.pid == parent and house.processes["send1"].running


def test_a_frozen_worker_that_thaws_after_its_lease_sends_nothing_more(house):
    due_ids = house.owe(MANY)
    house.start_all()
    house.wait_until_sent(MANY // 5)
    house.signal("send1", signal.SIGSTOP)
    time.sleep(LEASES * 10 + 1)
    house.signal("send1", signal.SIGCONT)
    house.wait_until_idle()
    verdict = house.verdict(due_ids)
    assert verdict.at_most_doubled(1), verdict


@pytest.mark.parametrize("beats", [2, 5] if LONG else [5])
def test_however_many_beats_there_are_and_one_of_them_is_killed_nobody_is_messaged_twice(house, beats):
    due_ids = house.owe(MANY)
    house.start_all()
    others = [f"beat{number}" for number in range(2, beats + 1)]
    house.start(*others)
    house.wait_until_sent(MANY // 4)
    house.kill("beat")
    house.wait_until_idle()
    verdict = house.verdict(due_ids)
    assert verdict.clean, verdict
    before = EngineCounter.objects.get(name="tick").count
    house.wait(lambda: EngineCounter.objects.get(name="tick").count > before, 120, "the other beats tick on")
    for name in others:
        house.kill(name)


def test_a_database_that_crashes_loses_nothing_and_doubles_at_most_what_was_in_flight(house):
    if house.site.database.server is None:
        pytest.skip("DATABASE_URL names a server that is not ours to crash")
    due_ids = house.owe(MANY)
    house.start_all()
    house.wait_until_sent(MANY // 4)
    connections.close_all()
    house.site.database.crash(down=1)
    house.revive()
    house.wait_until_idle()
    verdict = house.verdict(due_ids)
    assert verdict.at_most_doubled(2), verdict


def test_the_engine_runs_without_any_broker(house):
    for name in list(house.processes):
        house.kill(name)
    due_ids = house.owe(MANY)
    subprocess.run(
        [sys.executable, "manage.py", "reminders", "run", "--once"],
        cwd=ROOT,
        env=house.environment(REDIS_URL="redis://127.0.0.1:1"),
        check=True,
        capture_output=True,
    )
    verdict = house.verdict(due_ids)
    assert verdict.clean, verdict
