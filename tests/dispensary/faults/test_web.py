"""The web process killed at every step of a dispense: all of it or nothing, and the same key afterwards makes it one."""

import os
import signal

import pytest
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper

from dispensary import reminders
from dispensary.actions import dispenses
from dispensary.actions.dispenses import Dispense
from dispensary.models import Reminder, ReminderPlan, Review
from dispensary.models.audit import AuditEntry
from tests.dispensary import make
from tests.dispensary.faults.children import in_a_process_that_dies, kill_when_called

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]


def hand_over(counter):
    order, by = counter
    return dispenses.dispense(
        prescription=order, quantity=order.quantity, pack=make.pack(), overrides=[], acknowledged=[], key="web-1",
        by=by, now=make.NOW,
    )  # fmt: skip


def left_behind(order):
    """Everything that a dispense writes, counted."""
    completed = AuditEntry.objects.filter(pharmacy=order.pharmacy_id, action="dispense.completed")
    plans = ReminderPlan.objects.filter(patient=order.patient_id)
    return (
        Dispense.objects.filter(prescription=order).count(),
        plans.count(),
        Reminder.objects.filter(plan__in=plans).exists(),
        Review.objects.filter(prescription=order, reason="dispense").count(),
        completed.count(),
    )


def once_and_whole(counter):
    """The caller asks again with the same key, twice."""
    first, second = hand_over(counter), hand_over(counter)
    assert isinstance(first, Dispense) and first.pk == second.pk
    assert left_behind(counter[0]) == (1, 1, True, 1, 1)


@pytest.mark.parametrize(
    ("where", "step"),
    [
        (dispenses, dispenses.lock_record),
        (dispenses, dispenses.assess_items),
        (dispenses, dispenses.sign_answers),
        (dispenses, dispenses.log_dispense),
        (dispenses, dispenses.end),
        (dispenses, dispenses.follow_record),
        (reminders.planning.plans, reminders.planning.plans.write),
        (connection, DatabaseWrapper._commit),
    ],
    ids=["before it", "before the rules", "after the review", "before the line", "after the dispense", "before the plan", "inside the plan", "before the commit"],
)  # fmt: skip
def test_a_web_process_killed_before_the_commit_leaves_nothing_and_the_repeat_is_whole(
    counter, monkeypatch, where, step
):
    with monkeypatch.context() as patched:
        kill_when_called(patched, where, step)
        assert in_a_process_that_dies(lambda: hand_over(counter)) == signal.SIGKILL
    assert left_behind(counter[0]) == (0, 0, False, 0, 0)
    once_and_whole(counter)


def test_a_web_process_killed_after_the_commit_leaves_all_and_the_repeat_gives_the_same(counter):
    def dispense_and_die():
        hand_over(counter)
        os.kill(os.getpid(), signal.SIGKILL)  # before anybody was answered

    assert in_a_process_that_dies(dispense_and_die) == signal.SIGKILL
    assert left_behind(counter[0]) == (1, 1, True, 1, 1)
    once_and_whole(counter)
