"""At the counter: a patient's name is corrected, a namesake is asked about, and both are found by search."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary import audit, search
from dispensary.counter.identities import MOST_COMPARED
from dispensary.counter.queue import MOST_PEOPLE
from dispensary.handover import order_number
from dispensary.models import Namesake, NamesakeAnswer, Patient, Pharmacy, Prescription, StaffMember, StaffRole
from tests.dispensary import make

pytestmark = pytest.mark.django_db

QUEUE = reverse("counter:queue")


@pytest.fixture
def shop() -> Pharmacy:
    make.products()
    return make.pharmacy()


@pytest.fixture
def technician(shop: Pharmacy) -> StaffMember:
    return make.staff(shop, StaffRole.TECHNICIAN)


@pytest.fixture
def counter(client: Client, technician: StaffMember) -> Client:
    client.force_login(technician.user)
    return client


@pytest.fixture
def misspelt(shop: Pharmacy) -> Patient:
    return make.patient(shop, family_name="Misspelt", given_name="Jhon", identifier="777", birth_date="1968-02-17")


def typed(patient: Patient, **changes: str) -> dict[str, str]:
    form = {
        "family_name": patient.family_name,
        "given_name": patient.given_name,
        "identifier": patient.identifier,
        "birth_date": patient.birth_date.isoformat() if patient.birth_date else "",
        "reason": "recorded-wrongly",
        "words": "",
        "version": str(patient.version),
    }
    return form | changes


def correct(counter: Client, patient: Patient, **changes: str) -> object:
    return counter.post(reverse("counter:correct", args=[patient.pk]), typed(patient, **changes))


def test_a_name_is_corrected_and_the_former_one_stands_on_the_page(counter: Client, misspelt: Patient) -> None:
    page = counter.get(reverse("counter:patient", args=[misspelt.pk])).content.decode()
    assert reverse("counter:correct", args=[misspelt.pk]) in page
    form = counter.get(reverse("counter:correct", args=[misspelt.pk])).content.decode()
    assert 'value="Jhon"' in form
    assert 'value="1968-02-17"' in form
    assert "checked" not in form
    done = correct(counter, misspelt, given_name="John", words="passport\r\nseen")
    assert (done.status_code, done["Location"]) == (302, reverse("counter:patient", args=[misspelt.pk]))
    page = counter.get(done["Location"]).content.decode()
    assert "Misspelt, John</h1>" in page
    assert "Misspelt, Jhon, born" in page
    entry = next(
        line for line in audit.history(misspelt, pharmacy=misspelt.pharmacy) if line.entry.action == "patient.corrected"
    )
    assert (entry.entry.reason_code, entry.body["words"]) == ("recorded-wrongly", "passport seen")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": ""}, "Choose why it changes"),
        ({"family_name": ""}, "Type the family name"),
        ({"birth_date": "soon"}, "Type the date of birth as a date"),
        ({"birth_date": "2999-01-01"}, "2999-01-01"),
        ({"identifier": "900"}, "already registered here"),
        ({"version": "9"}, "changed meanwhile"),
        ({"birth_date": ""}, "a full date"),
    ],
)
def test_what_cannot_be_is_said_and_what_was_typed_is_kept(
    counter: Client, shop: Pharmacy, misspelt: Patient, changes: dict[str, str], words: str
) -> None:
    make.patient(shop, identifier="900", family_name="Other")
    page = correct(counter, misspelt, given_name="John", **changes)
    assert page.status_code == 422
    assert words in page.content.decode()
    assert 'value="John"' in page.content.decode()
    misspelt.refresh_from_db()
    assert misspelt.version == 1


def test_a_patient_without_a_birth_date_may_stay_without(counter: Client, shop: Pharmacy) -> None:
    patient = make.patient(shop, birth_date=None)
    assert correct(counter, patient, given_name="Adah").status_code == 302
    patient.refresh_from_db()
    assert (patient.given_name, patient.birth_date) == ("Adah", None)


def test_a_namesake_is_asked_about_on_order_and_record_until_it_is_answered(
    counter: Client, shop: Pharmacy, misspelt: Patient
) -> None:
    other = make.patient(shop, family_name="Misspelt", given_name="Jhon", identifier="778", birth_date="1968-02-17")
    order = make.prescription(other)
    check = reverse("counter:check", args=[order.pk])
    address = reverse("counter:answer-namesake", args=[other.pk, misspelt.pk])
    for page in (check, reverse("counter:patient", args=[other.pk])):
        html = counter.get(page).content.decode()
        assert "Another record may be of the same person" in html
        assert address in html
        assert "777" in html
    assert (
        "Another record may be of the same person"
        in counter.get(reverse("counter:patient", args=[misspelt.pk])).content.decode()
    )
    done = counter.post(address, {"answer": "other", "order": str(order.pk)})
    assert (done.status_code, done["Location"]) == (302, check)
    html = counter.get(check).content.decode()
    assert "Another record may be of the same person" not in html
    assert "Another person here has this name" in html


def test_two_records_of_one_person_become_one_after_both_were_shown(
    counter: Client, shop: Pharmacy, misspelt: Patient
) -> None:
    other = make.patient(shop, family_name="Misspelt", given_name="Jhon", identifier="778", birth_date="1968-02-17")
    order = make.prescription(other)
    compare = f"{reverse('counter:join-records', args=[other.pk, misspelt.pk])}?order={order.pk}"
    assert compare in counter.get(reverse("counter:check", args=[order.pk])).content.decode()
    unconfirmed = counter.post(reverse("counter:answer-namesake", args=[other.pk, misspelt.pk]), {"answer": "same"})
    assert unconfirmed["Location"] in compare
    comparison = counter.get(compare).content.decode()
    assert not Patient.objects.filter(joined_to__isnull=False).exists()
    for words in ("777", "778", "17\u00a0Feb\u00a01968", order_number(order), "no baclofen that is known here"):
        assert words in comparison
    assert "differs" not in comparison
    done = counter.post(compare)
    assert done["Location"] == reverse("counter:check", args=[order.pk])
    page = counter.get(done["Location"]).content.decode()
    assert "The two records are one now, under the number 777" in page
    joined = counter.get(reverse("counter:patient", args=[other.pk])).content.decode()
    assert f"{reverse('counter:patient', args=[other.pk])}#part" in page
    assert 'id="part"' in joined
    assert "no longer used" in joined
    assert "Change these facts" not in joined
    assert correct(counter, other, given_name="John").status_code == 422


def test_the_comparison_names_what_each_takes_and_marks_what_differs(
    counter: Client, shop: Pharmacy, technician: StaffMember, misspelt: Patient
) -> None:
    other = make.patient(shop, family_name="Other", given_name="Ann", identifier="778", birth_date="1971-03-04")
    make.hand_over(make.prescription(other, now=timezone.now()), technician.actor(), now=timezone.now())
    page = counter.get(reverse("counter:join-records", args=[misspelt.pk, other.pk])).content.decode()
    assert page.count("differs") == 2
    for words in ("17\u00a0Feb\u00a01968", "4\u00a0Mar\u00a01971", "mg a day since", "no baclofen that is known here"):
        assert words in page
    for patient in (misspelt, other):
        assert any(line.entry.action == "patient.opened" for line in audit.history(patient, pharmacy=shop))


@pytest.mark.parametrize(("count", "is_cut"), [(MOST_COMPARED, False), (MOST_COMPARED + 1, True)])
def test_the_comparison_names_the_newest_prescriptions(
    counter: Client, shop: Pharmacy, misspelt: Patient, count: int, is_cut: bool
) -> None:
    other = make.patient(shop, identifier="778")
    for _ in range(count):
        make.prescription(other)
    page = counter.get(reverse("counter:join-records", args=[misspelt.pk, other.pk])).content.decode()
    assert page.count("(active)") == MOST_COMPARED
    assert ("1 earlier" in page) is is_cut


def test_a_record_of_another_name_is_found_joined_and_parted_again(
    counter: Client, shop: Pharmacy, misspelt: Patient
) -> None:
    other = make.patient(shop, family_name="Married", given_name="Jhon", identifier="778", birth_date="1968-02-17")
    here = reverse("counter:same-person", args=[misspelt.pk])
    assert here in counter.get(reverse("counter:patient", args=[misspelt.pk])).content.decode()
    compare = reverse("counter:join-records", args=[misspelt.pk, other.pk])
    hits = counter.post(here, {"q": "778"}).content.decode()
    assert "Married, Jhon" in hits
    assert compare in hits
    unexplained = counter.post(compare, {"words": " "})
    assert unexplained.status_code == 422
    assert "Say what it is known from" in unexplained.content.decode()
    assert "Married, Jhon" in unexplained.content.decode()
    done = counter.post(compare, {"words": "marriage certificate"}, follow=True)
    page = done.content.decode()
    assert "The two records are one now" in page
    assert "Joined to this one" in page
    assert counter.post(compare, {"words": "once more"}).status_code == 422
    joined = Patient.objects.get(joined_to__isnull=False)
    address = reverse("counter:patient", args=[joined.pk])
    assert address in page
    assert "part the records" in counter.get(address).content.decode()
    part = reverse("counter:answer-namesake", args=[joined.pk, joined.joined_to_id])
    assert "Nothing was changed" in counter.post(part, {"answer": "other"}, follow=True).content.decode()
    parted = counter.post(part, {"answer": "other", "words": "two passports"}, follow=True).content.decode()
    assert "of two people again" in parted
    assert not Patient.objects.filter(joined_to__isnull=False).exists()


def test_a_record_that_is_not_there_is_not_joined(counter: Client, misspelt: Patient) -> None:
    for other in (uuid.UUID("0190a2b1-74bd-7c39-94a1-0d85b72cdbe8"), misspelt.pk):
        compare = reverse("counter:join-records", args=[misspelt.pk, other])
        assert counter.get(compare).status_code == 404
        assert counter.post(compare, {"words": "seen"}).status_code == 404


@pytest.mark.parametrize("answer", ["", "joined", "same'"])
def test_an_answer_that_is_none_changes_nothing(
    counter: Client, shop: Pharmacy, misspelt: Patient, answer: str
) -> None:
    other = make.patient(shop, family_name="Misspelt", given_name="Jhon", identifier="778", birth_date="1968-02-17")
    page = counter.post(reverse("counter:answer-namesake", args=[other.pk, misspelt.pk]), {"answer": answer})
    assert page.status_code == 400
    assert Namesake.objects.get().answer == NamesakeAnswer.OPEN


def test_a_stranger_an_auditor_and_another_pharmacy_answer_and_correct_nothing(
    client: Client, shop: Pharmacy, misspelt: Patient
) -> None:
    other = make.patient(shop, family_name="Misspelt", given_name="Jhon", identifier="778", birth_date="1968-02-17")
    answering = reverse("counter:answer-namesake", args=[other.pk, misspelt.pk])
    joining = reverse("counter:join-records", args=[other.pk, misspelt.pk])
    elsewhere = make.staff(make.pharmacy("Elsewhere"), StaffRole.MANAGER)
    assert client.post(answering, {"answer": "same"}).status_code == 302
    assert client.post(joining).status_code == 302
    assert Patient.objects.filter(joined_to__isnull=True).count() == 2
    assert correct(client, misspelt, given_name="John").status_code == 302
    for member, status in ((make.staff(shop, StaffRole.AUDITOR), 403), (elsewhere, 404)):
        client.force_login(member.user)
        assert client.post(answering, {"answer": "other"}).status_code == status
        assert client.post(joining).status_code == status
        assert client.get(joining).status_code == status
        assert correct(client, misspelt, given_name="John").status_code == status
    misspelt.refresh_from_db()
    assert (misspelt.given_name, Namesake.objects.get().answer) == ("Jhon", NamesakeAnswer.OPEN)


def test_a_search_shows_orders_and_patients_without_any(counter: Client, shop: Pharmacy) -> None:
    order = make.prescription(make.patient(shop, family_name="Núñez"), now=timezone.now())
    make.patient(shop, family_name="Nunes")
    page = counter.post(QUEUE, {"q": "nun"})
    assert [row.prescription for row in page.context["rows"]] == [order]
    assert [patient.family_name for patient in page.context["people"]] == ["Nunes"]
    assert "Nothing found" not in page.content.decode()
    assert "Search: 1 prescription found" in page.content.decode()
    assert "Nothing found" in counter.post(QUEUE, {"q": "xyzzy"}).content.decode()


@pytest.mark.parametrize(("count", "has_more"), [(MOST_PEOPLE, False), (MOST_PEOPLE + 1, True)])
def test_a_search_says_that_it_shows_the_first_patients_alone(
    counter: Client, shop: Pharmacy, count: int, has_more: bool
) -> None:
    for number in range(count):
        make.patient(shop, family_name="Nunes", given_name=f"No{number}", birth_date=f"19{number % 90 + 10}-01-02")
    page = counter.post(QUEUE, {"q": "nunes"})
    assert len(page.context["people"]) == MOST_PEOPLE
    assert ("There are more. Add the given name" in page.content.decode()) is has_more


def test_a_search_that_finds_nothing_leads_on_by_the_same_keys(counter: Client) -> None:
    page = counter.post(QUEUE, {"q": "xyzzy"}).content.decode()
    for key, name in (("F4", "next"), ("Alt+n", "intake")):
        assert f'href="{reverse(f"counter:{name}")}" data-key="{key}"' in page


def test_a_name_opens_the_one_order_that_waits_beside_those_that_have_ended(
    counter: Client, shop: Pharmacy, technician: StaffMember
) -> None:
    person = make.patient(shop, family_name="Zuckermandel", now=timezone.now())
    make.hand_over(make.prescription(person, now=timezone.now()), technician.actor(), now=timezone.now())
    assert "2 prescriptions found" not in counter.post(QUEUE, {"q": "zucker"}).content.decode()
    waiting = make.prescription(person, now=timezone.now())
    assert counter.post(QUEUE, {"q": "zucker"})["Location"] == reverse("counter:check", args=[waiting.pk])
    other = make.prescription(person, now=timezone.now())
    assert len(counter.post(QUEUE, {"q": "zucker"}).context["rows"]) == 3
    make.change_past_actions(Prescription.objects.filter(pk=other.pk), status="cancelled", ended_at=timezone.now())
    make.prescription(make.patient(shop, family_name="Zuckermann", now=timezone.now()), now=timezone.now())
    assert len(counter.post(QUEUE, {"q": "zucker"}).context["rows"]) == 4


def test_a_search_that_matches_too_many_asks_for_more(
    counter: Client, shop: Pharmacy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST", 1)
    for given in ("Ann", "Bea"):
        make.patient(shop, given_name=given)
    page = counter.post(QUEUE, {"q": "okafor"})
    assert page.status_code == 400
    assert "Add the given name or birth date." in page.content.decode()
    assert counter.post(QUEUE, {"q": str(uuid.uuid4())}).status_code == 200
