"""So many due in one minute, drained by two workers that are killed -9 and started again for as long as it lasts. Counted by the witness.

MANY says how many (20,000 in the long form): `MANY=100000 FAULTS=long .venv/bin/pytest -s tests/dispensary/faults/test_many.py`.
"""

import os
import random
import time

import pytest

from dispensary.models import ReminderState
from tests.dispensary.faults.reminder_site import LONG, create_due

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
MANY = int(os.environ.get("MANY", "20000"))
PACE = (1.5, 4.0)
"""Seconds from one kill to the next."""


@pytest.mark.skipif(not LONG, reason="part of the long form, `make test-faults`; test_workers has the short one")
@pytest.mark.parametrize("policy", ["same-key", "by-kind"])
def test_so_many_due_in_one_minute_all_leave_however_often_the_workers_are_killed(reminder_site, capsys, policy):
    reminder_site.set_sink_options(delay=0, after_crash=policy)
    due_ids, kills, dice = create_due(MANY), 0, random.Random(20261122)
    reminder_site.start_all()
    reminder_site.wait_until_sent(1)
    began = time.monotonic()
    while (sent := reminder_site.count_sent()) < MANY:
        assert time.monotonic() - began < 60 + MANY / 50, reminder_site.count_states()
        victim = dice.choice(["send1", "send2"])
        reminder_site.kill(victim)
        reminder_site.start(victim)
        kills += 1
        reminder_site.wait_for_more_sent(sent, 60)
        time.sleep(dice.uniform(*PACE))
    seconds = time.monotonic() - began
    reminder_site.wait_until_idle()
    verdict = reminder_site.compare_with_log(due_ids)
    with capsys.disabled():
        print(f"\n{MANY:,} due in one minute, {policy}, {kills} workers killed in {seconds:.0f} s: {verdict}")
    assert verdict.at_most_doubled(kills if policy == "by-kind" else 0), verdict
    assert reminder_site.count_states() == {ReminderState.SENT.name: MANY}
    assert kills >= 1 + MANY // 10_000
