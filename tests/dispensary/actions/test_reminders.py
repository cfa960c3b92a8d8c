"""Reminders that a person may send late, and those that would be wrong by then."""

from datetime import timedelta

import pytest

from dispensary.actions.reminders import send_reminder
from dispensary.errors import Conflict
from dispensary.models import Reminder, ReminderState
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db
NOW, DAY = making.NOON, timedelta(days=1)


@pytest.fixture
def send_on_day():
    """Every reminder of a maintenance course and of a taper, the run-out of the first in 28 days."""
    person = making.patient()
    by = making.pharmacist(person.pharmacy)
    making.dispense(making.prescription(person))
    making.follow(person, NOW)
    other = making.patient(person.pharmacy)
    making.dispense(making.prescription(other, making.TAPER, then_stop=True))
    making.follow(other, NOW)

    def send(kind, days):
        row = Reminder.objects.filter(kind=kind).order_by("due_at").first()
        return send_reminder(public_id=row.public_id, by=by, now=NOW + days * DAY)

    return send


@pytest.mark.parametrize(
    ("kind", "last_good", "why"),
    [
        ("refill_due", 27, "supply has ended"),
        ("refill_again", 27, "supply has ended"),
        ("run_out", 118, "90 days"),
        ("missed_collection", 118, "90 days"),
        ("dose_change", 6, "day of this change"),
        ("last_day", 27, "last day has passed"),
    ],
)
def test_a_message_is_sent_by_hand_while_it_is_true_and_not_a_day_longer(send_on_day, kind, last_good, why):
    assert send_on_day(kind, last_good).state == ReminderState.SCHEDULED
    with pytest.raises(Conflict, match=why):
        send_on_day(kind, last_good + 1)
