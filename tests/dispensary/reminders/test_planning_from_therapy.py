"""Messages that the worked cases of the therapy make owing, as the database holds it, before and after the hand-over."""

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any

import pytest

from baclofen_rules.therapy import Therapy, therapy
from dispensary import reminders
from dispensary.loading import read_record
from dispensary.models import Patient, Reminder, ReminderState, Withdrawal
from tests.baclofen_rules.therapy.reading import CASES, amounts, decision_of, facts_of
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db
by_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['id']} {case['title']}")


def plan(patient: Patient, state: Therapy, reason: Withdrawal = Withdrawal.FACTS_CHANGED) -> None:
    now = datetime.combine(state.today, time(1), UTC)
    by = making.pharmacist(patient.pharmacy)
    newest = read_record(patient.pk).plan
    reminders.plan_messages(therapy=state, patient=patient, newest=newest, reason=reason, by=by, now=now)


def owed(patient: Patient) -> list[list[str]]:
    """Return what the cases list: the follow-ups of changes and ends have tests of their own."""
    rows = Reminder.objects.filter(patient=patient, state=ReminderState.SCHEDULED, plan__ended_at=None)
    rows = rows.exclude(kind__in=("start_day", "change_day", "step_check", "after_end"))
    return sorted(
        [row.kind, row.params["date"] if row.kind == "run_out" else row.local_date.isoformat()] for row in rows
    )


@by_case
def test_what_is_owed_is_written(case: Mapping[str, Any]) -> None:
    patient = making.patient()
    plan(patient, therapy(facts_of(case)))
    assert owed(patient) == sorted(case["expected"]["reminders"])


@by_case
def test_after_the_hand_over_nothing_else_is_owed(case: Mapping[str, Any]) -> None:
    if "if_given" not in case["expected"]:
        pytest.skip("nothing is handed over in this case")
    patient, state, ask = making.patient(), therapy(facts_of(case)), case["ask"]
    plan(patient, state)
    answer = [decision_of(row) for row in ask.get("answer", [])]
    plan(patient, state.with_hand_over(ask["order"], amounts(ask["give"]), answer), Withdrawal.NEW_DISPENSE)
    assert owed(patient) == sorted(case["expected"]["if_given"]["reminders"])
