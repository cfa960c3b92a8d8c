"""The month of the messages: what left and was answered, how late the next supply followed, which tapers ended as planned."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dispensary.models import (
    ConsentEvent,
    Delivery,
    Dispense,
    Patient,
    PatientAnswer,
    Prescription,
    Reminder,
    ReminderState,
)
from dispensary.models.reminders import DeliveryOutcome as Outcome
from dispensary.reminders.month import (
    Lateness,
    count_by_channel,
    count_by_kind,
    count_refills,
    count_stops,
    count_tapers,
    first_of_month,
    median_hours_to_answer,
    sum_refills,
)
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db
OCTOBER, TODAY = date(2026, 10, 1), date(2026, 12, 31)
RUN_OUT = date(2026, 10, 20)
NEVER = None


def noon(day):
    return datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo("Europe/London"))


def supply(person, run_out_on=RUN_OUT, next_days=None, **order):
    """A supply of 28 days that ran out on a day, and the next so many days later."""
    prescription = making.prescription(person, **order)
    first = making.dispense(prescription, at=noon(run_out_on - timedelta(days=28)), run_out_on=run_out_on)
    if next_days is not None:
        making.dispense(prescription, at=noon(run_out_on + timedelta(days=next_days)), number=2)
    return first


def counts_of(shop, today=TODAY, month=OCTOBER):
    [refills] = count_refills(shop, [month], today)
    return dict(refills.counts)


@pytest.mark.parametrize(
    ("next_days", "lateness"),
    [
        (-5, Lateness.ON_TIME),
        (0, Lateness.ON_TIME),
        (1, Lateness.DAYS_1_2),
        (2, Lateness.DAYS_1_2),
        (3, Lateness.DAYS_3_7),
        (7, Lateness.DAYS_3_7),
        (8, Lateness.OVER_7),
        (30, Lateness.OVER_7),
        (31, Lateness.NEVER),
        (None, Lateness.NEVER),
    ],
)
def test_the_next_hand_over_says_how_late_a_supply_was_followed(next_days, lateness):
    shop = making.pharmacy()
    supply(making.patient(shop), next_days=next_days)
    assert counts_of(shop) == {lateness: 1}


@pytest.mark.parametrize(
    ("today", "counted"), [(RUN_OUT + timedelta(days=30), {}), (RUN_OUT + timedelta(days=31), {Lateness.NEVER: 1})]
)
def test_a_supply_that_may_still_be_followed_is_not_counted(today, counted):
    shop = making.pharmacy()
    supply(making.patient(shop))
    assert counts_of(shop, today) == counted


def test_what_needs_no_more_is_left_out():
    shop = making.pharmacy()
    supply(making.patient(shop, died_on=RUN_OUT))
    supply(making.patient(shop), then_stop=True)
    ended = supply(making.patient(shop))
    Prescription.objects.filter(pk=ended.prescription_id).update(status="cancelled", ended_at=noon(RUN_OUT))
    returned = supply(making.patient(shop))
    Dispense.objects.filter(pk=returned.pk).update(status="returned", ended_at=noon(RUN_OUT), ended_reason="x")
    assert counts_of(shop) == {}


def test_a_month_begins_and_ends_with_its_days_and_its_pharmacy():
    shop = making.pharmacy()
    for run_out_on in (date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 31), date(2026, 11, 1)):
        supply(making.patient(shop), run_out_on=run_out_on)
    supply(making.patient())
    assert counts_of(shop) == {Lateness.NEVER: 2}


def test_months_are_added_and_shared_out():
    shop = making.pharmacy()
    for next_days in (0, 5):
        supply(making.patient(shop), next_days=next_days)
    months = count_refills(shop, [date(2026, 9, 1), OCTOBER], TODAY)
    assert (months[0].supplies, months[0].late_percent) == (0, None)
    total = sum_refills(months)
    assert (total.late, total.supplies, total.late_percent) == (1, 2, 50)
    assert sum_refills(months[:1]) is None


def test_messages_are_counted_by_kind_and_what_was_withdrawn_was_not_due():
    shop = making.pharmacy()
    person = making.patient(shop)
    making.dispense(making.prescription(person), at=noon(date(2026, 9, 22)))
    making.follow(person, noon(date(2026, 9, 22)))
    rows = list(Reminder.objects.filter(local_date__month=10).order_by("due_at"))
    states = [ReminderState.DELIVERED, ReminderState.SENT, ReminderState.SUPPRESSED, ReminderState.WITHDRAWN]
    for row, state in zip(rows, states, strict=False):
        Reminder.objects.filter(pk=row.pk).update(state=state)
    PatientAnswer.objects.create(
        pharmacy=shop, patient=person, reminder=rows[0], answer="order", source="reply", answered_at=noon(RUN_OUT)
    )
    counts = {
        row.kind.value: (row.due, row.left, row.arrived, row.not_left, row.answered)
        for row in count_by_kind(shop, OCTOBER)
    }
    assert counts == {
        rows[0].kind: (1, 1, 1, 0, 1), rows[1].kind: (1, 1, 0, 0, 0), rows[2].kind: (1, 0, 0, 1, 0),
    }  # fmt: skip
    assert count_by_kind(shop, date(2026, 8, 1)) == [] and count_by_kind(making.pharmacy(), OCTOBER) == []


def test_a_taper_ends_as_planned_where_its_last_day_was_not_withdrawn():
    shop = making.pharmacy()
    for _ in range(2):
        person = making.patient(shop)
        making.dispense(making.prescription(person, making.TAPER, then_stop=True), at=noon(date(2026, 9, 15)))
        making.follow(person, noon(date(2026, 9, 15)))
    assert count_tapers(shop, OCTOBER) == (2, 2)
    Reminder.objects.filter(patient=Patient.objects.first(), kind="last_day").update(state=ReminderState.WITHDRAWN)
    assert count_tapers(shop, OCTOBER) == (2, 1)
    assert count_tapers(shop, date(2026, 11, 1)) == (0, 0)


@pytest.mark.parametrize(
    ("months", "first"),
    [(0, date(2026, 1, 1)), (-1, date(2025, 12, 1)), (11, date(2026, 12, 1)), (12, date(2027, 1, 1))],
)
def test_months_are_counted_across_years(months, first):
    assert first_of_month(date(2026, 1, 31), months) == first


def sent(person, day, medium="sms", outcome=Outcome.ACCEPTED, hours_to_answer=None):
    """A reminder that was due on a day and left then; with an answer so many hours later."""
    making.dispense(making.prescription(person), at=noon(day - timedelta(days=28)))
    plan = making.follow(person, noon(day - timedelta(days=28)))
    plan.reminders.exclude(kind="run_out").delete()
    row = plan.reminders.get()
    Reminder.objects.filter(pk=row.pk).update(
        due_at=noon(day), state=ReminderState.SENT, useful_until=noon(day) + timedelta(days=1)
    )
    Delivery.objects.create(
        reminder=row, medium=medium, channel="sink", attempt=1, key=row.public_id, address_digest="x", outcome=outcome,
        language="en", words_version="1", detailed=False, started_at=noon(day),
    )  # fmt: skip
    if hours_to_answer is not None:
        PatientAnswer.objects.create(
            pharmacy=person.pharmacy, patient=person, reminder=row, answer="order", source="reply",
            answered_at=noon(day) + timedelta(hours=hours_to_answer),
        )  # fmt: skip


def test_deliveries_are_counted_by_channel_with_those_without_a_receipt_apart():
    shop, day = making.pharmacy(), date(2026, 10, 20)
    for medium, outcome in (
        ("sms", Outcome.DELIVERED),
        ("sms", Outcome.UNDELIVERED),
        ("sms", Outcome.ACCEPTED),
        ("email", Outcome.ACCEPTED),
    ):
        sent(making.patient(shop), day, medium, outcome)
    sent(making.patient(shop), date(2026, 11, 1))
    sent(making.patient(shop), day, outcome=Outcome.REFUSED)
    rows = [(row.medium, row.taken, row.arrived, row.failed, row.unknown) for row in count_by_channel(shop, OCTOBER)]
    assert rows == [("email", 1, 0, 0, 1), ("sms", 3, 1, 1, 1)]


@pytest.mark.parametrize(("hours", "middle"), [([], None), ([2], 2), ([1, 2, 30], 2), ([1, 3], 2)])
def test_the_middle_time_to_an_answer_is_in_hours(hours, middle):
    shop = making.pharmacy()
    for count in hours:
        sent(making.patient(shop), date(2026, 10, 20), hours_to_answer=count)
    assert median_hours_to_answer(shop, OCTOBER) == middle


def test_patients_who_ended_messages_themselves_are_counted_once():
    shop = making.pharmacy()
    person, other = making.patient(shop), making.patient(shop)
    for who, medium, source, day in (
        (person, "sms", "reply", 1), (person, "email", "reply", 31), (other, "sms", "counter", 5), (other, "sms", "one-click", 32),
    ):  # fmt: skip
        ConsentEvent.objects.create(
            patient=who, medium=medium, answer="no", source=source, said_at=noon(date(2026, 9, 30) + timedelta(days=day)), recorded_by="t",
        )  # fmt: skip
    assert count_stops(shop, OCTOBER) == 1
    assert count_stops(shop, date(2026, 11, 1)) == 1
