"""A prescription on paper: its patient found or registered, its words read back, taken in and reviewed at once."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.assessment import assess
from dispensary.models import Patient, Prescriber, Prescription, Source, StaffMember
from tests.dispensary import make
from tests.dispensary.counter.test_check import counter, order, pharmacist

__all__ = ["counter", "pharmacist"]
pytestmark = pytest.mark.django_db
PAPER = {
    "receive": "1",
    "prescriber": "C1234567",
    "strength_mg": "10",
    "directions": "5 mg three times a day for 28 days",
    "follows": "continues",
    "quantity": "42",
    "key": "one-form",
}


@pytest.fixture
def patient(pharmacist: StaffMember) -> Patient:
    make.prescriber(pharmacist.pharmacy)
    return make.patient(pharmacist.pharmacy, now=timezone.now())


def typed(counter: Client, patient: Patient, **changes: Any) -> Any:
    """Send the form with everything filled in, and what differs."""
    paper = {"written_on": timezone.now().date().isoformat()} | PAPER | changes
    return counter.post(reverse("counter:new-order", args=[patient.pk]), paper)


def read(counter: Client, patient: Patient, directions: str, **fields: str) -> str:
    """Return what is read back while somebody types."""
    address = reverse("counter:read-order", args=[patient.pk])
    answer = counter.post(address, {"strength_mg": "10", "directions": directions, "key": "k"} | fields)
    return answer.content.decode().replace("\u00a0", " ")


def find(counter: Client, words: str) -> str:
    return counter.post(reverse("counter:intake"), {"q": words}).content.decode()


def register(counter: Client, **changes: str) -> Any:
    person = {"register": "1", "family_name": "Paper", "given_name": "Pia", "birth_date": "1980-04-05"} | changes
    return counter.post(reverse("counter:intake"), person)


def test_reading_it_back_names_what_is_missing(counter: Client, patient: Patient) -> None:
    make.prescriber(patient.pharmacy, identifier="C7654321")
    page = typed(counter, patient, receive="", read="1", prescriber="Mwangi", follows="", quantity="").content.decode()
    missing = page[page.index("Missing before it can be taken in") :]
    assert "Say whether the medicine goes on or ends" in missing and 'href="#id_follows"' in missing
    assert "Type how many tablets are ordered" in missing
    assert "Several prescribers match: type the number as well" in missing
    assert not Prescription.objects.exists()
    assert "Missing before it can" not in typed(counter, patient, receive="", read="1").content.decode()


def test_a_typed_order_is_taken_in_and_its_check_page_opens(counter: Client, patient: Patient) -> None:
    answer = typed(counter, patient)
    taken = Prescription.objects.get()
    assert answer["Location"] == reverse("counter:check", args=[taken.pk])
    assert (taken.source, taken.quantity, taken.repeats, taken.then_stop) == (Source.COUNTER, 42, 0, False)
    assert [phase.days for phase in taken.phases.all()] == [28]
    assert "Typed at the counter" in counter.get(answer["Location"]).content.decode()


@pytest.mark.parametrize(("follows", "is_missing"), [("continues", False), ("stops", False), ("", True)])
def test_what_was_answered_about_the_end_is_missing_no_more(
    counter: Client, patient: Patient, follows: str, is_missing: bool
) -> None:
    typed(counter, patient, follows=follows, directions="20 mg three times a day for 28 days", quantity="168")
    taken = Prescription.objects.filter(then_stop={"continues": False, "stops": True}.get(follows)).first()
    assert (taken is None) is is_missing, "without an answer nothing is taken in"
    if taken is not None:
        missing = {
            fact for rule in assess(taken, on=timezone.now().date()).review.not_assessed for fact in rule.missing
        }
        assert "prescription.then_stop" not in missing


def test_the_same_form_sent_twice_is_one_order(counter: Client, patient: Patient) -> None:
    assert typed(counter, patient)["Location"] == typed(counter, patient)["Location"]
    assert Prescription.objects.count() == 1


def test_what_the_directions_say_of_the_end_needs_no_choice(counter: Client, patient: Patient) -> None:
    typed(counter, patient, directions="5 mg three times a day for 28 days, then stop", follows="")
    assert Prescription.objects.get().then_stop is True


def test_directions_are_read_back_as_a_sentence_a_table_and_the_tablets(counter: Client, patient: Patient) -> None:
    words = read(counter, patient, "5 mg tid x 3d then 10 mg tid for 25 days")
    assert "Take 5 mg three times a day for 3 days, then 10 mg three times a day for 25 days" in words
    assert 'data-head="mg a day">15<' in words and 'data-head="mg a day">30<' in words
    assert 'data-value="80"' in words and "<svg" in words


def test_what_cannot_be_read_is_asked_while_it_is_typed(counter: Client, patient: Patient) -> None:
    assert "Cannot be read without doubt" in read(counter, patient, "10 mg daily as per clinic letter")


def test_of_an_open_end_the_tablets_follow_from_the_days(counter: Client, patient: Patient) -> None:
    assert "The last dose has no end" in read(counter, patient, "10 mg three times a day")
    assert 'data-value="84"' in read(counter, patient, "10 mg three times a day", expected_days="28")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"directions": "as directed"}, "cannot be read without doubt"),
        ({"directions": ""}, "Type the directions as they are written"),
        ({"quantity": ""}, "the directions need 42"),
        ({"quantity": "42.3"}, "whole or half tablets"),
        ({"follows": ""}, "goes on or ends"),
        ({"written_on": ""}, "Type the date on the prescription"),
        ({"written_on": "2999-01-01"}, "written_on"),
        ({"prescriber": ""}, "Type the prescriber"),
        ({"prescriber": "Nobody"}, "add the prescriber below"),
        ({"new_name": "Dr New"}, "registration number of the new prescriber"),
        ({"strength_mg": ""}, "Choose the strength"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_taken_in(
    counter: Client, patient: Patient, changes: dict[str, str], words: str
) -> None:
    page = typed(counter, patient, **changes)
    assert page.status_code in {400, 422}
    assert any(words.replace("_", " ") in line.words.lower() or words in line.words for line in page.context["errors"])
    assert not Prescription.objects.exists()


def test_words_that_cannot_be_read_are_taken_in_when_somebody_says_so(counter: Client, patient: Patient) -> None:
    typed(counter, patient, directions="as directed", as_written="on")
    taken = Prescription.objects.get()
    assert "directions" in counter.get(reverse("counter:check", args=[taken.pk])).content.decode()


def test_a_prescriber_who_is_not_recorded_is_registered_with_the_order(counter: Client, patient: Patient) -> None:
    typed(counter, patient, prescriber="", new_name="Dr Ines Novo", new_number="N77", new_phone="020 7946 0001")
    assert Prescription.objects.get().prescriber == Prescriber.objects.get(identifier="N77", name="Dr Ines Novo")


def test_of_several_prescribers_of_a_name_the_number_decides(
    counter: Client, pharmacist: StaffMember, patient: Patient
) -> None:
    for number in ("A1", "A2"):
        make.prescriber(pharmacist.pharmacy, identifier=number, name="Dr Sam Same")
    page = typed(counter, patient, prescriber="Same")
    assert "Several prescribers match" in page.content.decode()
    typed(counter, patient, prescriber="Dr Sam Same, A2")
    assert Prescription.objects.get().prescriber.identifier == "A2"


def test_a_new_order_replaces_the_one_that_is_chosen(counter: Client, pharmacist: StaffMember) -> None:
    old = order(pharmacist)
    page = counter.get(reverse("counter:new-order", args=[old.patient_id])).content.decode()
    assert str(old.pk) in page
    typed(counter, old.patient, prescriber="Mwangi", replaces=str(old.pk))
    old.refresh_from_db()
    assert old.status == "replaced"


def test_somebody_recorded_is_found_with_the_birth_date_to_compare(counter: Client, patient: Patient) -> None:
    page = find(counter, "okafor")
    assert reverse("counter:new-order", args=[patient.pk]) in page and "born" in page


def test_who_is_not_recorded_is_registered_with_what_was_searched_for(counter: Client, pharmacist: StaffMember) -> None:
    assert 'value="Paper"' in find(counter, "Pia Paper")
    answer = register(counter)
    person = Patient.objects.get(family_name="Paper")
    assert answer["Location"] == reverse("counter:new-order", args=[person.pk])
    assert person.identifier.startswith("P") and str(person.birth_date) == "1980-04-05"


def test_a_namesake_is_asked_about_before_somebody_is_registered(counter: Client, pharmacist: StaffMember) -> None:
    recorded = make.patient(
        pharmacist.pharmacy, family_name="Paper", given_name="Pia", birth_date="1980-04-05", now=timezone.now()
    )
    page = register(counter).content.decode()
    assert (
        "Somebody with this name and date of birth, or this number, is recorded" in page
        and reverse("counter:new-order", args=[recorded.pk]) in page
    )
    assert Patient.objects.filter(family_name="Paper").count() == 1
    register(counter, other="1")
    other = Patient.objects.filter(family_name="Paper").exclude(pk=recorded.pk).get()
    assert not other.namesakes_to_answer()


@pytest.mark.parametrize("missing", ["family_name", "given_name", "birth_date"])
def test_nobody_is_registered_without_name_and_birth_date(
    counter: Client, pharmacist: StaffMember, missing: str
) -> None:
    assert register(counter, **{missing: ""}).status_code == 422
    assert not Patient.objects.exists()
