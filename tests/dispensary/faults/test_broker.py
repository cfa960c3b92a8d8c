"""The broker emptied, killed, silent: a tick of delay and nothing else."""

import signal
import time

import pytest
import redis

from dispensary.actions import reminders
from tests.dispensary.actions.reminders import making
from tests.dispensary.actions.reminders.conftest import database_now
from tests.dispensary.faults.house import LONG

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
MANY = 10_000 if LONG else 300


@pytest.mark.parametrize("how", ["emptied", "killed"])
def test_a_broker_that_loses_everything_costs_no_message(house, how):
    owed = house.owe(MANY)
    house.start_all()
    house.wait_until_sent(MANY // 4)
    if how == "emptied":
        redis.Redis.from_url(house.broker.url).flushall()
    else:
        house.broker.process.kill()
        house.broker.process.wait(10)
        time.sleep(1)
        house.broker.start(house.broker.port)
    house.wait_until_idle()
    verdict = house.verdict(owed)
    assert verdict.clean, verdict
    more = house.owe(20)  # and the workers listen again without having been restarted
    house.wait_until_idle()
    assert house.verdict(more).lost == 0


def test_a_broker_that_never_answers_delays_no_dispense_and_sending_resumes(house):
    owed = house.owe(60)
    house.start_all()
    house.wait_until_sent(1)
    house.broker.process.send_signal(signal.SIGSTOP)
    try:
        person = making.patient()
        order, began = making.prescription(person), time.monotonic()
        for number in range(1, 11):
            dispense = making.dispense(order, number=number)
            reminders.plan_after_dispense(dispense=dispense, by=making.pharmacist(person.pharmacy), now=database_now())
        assert time.monotonic() - began < 3
        time.sleep(4)
    finally:
        house.broker.process.send_signal(signal.SIGCONT)
    more = house.owe(40)
    house.wait_until_idle(120)
    verdict = house.verdict(owed | more)
    assert verdict.clean, verdict
