"""Everything at random, for as long as one likes: FAULTS=long makes it ten minutes."""

import random
import time

import pytest
import redis
from django.db import connections

from tests.dispensary.faults.reminder_site import LONG, create_due

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
SECONDS = 600 if LONG else 20


def test_chaos_loses_nothing_and_doubles_at_most_one_for_each_kill(reminder_site, capsys):
    reminder_site.start_all()
    due_ids, kills, crashes, deadline = set(), 0, 0, time.monotonic() + SECONDS
    dice = random.Random(20261122)
    while time.monotonic() < deadline:
        due_ids |= create_due(60, pharmacies=1)
        fault = dice.choice(["worker", "worker", "child", "flush", "broker", "beat", "database"])
        if fault == "worker":
            victim = dice.choice(["send1", "send2"])
            reminder_site.kill(victim)
            reminder_site.start(victim)
            kills += 1
        elif fault == "child":
            kills += reminder_site.kill_child(dice.choice(["send1", "send2"]))
        elif fault == "flush":
            redis.Redis.from_url(reminder_site.broker.url).flushall()
        elif fault == "broker":
            reminder_site.broker.process.kill()
            reminder_site.broker.process.wait(10)
            reminder_site.broker.start(reminder_site.broker.port)
        elif fault == "beat":
            reminder_site.kill("beat")
            reminder_site.start("beat")
        elif fault == "database" and reminder_site.site.database.server:
            connections.close_all()
            reminder_site.site.database.crash()
            crashes += 1
        time.sleep(dice.uniform(1.5, 4))
        reminder_site.restart_dead()
    reminder_site.wait_until_idle(120)
    verdict = reminder_site.compare_with_log(due_ids)
    with capsys.disabled():
        print(
            f"\n{len(due_ids):,} in {SECONDS} s of chaos, {kills} workers and {crashes} times the database killed: {verdict}"
        )
    assert verdict.at_most_doubled(kills + 2 * crashes), (verdict, kills, crashes)
