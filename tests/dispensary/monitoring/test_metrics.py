"""Metrics of the reminder engine for Prometheus."""

import pytest

from dispensary import reminders
from dispensary.actions import summaries
from dispensary.models import ContactPoint
from dispensary.reminders import links
from tests.dispensary.reminders.conftest import database_now

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_metrics_show_the_engine_and_nobodys_name(client, due, outbox):
    due()
    reminders.tick()
    reminders.drain()
    text = client.get("/metrics", headers={"Authorization": "Bearer metrics-for-tests"}).content.decode()
    assert "dispensary_reminders_tick_age_seconds" in text and "dispensary_reminders_oldest_due_seconds 0.0" in text
    assert 'dispensary_reminders_events_total{event="sent"}' in text and "Canary" not in text


def metrics(client):
    return client.get("/metrics", headers={"Authorization": "Bearer metrics-for-tests"}).content.decode()


def test_the_metrics_tell_what_providers_answer_and_how_long_they_take(client, due, outbox):
    due("run_out")
    due("run_out")
    outbox.set_faults(answer="busy", times=1)
    reminders.tick()
    reminders.drain()
    text = metrics(client)
    assert 'dispensary_channel_answers_total{answer="provider-busy",channel="sink"} 1.0' in text
    assert 'dispensary_channel_answers_total{answer="accepted",channel="sink"} 1.0' in text
    assert 'dispensary_channel_answer_seconds_total{channel="sink"}' in text


def test_the_metrics_tell_why_reminders_are_set_aside(client, due, outbox):
    due("run_out", reach=())
    reminders.drain()
    assert 'dispensary_reminders_set_aside_total{reason="no-address-allowed"} 1.0' in metrics(client)


def test_the_metrics_tell_by_which_way_patients_stop(client, due, outbox):
    due("run_out")
    contact = ContactPoint.objects.get()
    for _ in range(2):
        client.post(f"/u/{links.stop_token(contact.pk)}")
    assert 'dispensary_optouts_total{source="one-click"} 1.0' in metrics(client)


def test_the_metrics_tell_what_a_change_of_settings_has_left_to_do(client, due, outbox):
    pharmacy = due("run_out").pharmacy
    type(pharmacy).objects.filter(pk=pharmacy.pk).update(timing_version=2)
    assert "dispensary_reminders_plans_behind 1.0" in metrics(client)
    summaries.refresh_outdated(now=database_now())
    text = metrics(client)
    assert "dispensary_reminders_plans_behind 0.0" in text
    assert 'dispensary_reminders_events_total{event="planned-again"} 1.0' in text
