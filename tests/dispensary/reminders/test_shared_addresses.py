"""Messages to an address of several patients say for whom each is, as the pharmacy chose; to an address of one they do not."""

import pytest

from dispensary import reminders
from dispensary.models import ContactPoint, Patient, Pharmacy, Reminder
from dispensary.reminders import coming_to
from dispensary.reminders.reach import addresses_of
from tests.dispensary import make
from tests.dispensary.reminders import making
from tests.dispensary.reminders.conftest import database_now

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+447700900123"


@pytest.fixture
def children(due, awake):
    """Two children whose messages go to one telephone, each with one that is due."""
    people = [making.patient(awake, given_name=name, family_name="Canary") for name in ("Ann", "Tom")]
    for person in people:
        due("run_out", person=person, reach=("sms",), sms_address=PHONE)
    return people


def texts(outbox):
    reminders.drain()
    return sorted(message["text"] for message in outbox.sent)


def test_two_children_on_one_phone_are_told_apart_by_initials(children, outbox):
    [both] = texts(outbox)
    assert both.startswith("City Pharmacy for A.C.: by our count") and " T.C.: by our count" in both


def test_by_first_name_where_the_pharmacy_chose_that_in_the_patients_language(children, outbox):
    make.change_past_actions(Pharmacy.objects.all(), shared_names="first-name")
    make.change_past_actions(Patient.objects.filter(pk=children[1].pk), language="es")
    ann, tom = texts(outbox)
    assert ann.startswith("City Pharmacy for Ann: ") and tom.startswith("City Pharmacy para Tom: ")


def test_a_phone_of_one_patient_names_nobody(children, outbox):
    ContactPoint.objects.filter(patient=children[1]).update(retired_at=database_now())
    [ann] = texts(outbox)
    assert ann.startswith("City Pharmacy: by our count")


def test_the_counter_shows_the_text_as_it_will_read(children, outbox):
    Reminder.objects.update(due_at=database_now())
    child = Patient.objects.get(pk=children[0].pk)
    [coming] = coming_to(patient=child, addresses=addresses_of(child), now=database_now())
    assert coming.text.startswith("City Pharmacy for A.C.: ")
