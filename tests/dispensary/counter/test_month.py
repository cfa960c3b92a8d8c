"""The month of the messages at the counter: for managers, in numbers, charts and tables, without a name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.models import Reminder, ReminderState, StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.counter.test_reminders import supplied

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(db: None) -> StaffMember:
    make.products()
    return make.staff(make.pharmacy(now=timezone.now() - timedelta(days=90)), role=StaffRole.MANAGER)


def page(client: Client, member: StaffMember, **fields: str) -> Any:
    client.force_login(member.user)
    return client.get(reverse("counter:month"), fields)


def test_a_month_without_anything_says_so(client: Client, manager: StaffMember) -> None:
    answer = page(client, manager)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "No message was due." in text and "No supply ran out with more needed." in text


def test_counts_and_charts_name_nobody(client: Client, manager: StaffMember) -> None:
    patient = supplied(make.staff(manager.pharmacy, role=StaffRole.PHARMACIST))
    now = timezone.now()
    row = Reminder.objects.filter(patient=patient).earliest("due_at")
    Reminder.objects.filter(pk=row.pk).update(
        state=ReminderState.DELIVERED, due_at=now, useful_until=now + timedelta(days=1)
    )
    answer = page(client, manager, month=f"{manager.pharmacy.local_day(now):%Y-%m}")
    text = answer.content.decode()
    assert patient.family_name not in text and "style=" not in text
    assert "arrived by their receipts" in text and 'role="img"' in text


@pytest.mark.parametrize("month", ["2026-13", "x", "9999-01", "2026", "0001-01"])
def test_what_is_no_month_or_is_to_come_shows_one_that_is(client: Client, manager: StaffMember, month: str) -> None:
    assert page(client, manager, month=month).status_code == 200


@pytest.mark.parametrize("role", [StaffRole.TECHNICIAN, StaffRole.PHARMACIST])
def test_it_is_for_managers(client: Client, manager: StaffMember, role: StaffRole) -> None:
    assert page(client, make.staff(manager.pharmacy, role=role)).status_code == 403


def test_the_counts_come_as_a_file_with_a_value_a_line(client: Client, manager: StaffMember) -> None:
    patient = supplied(make.staff(manager.pharmacy, role=StaffRole.PHARMACIST))
    now = timezone.now()
    row = Reminder.objects.filter(patient=patient).earliest("due_at")
    Reminder.objects.filter(pk=row.pk).update(
        state=ReminderState.SUPPRESSED, due_at=now, useful_until=now + timedelta(days=1)
    )
    month = f"{manager.pharmacy.local_day(now):%Y-%m}"
    answer = page(client, manager, month=month, format="csv")
    lines = answer.content.decode().splitlines()
    assert answer["Content-Type"].startswith("text/csv") and lines[0] == "month,measure,of,value"
    assert f"{month},messages not allowed,{row.kind},1" in lines
    assert patient.family_name not in answer.content.decode()
