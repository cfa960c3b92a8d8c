"""Word to the staff, over a real HTTP receiver."""

import json
from datetime import timedelta

import pytest

from dispensary import reminders
from dispensary.channels.staff import notify_staff
from dispensary.models import EngineTurn, WorklistItem
from tests.dispensary.channels.servers import http_gateway
from tests.dispensary.reminders import making


def test_nobody_to_tell_is_no_error():
    assert notify_staff([], "t", "b") is False


def test_an_address_that_takes_nothing_is_no_error():
    assert notify_staff(["json://127.0.0.1:1/"], "t", "b") is False


@pytest.mark.django_db(transaction=True)
def test_work_that_waits_for_more_than_a_day_is_told_once_a_day_and_names_nobody(settings):
    EngineTurn.objects.all().delete()
    person = making.patient()
    opened = making.NOON - timedelta(days=2)
    WorklistItem.objects.create(
        pharmacy=person.pharmacy, patient=person, kind="reply", reason="The patient wrote: canary", opened_at=opened,
        due_by=opened,
    )  # fmt: skip
    with http_gateway() as receiver:
        settings.DISPENSARY = {"channels": {}, "staff_alerts": (receiver.url.replace("http://", "json://"),)}
        reminders.tick()
        reminders.tick()
        [(_, body)] = receiver.calls
    notice = json.loads(body)
    assert "The patient answered a message (1 open)" in notice["message"] and "canary" not in str(notice).casefold()
