"""The patient's page: what will be sent, and the few things a patient may change, behind a link that proves itself."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.db import connection
from django.utils import timezone

from dispensary import audit, reminders
from dispensary.actions import consent
from dispensary.models import (
    Carer,
    Consent,
    ConsentEvent,
    ConsentSource,
    ContactPoint,
    DetailLevel,
    Medium,
    Patient,
    PatientAnswer,
    Reminder,
    ReminderState,
    Suppression,
    WorklistItem,
)
from dispensary.models.audit import AuditBody, AuditEntry
from dispensary.reminders import links
from dispensary.reminders.reach import usable
from dispensary.reminders.texts import LANGUAGES, patient_page, stop_page
from tests.dispensary import make
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
EN = patient_page("en")


@pytest.fixture
def patient():
    """Somebody who gets e-mails and has four calls ahead."""
    person = making.patient(making.pharmacy(name="City Pharmacy"), family_name="Canary", given_name="Ann")
    making.dispense(making.prescription(person), at=timezone.now())
    making.follow(person, timezone.now())
    return person


@pytest.fixture
def email(patient):
    return making.reachable(patient, "email", address="ann@example.org")


def link(contact):
    return f"/m/{contact.page_code}"


def words_on(response):
    return response.content.decode()


def trace():
    """All that a press of a button could leave behind."""
    return (
        AuditEntry.objects.count(),
        ConsentEvent.objects.count(),
        Suppression.objects.count(),
        WorklistItem.objects.count(),
        list(Consent.objects.order_by("id").values()),
        list(ContactPoint.objects.order_by("id").values()),
        list(Patient.objects.order_by("pk").values()),
        list(Reminder.objects.order_by("id").values()),
    )


# --- what it shows -----------------------------------------------------------------------------------------------------


def test_it_shows_each_message_with_its_day_its_hour_and_its_way(client, patient, email):
    page_words = words_on(client.get(link(email)))
    rows = list(Reminder.objects.order_by("due_at"))
    assert len(rows) == 4 and page_words.count("<time ") == 4 and page_words.count("10:00</bdi>") == 3
    assert page_words.count("17:00</bdi>") == 1
    assert "your supply ends before" in page_words and page_words.count(EN["email"]) >= 4


def test_times_are_those_of_where_the_patient_lives(client, patient, email):
    Reminder.objects.update(
        due_at=datetime(2099, 7, 1, 9, tzinfo=UTC), useful_until=datetime(2099, 7, 2, 9, tzinfo=UTC)
    )
    assert "10:00</bdi>" in words_on(client.get(link(email)))
    make.change_past_actions(Patient.objects.all(), time_zone="America/New_York")
    assert "05:00</bdi>" in words_on(client.get(link(email)))


def test_looking_changes_nothing_however_often(client, patient, email):
    before = trace()
    for _ in range(3):
        assert client.get(link(email)).status_code == 200
        assert client.head(link(email)).status_code == 200
    assert client.get(link(email) + "?do=stop&medium=all&said=stop").status_code == 200
    assert trace() == before


def test_it_names_neither_patient_nor_address_nor_medicine(client, patient, email):
    making.reachable(patient, "sms", address="+447700900123")
    page_words = words_on(client.get(link(email))).lower()
    for secret in ("canary", ">ann", "ann@", "example.org", "7700", "baclofen", " mg", "spasti", patient.identifier.lower(), str(patient.pk)):  # fmt: skip
        assert secret not in page_words


def test_medicine_and_dose_stand_on_it_only_where_the_patient_chose_that_for_this_address(client, patient, email):
    sms = making.reachable(patient, "sms", address="+447700900123")
    ContactPoint.objects.filter(pk=email.pk).update(detail_level=DetailLevel.DETAILED)
    assert "baclofen" in words_on(client.get(link(email)))
    assert "baclofen" not in words_on(client.get(link(sms)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_speaks_the_patients_language(client, patient, email, language):
    make.change_past_actions(Patient.objects.all(), language=language)
    page_words = words_on(client.get(link(email)))
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page_words
    assert patient_page(language)["title"] in page_words


def test_no_page_keeps_it_and_no_search_engine_finds_it(client, patient, email):
    response = client.get(link(email))
    assert "no-store" in response["Cache-Control"] and response["Referrer-Policy"] == "no-referrer"
    assert response["X-Robots-Tag"] == "noindex" and not response.cookies


def test_what_was_withdrawn_or_has_left_is_not_among_what_will_be_sent(client, patient, email):
    first, second, *_ = Reminder.objects.order_by("due_at")
    Reminder.objects.filter(pk=first.pk).update(state=ReminderState.SENT)
    Reminder.objects.filter(pk=second.pk).update(state=ReminderState.WITHDRAWN)
    assert words_on(client.get(link(email))).count("<time ") == 2


def test_where_nothing_is_owed_it_says_so(client, patient, email):
    Reminder.objects.update(state=ReminderState.SENT)
    assert EN["nothing"] in words_on(client.get(link(email)))


# --- what a patient may change -----------------------------------------------------------------------------------------


def press(client, contact, **fields):
    return client.post(link(contact), fields, follow=True)


def test_one_press_stops_the_e_mails_and_leaves_the_text_messages(client, patient, email):
    making.reachable(patient, "sms", address="+447700900123")
    page_words = words_on(press(client, email, do="stop", medium="email"))
    assert EN["done_stop"] in page_words and EN["again"] in page_words and EN["stop_sms"] in page_words
    assert dict(Consent.objects.values_list("medium", "answer")) == {"email": "no", "sms": "yes"}
    assert {r.state for r in Reminder.objects.all()} == {ReminderState.SCHEDULED}
    assert ConsentEvent.objects.get(source="patient-page").recorded_by == "patient"


def test_stopping_all_stops_all_and_becomes_work_where_silence_could_harm(client, patient, email):
    making.reachable(patient, "sms", address="+447700900123")
    page_words = words_on(press(client, email, do="stop", medium="all"))
    assert EN["silent"] in page_words and "<time " not in page_words
    assert set(Consent.objects.values_list("answer", flat=True)) == {"no"}
    assert {r.state for r in Reminder.objects.all()} == {ReminderState.SUPPRESSED}
    assert WorklistItem.objects.get().kind == "unreachable"


def test_stopping_twice_is_stopping_once(client, patient, email):
    press(client, email, do="stop", medium="all")
    before = trace()
    press(client, email, do="stop", medium="all")
    press(client, email, do="stop", medium="email")
    assert trace() == before


def test_what_was_stopped_here_starts_again_only_at_the_counter(client, patient, email):
    press(client, email, do="stop", medium="email")
    for wish in (
        {"do": "start"},
        {"do": "stop", "medium": ""},
        {"do": "stop", "medium": "pigeon"},
        {"do": "detailed"},
        {},
    ):
        assert client.post(link(email), wish).status_code == 400
    assert Consent.objects.get().answer == "no"
    by = making.pharmacist(patient.pharmacy)
    consent.record_answer(
        patient=patient, medium=consent.Medium.EMAIL, answer=consent.ConsentAnswer.YES,
        source=consent.ConsentSource.COUNTER, by=by, now=timezone.now(),
    )  # fmt: skip
    assert "<time " in words_on(client.get(link(email)))


def test_choosing_a_language_changes_the_page_and_every_later_message(client, patient, email):
    page_words = words_on(press(client, email, do="language", language="ar"))
    assert 'dir="rtl"' in page_words and patient_page("ar")["done_language"] in page_words
    patient.refresh_from_db()
    assert patient.language == "ar"
    before = trace()
    press(client, email, do="language", language="ar")
    assert trace() == before


@pytest.mark.parametrize("language", ["", "tlh", "AR", "en\x00", "e" * 5000])
def test_a_language_that_we_do_not_write_changes_nothing(client, patient, email, language):
    before = trace()
    response = client.post(link(email), {"do": "language", "language": language})
    assert response.status_code == 400 and EN["unclear"] in words_on(response)
    assert trace() == before


def test_leaving_out_the_medicine_leaves_it_out_everywhere_and_cannot_be_undone_here(client, patient, email):
    ContactPoint.objects.update(detail_level=DetailLevel.DETAILED)
    making.reachable(patient, "sms", address="+447700900123", detail_level=DetailLevel.DETAILED)
    assert EN["plainer_button"] in words_on(client.get(link(email)))
    page_words = words_on(press(client, email, do="plainer"))
    assert EN["done_plainer"] in page_words and "baclofen" not in page_words and EN["plainer_button"] not in page_words
    assert set(ContactPoint.objects.values_list("detail_level", flat=True)) == {"plain"}
    before = trace()
    press(client, email, do="plainer")
    assert trace() == before


def test_this_is_not_my_address_stops_it_shows_nothing_more_and_becomes_work(client, patient, email):
    response = press(client, email, do="wrong")
    assert response.status_code == 410 and EN["closed"] in words_on(response)
    assert (
        Suppression.objects.get().reason == "wrong-person"
        and WorklistItem.objects.filter(kind="wrong-person").count() == 1
    )
    before = trace()
    for wish in ({"do": "wrong"}, {"do": "language", "language": "fr"}, {"do": "stop", "medium": "all"}):
        assert client.post(link(email), wish).status_code == 410
    assert trace() == before


def test_from_a_text_message_it_asks_about_the_number(client, patient):
    sms = making.reachable(patient, "sms", address="+447700900123")
    assert EN["wrong_button_sms"] in words_on(client.get(link(sms)))


# --- strangers -----------------------------------------------------------------------------------------------------------


def test_a_link_that_has_ended_shows_and_changes_nothing(client, patient, email):
    old = link(email)
    long_ago = timezone.now() - timedelta(days=31)
    Reminder.objects.update(due_at=long_ago - DAY, useful_until=long_ago)
    before = trace()
    for response in (client.get(old), client.post(old, {"do": "stop", "medium": "all"})):
        assert response.status_code == 410 and EN["old"] in words_on(response) and "<time " not in words_on(response)
    assert trace() == before
    Reminder.objects.update(useful_until=timezone.now() - timedelta(days=29))
    assert client.get(old).status_code == 200


def forged(contact):
    code = contact.page_code
    return [
        code[:-1],
        f"{code}x",
        code.swapcase(),
        links.stop_token(contact.pk),
        contact.pk.hex,
        "x",
        "%00",
        "ا" * 40,
        "a" * 3000,
    ]


def test_a_link_that_is_not_ours_shows_and_changes_nothing(client, patient, email):
    before = trace()
    for token in forged(email):
        for response in (
            client.get(f"/m/{token}"),
            client.post(f"/m/{token}", {"do": "stop", "medium": "all"}),
            client.get(f"/m/{token}/calendar.ics"),
        ):
            assert response.status_code == 404, token
            assert "City" not in words_on(response) and "<time " not in words_on(response)
    assert trace() == before


def test_the_link_to_this_page_does_not_stop_by_one_click(client, patient, email):
    before = trace()
    response = client.post(f"/u/{email.page_code}")
    assert response.status_code == 404 and stop_page("en")["gone"] in words_on(response)
    assert trace() == before


def test_a_link_acts_for_its_own_patient_and_for_nobody_else(client, patient, email):
    stranger = making.patient(patient.pharmacy)
    other = making.reachable(stranger, "email", address="other@example.org")
    press(client, other, do="stop", medium="all")
    press(client, other, do="language", language="fr")
    patient.refresh_from_db()
    assert Consent.objects.get(patient=patient).answer == "yes" and patient.language == "en"


def test_an_address_that_was_corrected_shows_nothing_more(client, patient, email):
    consent.retire_contact(contact=email, by=making.pharmacist(patient.pharmacy), now=timezone.now())
    assert client.get(link(email)).status_code == 410


def test_a_patient_who_has_died_has_no_page(client, patient, email):
    make.change_past_actions(Patient.objects.all(), died_on=timezone.now().date())
    assert client.get(link(email)).status_code == 410


def test_only_what_it_understands_is_a_way_to_call_it(client, patient, email):
    for method in (client.put, client.patch, client.delete, client.options):
        assert method(link(email)).status_code == 405


def test_the_page_of_a_pharmacy_that_a_script_was_named_after_runs_none(client, patient, email):
    rows = type(patient.pharmacy).objects.all()
    make.change_past_actions(rows, name="<script>alert(1)</script>", phone='020 "><script>')
    assert "<script" not in words_on(client.get(link(email)))


# --- the way to it -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_an_e_mail_and_a_text_message_lead_to_the_page(due, outbox, client):
    due("run_out", reach=("email",))
    due("run_out", reach=("sms",), sms_address="+447700900123")
    reminders.drain()
    letter, text = sorted(outbox.sent, key=lambda message: message["to"].startswith("+"))
    words, _, address = letter["page"].rpartition(" ")
    assert words == EN["link"] and address.startswith("https://pharmacy.example/m/") and text["page"] == ""
    short = next(word for word in text["text"].split() if word.startswith("https://"))
    assert short.startswith("https://pharmacy.example/m/") and len(short) == len("https://pharmacy.example/m/") + 12
    for url in (address, short):
        assert client.get(url.removeprefix("https://pharmacy.example")).status_code == 200


def test_a_lost_phones_links_are_ended_and_the_next_message_has_a_new_one(client, patient, email):
    lost, before = link(email), trace()[0]
    consent.renew_page_link(contact=email, by=making.pharmacist(patient.pharmacy), now=timezone.now())
    assert client.get(lost).status_code == 404 and AuditEntry.objects.count() == before + 1
    email.refresh_from_db()
    assert client.get(link(email)).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_both_attempts_at_a_letter_carry_the_same_words(due, outbox):
    due("run_out", reach=("email",))
    outbox.set_faults(answer="lose-answer", times=1)
    reminders.drain()
    assert len(outbox.sent) == 2 and outbox.sent[0]["page"] == outbox.sent[1]["page"]


@pytest.mark.parametrize(
    ("button", "work", "sentence"),
    [
        ("order", "order-requested", EN["done_order"]),
        ("call", "reply", EN["done_call"]),
        ("unwell", "red-flag", EN["done_unwell"]),
    ],
)
def test_who_asks_for_the_next_supply_or_is_not_well_is_heard(client, email, button, work, sentence):
    page = client.post(link(email), {"do": button}, follow=True)
    assert sentence in unescape(words_on(page))
    assert WorklistItem.objects.get().kind == work
    assert PatientAnswer.objects.get().source == "page"
    client.post(link(email), {"do": button})
    assert WorklistItem.objects.count() == 1


def test_who_is_well_makes_no_work_and_looking_at_the_page_answers_nothing(client, email):
    client.get(link(email), {"do": "order"})
    assert not PatientAnswer.objects.exists()
    page = client.post(link(email), {"do": "well"}, follow=True)
    assert EN["done_well"] in unescape(words_on(page))
    assert PatientAnswer.objects.get().answer == "well" and not WorklistItem.objects.exists()


@pytest.mark.parametrize("button", ["changed", "how", "nonsense"])
def test_an_answer_that_the_page_does_not_offer_is_refused(client, email, button):
    assert client.post(link(email), {"do": button}).status_code == 400
    assert not PatientAnswer.objects.exists()


def test_in_french_a_colon_has_its_blank(client, patient, email):
    make.change_past_actions(Patient.objects.filter(pk=patient.pk), language="fr")
    consent.stop_media(
        patient=patient,
        media=[Medium.SMS],
        source=ConsentSource.COUNTER,
        by=making.pharmacist(patient.pharmacy),
        now=timezone.now(),
    )
    page = re.sub(r"<[^>]+>", "", unescape(words_on(client.get(link(email)))))
    assert not re.search(r"[^\W\d]:\s", page), re.findall(r".{20}[^\W\d]:\s", page)


# --- carers ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def carer(patient):
    """A carer of the patient who said yes, with a telephone."""
    now = timezone.now()
    row = Carer.objects.create(
        patient=patient, name="Jo", relation="carer", language="fr", answer="yes", answered_at=now, source="counter",
        added_at=now, added_by="user:1",
    )  # fmt: skip
    return making.reachable(patient, "sms", address="+447700900123", answer="not-asked", carer=row)


def test_a_patient_asks_that_somebody_gets_the_messages_too_and_a_person_asks_them(client, email):
    answer = client.post(link(email), {"do": "carer", "name": "Jo Hill", "address": "+44 7700 900123"}, follow=True)
    assert EN["done_carer"] in unescape(words_on(answer))
    assert WorklistItem.objects.get().reason.startswith(
        "The patient asks on the page that Jo Hill, carer, gets the messages, too."
    )
    carer = Carer.objects.get()
    assert (carer.name, carer.answer) == ("Jo Hill", "not-asked")
    assert carer.contact_points.get().address == "+447700900123"
    assert [point.pk for point in usable(email.patient)] == [email.pk]


def test_a_childs_page_asks_what_the_carer_is_so_that_a_parent_ends_at_the_age_of_consent(client, email):
    asked = {"do": "carer", "name": "Jo Hill", "relation": "parent", "address": "+44 7700 900123"}
    assert EN["relation"] not in words_on(client.get(link(email)))
    assert client.post(link(email), asked).status_code == 400, "the patient is of age, or may be"
    today = timezone.localdate()
    make.change_past_actions(Patient.objects.all(), birth_date=today - timedelta(days=8 * 365))
    assert EN["relation"] in words_on(client.get(link(email)))
    assert client.post(link(email), asked | {"relation": "king"}).status_code == 400
    assert client.post(link(email), asked).status_code == 302
    carer = Carer.objects.get()
    assert (carer.relation, carer.contact_points.get().preference) == ("parent", 1)


@pytest.mark.parametrize("address", ["+44 7700 900123", "jo@example.org"])
def test_the_address_of_whom_the_patient_names_is_sealed_and_stands_in_no_work_and_no_log(client, email, address):
    client.post(link(email), {"do": "carer", "name": "Jo Hill", "address": address})
    point = ContactPoint.objects.get(carer__name="Jo Hill")
    with connection.cursor() as cursor:
        cursor.execute("SELECT address FROM dispensary_contactpoint WHERE id = %s", [point.pk])
        stored = cursor.fetchone()[0]
    with audit.reading(email.patient.pharmacy_id):
        logged = list(AuditBody.objects.values_list("body", flat=True))
    outside_the_log = [*WorklistItem.objects.values_list("reason", flat=True), stored]
    assert any('"carer"' in body for body in logged)
    for part in (point.address, address[-6:], "…"):
        assert part not in str([*logged, *outside_the_log])
    assert point.address_digest not in str(outside_the_log), "the log compares the keyed digest with the row"


def test_the_same_address_again_is_the_same_carer_and_only_a_few_are_asked(client, email):
    for _ in range(2):
        client.post(link(email), {"do": "carer", "name": "Jo", "address": "jo@example.org"})
    assert Carer.objects.count() == 1
    for name in ("jim", "kay"):
        client.post(link(email), {"do": "carer", "name": name, "address": f"{name}@example.org"})
    full = client.post(link(email), {"do": "carer", "name": "Lee", "address": "lee@example.org"})
    assert full.status_code == 400 and Carer.objects.count() == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "", "address": "jo@example.org"},
        {"name": "Jo", "address": "12"},
        {"name": "Jo"},
        {"name": "Jo", "address": "+44 20 7946 0999"},
    ],
)
def test_without_a_name_or_an_address_nobody_is_asked(client, email, fields):
    assert client.post(link(email), {"do": "carer", **fields}).status_code == 400
    assert not WorklistItem.objects.exists() and not Carer.objects.exists()


def test_a_carer_reads_in_their_own_language_for_whom_and_names_nobody_further(client, email, carer):
    page_words = unescape(words_on(client.get(link(carer))))
    words = patient_page("fr")
    assert words["for_carer"].format(name="A.C.") in page_words and words["carer_text"] not in page_words
    assert client.post(link(carer), {"do": "carer", "name": "X", "address": "x@example.org"}).status_code == 400


def test_a_carer_stops_their_own_messages_alone(client, patient, email, carer):
    client.post(link(carer), {"do": "stop", "medium": "all"})
    assert Carer.objects.get().answer == "no"
    assert dict(Consent.objects.values_list("medium", "answer")) == {"email": "yes"}


def test_a_carer_chooses_a_language_for_themselves(client, patient, carer):
    client.post(link(carer), {"do": "language", "language": "ar"})
    patient.refresh_from_db()
    assert Carer.objects.get().language == "ar" and patient.language == "en"


def test_the_page_of_a_carer_who_gets_nothing_more_is_closed(client, carer):
    Carer.objects.update(ended_at=timezone.now())
    assert client.get(link(carer)).status_code == 410
