"""The broker emptied, killed, silent: a tick of delay and nothing else."""

import signal
import time
from statistics import median

import pytest
import redis

from deploy.celery import app
from dispensary.actions import dispenses
from dispensary.models import Reminder
from tests.dispensary import make
from tests.dispensary.faults.reminder_site import LONG, create_due
from tests.dispensary.reminders.conftest import database_now

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
MANY = 10_000 if LONG else 300
DISPENSES = 40 if LONG else 10
SILENT = 60 if LONG else 3
"""Seconds for which the broker takes connections and answers nothing."""


@pytest.mark.parametrize("how", ["emptied", "killed"])
def test_a_broker_that_loses_everything_costs_no_message(reminder_site, how):
    due_ids = create_due(MANY)
    reminder_site.start_all()
    reminder_site.wait_until_sent(MANY // 4)
    if how == "emptied":
        redis.Redis.from_url(reminder_site.broker.url).flushall()
    else:
        reminder_site.broker.process.kill()
        reminder_site.broker.process.wait(10)
        time.sleep(1)
        reminder_site.broker.start(reminder_site.broker.port)
    reminder_site.wait_until_idle()
    verdict = reminder_site.compare_with_log(due_ids)
    assert verdict.clean, verdict
    more = create_due(20)  # and the workers listen again without having been restarted
    reminder_site.wait_until_idle()
    assert reminder_site.compare_with_log(more).lost == 0


def test_a_broker_that_never_answers_delays_no_dispense_and_sending_resumes(reminder_site, monkeypatch):
    monkeypatch.setattr(
        app.conf, "broker_url", reminder_site.broker.url
    )  # what a dispense would publish, would go there
    make.products()
    shop = make.pharmacy()
    by = make.staff(shop, now=database_now()).actor()
    due_ids = create_due(60)
    reminder_site.start_all()
    reminder_site.wait_until_sent(1)
    well = [seconds_of_a_dispense(shop, by) for _ in range(DISPENSES)]
    reminder_site.broker.process.send_signal(signal.SIGSTOP)
    try:
        ill = [seconds_of_a_dispense(shop, by) for _ in range(DISPENSES)]
        time.sleep(SILENT)
    finally:
        reminder_site.broker.process.send_signal(signal.SIGCONT)
    # It publishes nothing, so the broker cannot matter; what is left is the noise of a machine on which other things run.
    assert median(ill) < median(well) * 3 + 0.2, (well, ill)
    assert max(ill) < 5, ill
    more = create_due(40)
    reminder_site.wait_until_idle(120)
    verdict = reminder_site.compare_with_log(due_ids | more)
    assert verdict.clean, verdict


def seconds_of_a_dispense(shop, by):
    """Return the seconds that one hand-over takes, reminders and all."""
    now = database_now()
    order = make.prescription(make.patient(shop, now=now), now=now, written_on=str(now.date()))
    began = time.monotonic()
    done = dispenses.dispense(
        prescription=order, quantity=order.quantity, pack=make.pack(), key=str(order.pk), by=by, now=now
    )
    assert Reminder.objects.filter(patient=done.patient_id).exists()
    return time.monotonic() - began
