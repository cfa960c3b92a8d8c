"""A provider that is down is left alone: no attempt is spent on it, every worker knows, and the first success ends it."""

from datetime import timedelta

import pytest
from django.db.models import F

from dispensary import reminders
from dispensary.models import ChannelRest, Delivery, Reminder, ReminderState
from dispensary.reminders import breaker, health
from dispensary.reminders.outcomes import retry_after
from tests.dispensary.reminders.conftest import database_now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def crowd(due):
    return [due("run_out") for _ in range(8)]


def rest():
    return ChannelRest.objects.filter(channel="sink").first()


def over():
    """As if the rest had passed, and everything were due."""
    ChannelRest.objects.filter(channel="sink").update(until=F("until") - timedelta(hours=1))
    Reminder.objects.filter(state=ReminderState.SCHEDULED).update(due_at=database_now() - timedelta(seconds=1))


def test_after_five_failures_in_a_row_the_others_wait_without_spending_an_attempt(crowd, outbox):
    outbox.set_faults(answer="busy")
    done = reminders.drain()
    assert (done.refused, done.set_aside) == (5, 3)
    waiting = Reminder.objects.filter(attempts=0)
    assert {row.last_error for row in waiting} == {"provider-resting"} and len(waiting) == 3
    assert all(row.state == ReminderState.SCHEDULED and row.due_at >= rest().until for row in waiting)
    assert Delivery.objects.count() == 5


def test_another_worker_keeps_the_rest_too(crowd, due, outbox):
    outbox.set_faults(answer="busy")
    reminders.drain()
    late = due("run_out")
    assert (reminders.drain().set_aside, outbox.sent) == (1, [])
    late.refresh_from_db()
    assert late.attempts == 0


def test_each_rest_is_twice_as_long_up_to_a_quarter_of_an_hour(crowd, outbox):
    outbox.set_faults(answer="busy")
    lengths = []
    for _ in range(6):
        before = database_now()
        reminders.drain()
        lengths.append(round((rest().until - before).total_seconds() / 60))
        over()
        Reminder.objects.update(attempts=0)
        Delivery.objects.all().delete()
    assert lengths == [1, 2, 4, 8, 15, 15]


def test_the_first_message_that_is_accepted_ends_it(crowd, outbox):
    outbox.set_faults(answer="busy")
    reminders.drain()
    over()
    outbox.set_faults()
    assert reminders.drain().sent == 8 and rest() is None


@pytest.mark.parametrize("answer", ["bad-address", "refuse"])
def test_a_refusal_of_the_message_or_the_address_says_nothing_about_the_provider(crowd, outbox, answer):
    outbox.set_faults(answer=answer)
    assert reminders.drain().refused == 8 and rest() is None


def test_a_rest_shows_in_the_health_check_and_the_metrics_and_not_as_an_event(crowd, outbox):
    outbox.set_faults(answer="busy")
    reminders.tick()
    reminders.drain()
    state = health.engine_state()
    assert state.resting == ("sink",) and "rest sink" not in dict(state.counters)
    assert any("channel sink is down" in trouble for trouble in state.troubles)


def test_what_would_stop_being_true_before_the_rest_is_over_is_a_persons_work(due, outbox):
    ChannelRest.objects.create(channel="sink", until=database_now() + timedelta(minutes=10), times=1)
    reminder = due("run_out", useful=timedelta(minutes=5))
    reminders.drain()
    reminder.refresh_from_db()
    assert reminder.state == ReminderState.EXPIRED


def test_the_rest_is_shorter_than_what_a_message_waits_for_its_next_attempt():
    assert retry_after(1, 0.0) >= breaker.SHORTEST
