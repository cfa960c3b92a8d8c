"""`reminder_sent` and `reminder_failed`, as a host's receiver gets them from the engine."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from dispensary import reminders, signals
from dispensary.models import Reminder

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def calls() -> Iterator[list[tuple[str, str, str | None]]]:
    """What was told of each reminder, with its key and the reason."""
    received: list[tuple[str, str, str | None]] = []

    def note(signal: Any, sender: Any, **facts: Any) -> None:
        assert sender is Reminder
        assert not connection.in_atomic_block
        received.append(("sent" if signal is signals.reminder_sent else "failed", facts["id"], facts["reason"]))

    for signal in (signals.reminder_sent, signals.reminder_failed):
        signal.connect(note)
    yield received
    for signal in (signals.reminder_sent, signals.reminder_failed):
        signal.disconnect(note)


def test_a_message_that_left_is_told_once(due, outbox, calls) -> None:
    reminder = due()
    reminders.drain()
    reminders.drain()
    assert calls == [("sent", str(reminder.public_id), "missed_collection")]


def test_a_message_that_will_not_leave_is_told_with_its_reason(due, outbox, calls) -> None:
    reminder = due(reach=())
    reminders.drain()
    assert calls == [("failed", str(reminder.public_id), "no-address-allowed")]


def test_a_receiver_that_breaks_stops_no_message(due, outbox, calls) -> None:
    def complain(**facts: Any) -> None:
        raise ValueError

    signals.reminder_sent.connect(complain)
    try:
        due()
        due()
        done = reminders.drain()
    finally:
        signals.reminder_sent.disconnect(complain)
    assert (done.sent, len(outbox.sent), len(calls)) == (2, 2, 2)
