"""Everything at random, for as long as one likes: FAULTS=long makes it ten minutes."""

import random
import time

import pytest
import redis
from django.db import connections

from tests.dispensary.faults.house import LONG

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
SECONDS = 600 if LONG else 20


def test_chaos_loses_nothing_and_doubles_at_most_one_for_each_kill(house, capsys):
    house.start_all()
    due_ids, kills, crashes, deadline = set(), 0, 0, time.monotonic() + SECONDS
    dice = random.Random(20261122)
    while time.monotonic() < deadline:
        due_ids |= house.owe(60, pharmacies=1)
        fault = dice.choice(["worker", "worker", "child", "flush", "broker", "beat", "database"])
        if fault == "worker":
            victim = dice.choice(["send1", "send2"])
            house.kill(victim)
            house.start(victim)
            kills += 1
        elif fault == "child":
            kills += house.kill_child(dice.choice(["send1", "send2"]))
        elif fault == "flush":
            redis.Redis.from_url(house.broker.url).flushall()
        elif fault == "broker":
            house.broker.process.kill()
            house.broker.process.wait(10)
            house.broker.start(house.broker.port)
        elif fault == "beat":
            house.kill("beat")
            house.start("beat")
        elif fault == "database" and house.site.database.server:
            connections.close_all()
            house.site.database.crash()
            crashes += 1
        time.sleep(dice.uniform(1.5, 4))
        house.revive()
    house.wait_until_idle(120)
    verdict = house.verdict(due_ids)
    with capsys.disabled():
        print(
            f"\n{len(due_ids):,} in {SECONDS} s of chaos, {kills} workers and {crashes} times the database killed: {verdict}"
        )
    assert verdict.at_most_doubled(kills + 2 * crashes), (verdict, kills, crashes)
