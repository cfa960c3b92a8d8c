"""`manage.py therapy check` names what the lists say otherwise."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from dispensary.models import OrderSummary, TherapySummary
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def counted():
    patient, now = making.patient(), timezone.now()
    order = making.prescription(patient, received_at=now)
    making.dispense(order, at=now)
    making.prescription(patient, by="D2", received_at=now)
    making.follow(patient, now)
    return order


def test_lists_that_say_what_is_true_are_no_difference(capsys):
    call_command("therapy", "check")
    assert "The lists say what the therapies say." in capsys.readouterr().out


def test_a_changed_row_and_a_missing_one_are_named(counted, capsys):
    TherapySummary.objects.update(first_uncovered_on=timezone.now().date() + timedelta(days=99))
    OrderSummary.objects.all().delete()
    with pytest.raises(CommandError, match="differences"):
        call_command("therapy", "check")
    printed = capsys.readouterr().out
    assert f"course {counted.pk}: first_uncovered_on is " in printed
    assert "state is None, should be" in printed
