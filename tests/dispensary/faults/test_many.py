"""So many due in one minute, drained by two workers that are killed -9 and started again for as long as it lasts. Counted by the witness.

MANY says how many (20,000 in the long form): `MANY=100000 FAULTS=long .venv/bin/pytest -s tests/dispensary/faults/test_many.py`.
"""

import os
import random
import time

import pytest

from dispensary.models import ReminderState
from tests.dispensary.faults.house import LONG

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
MANY = int(os.environ.get("MANY", "20000"))
PACE = (1.5, 4.0)
"""Seconds from one kill to the next."""


@pytest.mark.skipif(not LONG, reason="part of the long form, `make test-faults`; test_workers has the short one")
@pytest.mark.parametrize("policy", ["same-key", "by-kind"])
def test_so_many_due_in_one_minute_all_leave_however_often_the_workers_are_killed(house, capsys, policy):
    house.use(delay=0, after_crash=policy)
    due_ids, kills, dice = house.owe(MANY), 0, random.Random(20261122)
    house.start_all()
    house.wait_until_sent(1)
    began = time.monotonic()
    while (sent := house.count_sent()) < MANY:
        assert time.monotonic() - began < 60 + MANY / 50, house.states()
        victim = dice.choice(["send1", "send2"])
        house.kill(victim)
        house.start(victim)
        kills += 1
        house.wait_for_more_than(sent, 60)
        time.sleep(dice.uniform(*PACE))
    seconds = time.monotonic() - began
    house.wait_until_idle()
    verdict = house.verdict(due_ids)
    with capsys.disabled():
        print(f"\n{MANY:,} due in one minute, {policy}, {kills} workers killed in {seconds:.0f} s: {verdict}")
    assert verdict.at_most_doubled(kills if policy == "by-kind" else 0), verdict
    assert house.states() == {ReminderState.SENT.name: MANY}
    assert kills >= 1 + MANY // 10_000
