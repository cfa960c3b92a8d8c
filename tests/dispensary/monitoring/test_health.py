"""GET /health/reminders: red with its reason when reminders stop."""

from datetime import timedelta

import pytest

from dispensary import reminders
from dispensary.models import EngineCounter, Reminder
from tests.dispensary.reminders.conftest import database_now

pytestmark = pytest.mark.django_db(transaction=True)


def test_without_a_tick_the_health_check_is_red_and_says_why(client, db):
    EngineCounter.objects.all().delete()
    answer = client.get("/health/reminders")
    assert answer.status_code == 503 and "never ticked" in answer.json()["troubles"][0]


def test_after_a_tick_it_is_green(client, outbox):
    reminders.tick()
    assert client.get("/health/reminders").json() == {"healthy": True, "troubles": []}


@pytest.mark.parametrize(("seconds", "status"), [(110, 200), (125, 503)])
def test_a_missing_beat_is_noticed_within_two_minutes(client, outbox, seconds, status):
    reminders.tick()
    EngineCounter.objects.filter(name="tick").update(at=database_now() - timedelta(seconds=seconds))
    assert client.get("/health/reminders").status_code == status


def test_something_due_for_ten_minutes_turns_it_red(client, due, outbox):
    reminder = due()
    reminders.tick()
    Reminder.objects.filter(pk=reminder.pk).update(due_at=database_now() - timedelta(seconds=610))
    assert "due for 61" in client.get("/health/reminders").json()["troubles"][0]
