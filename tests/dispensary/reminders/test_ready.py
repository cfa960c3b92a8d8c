"""A bag on the shelf: the patient is told once, at once, in quiet hours after them, and no more when it has gone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from dispensary.actions import preparations
from dispensary.actions.handover_problems import Item
from dispensary.actions.summaries import follow_therapy
from dispensary.actors import Actor
from dispensary.models import Dispense, Pharmacy, Preparation, Prescription, Reminder, ReminderState, StaffRole, Stage
from dispensary.models.reminders import ReminderKind
from tests.dispensary import make
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db
MORNING = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def shop() -> Pharmacy:
    make.products()
    shop = make.pharmacy(now=MORNING, time_zone="UTC")
    make.change_past_actions(Pharmacy.objects.filter(pk=shop.pk), separate_steps=True)
    return Pharmacy.objects.get(pk=shop.pk)


@pytest.fixture
def technician(shop: Pharmacy) -> Actor:
    return make.staff(shop, StaffRole.TECHNICIAN, now=MORNING).actor()


@pytest.fixture
def pharmacist(shop: Pharmacy) -> Actor:
    return make.staff(shop, now=MORNING).actor()


@pytest.fixture
def bag(shop: Pharmacy, technician: Actor, pharmacist: Actor) -> Preparation:
    """A checked bag of a patient who may be messaged."""
    patient = make.patient(shop, now=MORNING)
    making.reachable(patient)
    order = make.prescription(patient, now=MORNING)
    assert order.quantity is not None
    made = preparations.prepare(items=[Item(order, order.quantity, make.pack())], by=technician, now=MORNING)
    checked = preparations.check(preparation=made, no_label="by hand", by=pharmacist, now=MORNING)
    assert isinstance(checked, Preparation), checked
    return checked


def ready() -> list[Reminder]:
    return list(Reminder.objects.filter(kind=ReminderKind.READY).order_by("id"))


def states() -> list[int]:
    return [row.state for row in ready()]


def test_the_patient_is_told_at_once_and_once(bag: Preparation, technician: Actor) -> None:
    assert not ready(), "nothing is said before it stands on the shelf"
    preparations.shelve(preparation=bag, shelf="A3", by=technician, now=MORNING + HOUR)
    (message,) = ready()
    assert (message.due_at, message.state) == (MORNING + HOUR, ReminderState.SCHEDULED)
    assert message.params == {"date": "2026-11-23"}
    assert message.useful_until == MORNING + HOUR + timedelta(days=7)
    preparations.shelve(preparation=bag, shelf="B1", by=technician, now=MORNING + timedelta(days=1))
    follow_therapy(patient_id=bag.prescription.patient_id, by=technician, now=MORNING + timedelta(days=2))
    assert [row.pk for row in ready()] == [message.pk]


def test_two_bags_of_one_day_are_one_message_and_the_next_day_s_another(
    bag: Preparation, technician: Actor, pharmacist: Actor
) -> None:
    patient = bag.prescription.patient
    bags = [bag]
    for number in (1, 2):
        order = make.prescription(
            patient,
            now=MORNING + timedelta(minutes=number),
            quantity=3,
            directions="5 mg three times a day for 2 days",
            phases=[{"dose": 5, "unit": "mg", "times_per_day": 3, "days": 2}],
        )
        assert order.quantity is not None
        made = preparations.prepare(items=[Item(order, order.quantity, make.pack())], by=technician, now=MORNING)
        make.change_past_actions(Preparation.objects.filter(pk=made.pk), stage=Stage.CHECKED, checked_at=MORNING)
        bags.append(Preparation.objects.get(pk=made.pk))
    for number, row in enumerate(bags[:2]):
        preparations.shelve(preparation=row, shelf="A3", by=technician, now=MORNING + number * HOUR)
    (message,) = ready()
    assert message.params == {"date": "2026-11-23"}
    preparations.shelve(preparation=bags[2], shelf="A3", by=technician, now=MORNING + timedelta(days=1))
    assert [row.params for row in ready()] == [{"date": "2026-11-23"}, {"date": "2026-11-24"}]


def test_what_was_sent_is_not_said_again_with_another_plan(bag: Preparation, technician: Actor) -> None:
    preparations.shelve(preparation=bag, shelf="A3", by=technician, now=MORNING)
    Reminder.objects.filter(kind=ReminderKind.READY).update(state=ReminderState.SENT, attempts=1)
    make.prescription(bag.prescription.patient, now=MORNING + HOUR)
    follow_therapy(patient_id=bag.prescription.patient_id, by=technician, now=MORNING + HOUR)
    assert states() == [ReminderState.SENT]


def test_quiet_hours_hold(shop: Pharmacy, bag: Preparation, technician: Actor) -> None:
    make.change_past_actions(Pharmacy.objects.filter(pk=shop.pk), quiet_from=time(20), quiet_until=time(8))
    preparations.shelve(preparation=bag, shelf="A3", by=technician, now=MORNING.replace(hour=21))
    (message,) = ready()
    assert message.due_at == datetime(2026, 11, 24, 8, tzinfo=UTC)


def test_a_bag_that_is_taken_off_the_shelf_is_no_longer_announced(bag: Preparation, technician: Actor) -> None:
    preparations.shelve(preparation=bag, shelf="A3", by=technician, now=MORNING)
    preparations.put_back(preparation=bag, reason="nobody came", by=technician, now=MORNING + HOUR)
    assert states() == [ReminderState.WITHDRAWN]


def test_a_bag_that_is_checked_again_is_announced_when_it_is_back_on_the_shelf(
    bag: Preparation, technician: Actor, pharmacist: Actor
) -> None:
    preparations.shelve(preparation=bag, shelf="A3", by=technician, now=MORNING)
    preparations.uncheck(preparation=bag, by=technician, now=MORNING + HOUR)
    assert states() == [ReminderState.WITHDRAWN]
    preparations.check(preparation=bag, no_label="by hand", by=pharmacist, now=MORNING + 2 * HOUR)
    preparations.shelve(preparation=bag, shelf="A3", by=technician, now=MORNING + 3 * HOUR)
    assert states() == [ReminderState.WITHDRAWN, ReminderState.SCHEDULED]


def test_a_hand_over_withdraws_it(bag: Preparation, technician: Actor) -> None:
    preparations.shelve(preparation=bag, shelf="A3", by=technician, now=MORNING)
    done = preparations.hand_over(
        preparation=bag, identified="said name and date of birth", counselled=["how"], no_label="by hand", key="k",
        by=technician, now=MORNING + HOUR,
    )  # fmt: skip
    assert isinstance(done, Dispense), done
    assert states() == [ReminderState.WITHDRAWN]
    assert Prescription.objects.get(pk=bag.prescription_id).status == "completed"
