"""The people of a cluster test: a pharmacy with counters, what they send, and reminders that fall due one after the other."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from dispensary.actions import consent, tokens
from dispensary.models import ConsentAnswer, ConsentSource, Medium, Patient, Reminder, ReminderPlan, StaffMember
from tests.dispensary import make
from tests.dispensary.api.conftest import hand_over, order


@transaction.atomic
def populate(counters: int, reminders: int, interval: int) -> dict[str, Any]:
    """Make the people, and reminders that fall due every `interval` seconds from now on.

    Returns the counters' tokens, an order and its hand-over.
    """
    now = timezone.now()
    make.products()
    shop = make.pharmacy(now=now, time_zone="UTC", quiet_from="00:00", quiet_until="00:00")
    members = [make.staff(shop, now=now) for _ in range(counters)]
    for number in range(reminders):
        _owe_message(_consenting_patient(members[0]), timezone.now() + timedelta(seconds=interval * number))
    issued = [tokens.issue(user=member.user, now=now) for member in members]
    return {"tokens": issued, "order": order(), "handover": hand_over()}


def _consenting_patient(member: StaffMember) -> Patient:
    now, by = timezone.now(), member.actor()
    patient = make.patient(member.pharmacy, by, now)
    consent.add_contact(patient=patient, medium=Medium.EMAIL, address=f"{patient.pk}@example.org", by=by, now=now)
    consent.record_answer(
        patient=patient, medium=Medium.EMAIL, answer=ConsentAnswer.YES, source=ConsentSource.COUNTER, by=by, now=now
    )
    return patient


def _owe_message(patient: Patient, due_at: datetime) -> None:
    plan, _ = ReminderPlan.objects.get_or_create(
        patient=patient, version=1, defaults={"pharmacy": patient.pharmacy, "planned_at": timezone.now()}
    )
    Reminder.objects.create(
        plan=plan, pharmacy=patient.pharmacy, patient=patient, kind="run_out", occurrence="0d",
        local_date=due_at.date(), local_time=due_at.time(), tz_name="UTC", tzdb_version="t", due_at=due_at,
        useful_until=due_at + timedelta(days=1), params={"date": due_at.date().isoformat()},
    )  # fmt: skip
