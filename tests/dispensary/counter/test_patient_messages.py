"""A patient's messages at the counter: what was said, where to, in which language, and everything to come."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import consent
from dispensary.models import (
    AuditEntry,
    Consent,
    ConsentEvent,
    ContactPoint,
    Patient,
    Reminder,
    ReminderState,
    StaffMember,
    StaffRole,
    Suppression,
)
from tests.dispensary import make
from tests.dispensary.counter.test_reminders import supplied

pytestmark = pytest.mark.django_db


@pytest.fixture
def pharmacist(db: None) -> StaffMember:
    make.products()
    return make.staff(make.pharmacy(now=timezone.now() - timedelta(days=90)))


@pytest.fixture
def patient(pharmacist: StaffMember) -> Patient:
    return supplied(pharmacist)


@pytest.fixture
def counter(client: Client, pharmacist: StaffMember) -> Client:
    client.force_login(pharmacist.user)
    return client


def press(counter: Client, patient: Patient, **fields: object) -> HttpResponse:
    return counter.post(reverse("counter:explain", args=[patient.pk]), fields, follow=True)


def words_on(answer: HttpResponse) -> str:
    return answer.content.decode()


def test_everything_to_come_is_shown_as_it_will_read(counter: Client, patient: Patient) -> None:
    page_words = words_on(counter.get(reverse("counter:explain", args=[patient.pk])))
    assert "your supply ends before" in page_words and page_words.count("E-mail</span>") >= 4
    assert "None of these will leave" not in page_words


def test_what_was_said_about_each_medium_is_shown_with_since_when_and_how(counter: Client, patient: Patient) -> None:
    page_words = words_on(counter.get(reverse("counter:explain", args=[patient.pk])))
    assert "at the counter" in page_words and "Not asked" in page_words and "h@example.org" in page_words


def test_a_no_stops_at_once_and_a_yes_starts_again(counter: Client, patient: Patient) -> None:
    page_words = words_on(press(counter, patient, do="no", medium="email"))
    assert "E-mail: the patient said no." in page_words and "None of these will leave" not in page_words
    assert set(Reminder.objects.values_list("state", flat=True)) == {ReminderState.SUPPRESSED}
    press(counter, patient, do="yes", medium="email")
    assert set(Reminder.objects.values_list("state", flat=True)) == {ReminderState.SCHEDULED}
    last = ConsentEvent.objects.first()
    assert last is not None and (last.source, last.recorded_by[:5]) == ("counter", "user:")


def test_a_number_is_recorded_in_its_one_spelling_and_waits_for_a_yes(counter: Client, patient: Patient) -> None:
    fields = {"do": "add", "new-medium": "sms", "new-address": "07700 900123"}
    assert "once the patient says yes" in words_on(press(counter, patient, **fields))
    assert ContactPoint.objects.get(medium="sms").address == "+447700900123"
    assert not Consent.objects.filter(medium="sms").exists()


def test_a_landline_needs_a_second_yes(counter: Client, patient: Patient) -> None:
    fields = {"do": "add", "new-medium": "sms", "new-address": "020 7946 0123"}
    page_words = words_on(press(counter, patient, **fields))
    assert "A landline rarely takes text messages." in page_words and "texts reach it" in page_words
    assert not ContactPoint.objects.filter(medium="sms").exists()
    press(counter, patient, **fields, **{"new-takes_texts": "on"})
    assert ContactPoint.objects.get(medium="sms").address == "+442079460123"


@pytest.mark.parametrize(
    ("medium", "address", "message"),
    [
        ("email", "nobody", "This is no e-mail address" ),
        ("email", "", "Type the address"),
        ("sms", "12", "such as"),
        ("", "h@example.org", "Say whether"),
        ("pigeon", "loft 3", "not one of the available choices"),
        ("email", "a\x00@example.org", ""),
    ],
)  # fmt: skip
def test_what_is_no_address_is_told_beside_its_field(
    counter: Client, patient: Patient, medium: str, address: str, message: str
) -> None:
    answer = press(counter, patient, do="add", **{"new-medium": medium, "new-address": address})
    assert answer.status_code == 422 and ContactPoint.objects.count() == 1
    assert message.lower() in words_on(answer).lower() or "name@example.org" in words_on(answer)
    assert "new-address" in words_on(answer)


def test_an_address_is_retired_or_is_somebody_elses(counter: Client, patient: Patient) -> None:
    point = ContactPoint.objects.get()
    assert "Nothing more is sent" in words_on(press(counter, patient, do="wrong", contact=point.pk))
    assert Suppression.objects.get().reason == "wrong-person"
    assert "It belongs to somebody else" in words_on(counter.get(reverse("counter:explain", args=[patient.pk])))
    press(counter, patient, do="retire", contact=point.pk)
    assert "None is known." in words_on(counter.get(reverse("counter:explain", args=[patient.pk])))
    assert press(counter, patient, do="retire", contact=point.pk).status_code == 422


def test_medicine_and_dose_are_named_where_the_patient_chose_it_and_left_out_again(
    counter: Client, patient: Patient
) -> None:
    point = ContactPoint.objects.get()
    assert "your baclofen runs out" in words_on(press(counter, patient, do="detailed", contact=point.pk))
    assert "your baclofen runs out" not in words_on(press(counter, patient, do="plain", contact=point.pk))


def preferences(patient: Patient, **fields: object) -> dict[str, object]:
    return {"do": "preferences", "language": "en", "time_zone": "", "version": patient.version, **fields}


def test_another_zone_moves_what_is_to_come(counter: Client, patient: Patient) -> None:
    before = Reminder.objects.order_by("due_at").first()
    assert before is not None
    press(counter, patient, **preferences(patient, time_zone="America/New_York", language="es"))
    patient.refresh_from_db()
    after = Reminder.objects.filter(state=ReminderState.SCHEDULED).order_by("due_at").first()
    assert (patient.time_zone, patient.language) == ("America/New_York", "es")
    assert after is not None and after.due_at - before.due_at in {timedelta(hours=5), timedelta(hours=4)}


def test_a_zone_that_is_none_is_told_beside_its_field(counter: Client, patient: Patient) -> None:
    answer = press(counter, patient, **preferences(patient, time_zone="Mars/Olympus"))
    assert answer.status_code == 422 and "a zone such as Europe/London" in words_on(answer)
    assert 'href="#id_time_zone"' in words_on(answer) and 'value="Mars/Olympus"' in words_on(answer)


def test_whoever_was_faster_is_not_overwritten(counter: Client, patient: Patient) -> None:
    old = preferences(patient, language="fr")
    press(counter, patient, **preferences(patient, language="es"))
    answer = press(counter, patient, **old)
    assert answer.status_code == 422 and "changed meanwhile" in words_on(answer)
    patient.refresh_from_db()
    assert patient.language == "es"


@pytest.mark.parametrize(
    "wish",
    [
        {}, {"do": "everything"}, {"do": "yes"}, {"do": "yes", "medium": "pigeon"}, {"do": "retire"},
        {"do": "retire", "contact": "x"}, {"do": "wrong", "contact": str(uuid.uuid4())}, {"do": "preferences"},
    ],
)  # fmt: skip
def test_a_wish_that_is_none_changes_nothing_and_says_so(
    counter: Client, patient: Patient, wish: dict[str, str]
) -> None:
    entries = AuditEntry.objects.count()
    answer = press(counter, patient, **wish)
    assert (answer.status_code == 422 and "d-error-summary" in words_on(answer)) or "error-summary" in words_on(answer)
    assert AuditEntry.objects.count() == entries


def test_another_patients_address_is_not_changed_from_here(
    counter: Client, patient: Patient, pharmacist: StaffMember
) -> None:
    other = make.patient(pharmacist.pharmacy, family_name="Osei", now=timezone.now())
    point = consent.add_contact(
        patient=other, medium=consent.Medium.EMAIL, address="o@example.org", by=pharmacist.actor(), now=timezone.now()
    )
    assert press(counter, patient, do="retire", contact=point.pk).status_code == 422
    point.refresh_from_db()
    assert point.retired_at is None


def test_nobody_from_elsewhere_and_no_auditor_changes_anything(client: Client, patient: Patient) -> None:
    address = reverse("counter:explain", args=[patient.pk])
    for member, status in (
        (make.staff(make.pharmacy("Elsewhere"), StaffRole.MANAGER), 404),
        (make.staff(patient.pharmacy, StaffRole.AUDITOR), 403),
    ):
        client.force_login(member.user)
        assert client.get(address).status_code == status
        assert client.post(address, {"do": "no", "medium": "email"}).status_code == status
    client.logout()
    assert client.post(address, {"do": "no", "medium": "email"}).status_code == 302
    assert Consent.objects.get().answer == "yes"


def test_each_change_stands_in_the_log_with_who_did_it(counter: Client, patient: Patient) -> None:
    press(counter, patient, do="no", medium="sms")
    press(counter, patient, do="add", **{"new-medium": "sms", "new-address": "+447700900123"})
    press(counter, patient, **preferences(patient, language="ar"))
    actions = list(AuditEntry.objects.filter(actor__startswith="user:").values_list("action", flat=True))
    assert {"consent.changed", "contact.changed", "patient.changed", "patient.opened"} <= set(actions)


CARER = {
    "do": "add-carer", "carer-name": "Maria Hill", "carer-relation": "carer", "carer-language": "es", "carer-medium": "sms",
    "carer-address": "+44 7700 900777",
}  # fmt: skip


def test_a_carer_is_recorded_asked_and_ended(counter: Client, patient: Patient) -> None:
    page_words = words_on(press(counter, patient, **CARER))
    assert "Maria Hill is recorded, and gets messages after a yes of their own." in page_words
    assert "+447700900777" in page_words and "Writes and reads Spanish. Not asked." in page_words
    carer = patient.carers.get()
    assert "Maria Hill said yes." in words_on(press(counter, patient, do="carer-yes", carer=carer.pk))
    carer.refresh_from_db()
    assert (carer.answer, carer.language) == ("yes", "es")
    assert "gets no more messages" in words_on(press(counter, patient, do="carer-end", carer=carer.pk))
    assert press(counter, patient, do="carer-yes", carer=carer.pk).status_code == 422
    assert set(AuditEntry.objects.filter(subject_id=str(carer.pk)).values_list("action", "reason_code")) == {
        ("consent.changed", "yes"),
        ("contact.changed", "carer-ended"),
    }


def test_of_two_guardians_who_say_yes_the_page_names_both_as_written_to(counter: Client, patient: Patient) -> None:
    today = timezone.localdate()
    make.change_past_actions(Patient.objects.filter(pk=patient.pk), birth_date=today - timedelta(days=8 * 365))
    press(counter, patient, do="retire", contact=patient.contact_points.get().pk)
    notice = "Each message goes to Maria Hill and to Jo Hill."
    for name, number in (("Maria Hill", "+44 7700 900777"), ("Jo Hill", "+44 7700 900778")):
        press(counter, patient, **CARER | {"carer-relation": "parent", "carer-name": name, "carer-address": number})
        carer = patient.carers.get(name=name)
        page_words = words_on(press(counter, patient, do="carer-yes", carer=carer.pk))
    assert notice in page_words
    assert notice not in words_on(press(counter, patient, do="carer-no", carer=carer.pk))


@pytest.mark.parametrize(
    ("changes", "error_text"),
    [
        ({"carer-relation": "parent"}, "under the age of consent"),
        ({"carer-name": " "}, "Type the name"),
        ({"carer-address": "h@example.org", "carer-medium": "email"}, "another reader"),
        ({"carer-address": "12"}, "no telephone number"),
    ],
)
def test_what_is_wrong_with_a_carer_is_told(
    counter: Client, patient: Patient, changes: dict[str, str], error_text: str
) -> None:
    answer = press(counter, patient, **CARER | changes)
    assert answer.status_code == 422 and error_text in words_on(answer) and not patient.carers.exists()


def test_a_carer_of_another_patient_is_not_answered_for(
    counter: Client, patient: Patient, pharmacist: StaffMember
) -> None:
    press(counter, patient, **CARER)
    other = make.patient(pharmacist.pharmacy, identifier="P-other")
    assert press(counter, other, do="carer-yes", carer=patient.carers.get().pk).status_code == 422
    assert patient.carers.get().answer == "not-asked"
