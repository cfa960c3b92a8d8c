"""Reminders, consent, risk and work over HTTP."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from dispensary.models import (
    Consent,
    ContactPoint,
    Dispense,
    Reminder,
    ReminderState,
    TherapySummary,
    WorklistItem,
)
from dispensary.reminders.risk_list import open_risk_work
from tests.dispensary.api.conftest import hand_over

pytestmark = pytest.mark.django_db


@pytest.fixture
def dispense(pharmacist, prescription):
    done = pharmacist.post(f"prescriptions/{prescription.pk}/dispenses/", hand_over(), Idempotency_Key=str(uuid4()))
    assert done.status_code == 201, done.content
    return Dispense.objects.get()


def test_a_patients_messages_say_what_is_owed_and_why_nothing_leaves(pharmacist, dispense):
    messages = pharmacist.get(f"patients/{dispense.patient_id}/messages/").json()
    assert messages["consents"] == {"email": "not-asked", "sms": "not-asked"} and len(messages["reminders"]) >= 3
    assert any("has not been asked" in sentence for sentence in messages["explanation"])


def test_an_address_and_a_yes_make_somebody_reachable(pharmacist, dispense):
    where = f"patients/{dispense.patient_id}/"
    added = pharmacist.post(where + "contacts/", {"medium": "sms", "address": "07700 900123"})
    assert (added.status_code, added.json()["address"]) == (201, "+447700900123")
    assert pharmacist.post(where + "consents/", {"medium": "sms", "answer": "yes"}).status_code == 204
    assert Consent.objects.get().answer == "yes"


@pytest.mark.parametrize("detail_level", ["plain", "detailed"])
def test_an_address_is_recorded_with_the_detail_that_the_patient_chose(pharmacist, dispense, detail_level):
    body = {"medium": "email", "address": "ann@example.org", "detail_level": detail_level}
    added = pharmacist.post(f"patients/{dispense.patient_id}/contacts/", body)
    assert added.status_code == 201, added.content
    assert ContactPoint.objects.get().detail_level == detail_level


def test_a_landline_is_recorded_with_the_patients_word_that_texts_reach_it(pharmacist, dispense):
    contacts, body = f"patients/{dispense.patient_id}/contacts/", {"medium": "sms", "address": "020 7946 0123"}
    assert pharmacist.post(contacts, body).json()["problems"][0]["field"] == "takes_texts"
    assert pharmacist.post(contacts, body | {"takes_texts": True}).status_code == 201


@pytest.mark.parametrize(
    "body", [{"medium": "sms", "address": "x"}, {"medium": "pigeon", "address": "x"}, {"medium": "email"}, {}]
)
def test_what_is_no_address_gets_a_problem_document(pharmacist, dispense, body):
    answer = pharmacist.post(f"patients/{dispense.patient_id}/contacts/", body)
    assert answer.status_code == 400 and answer.json()["problems"]


CARER = {"name": "Jo Hill", "relation": "carer", "language": "es", "medium": "sms", "address": "07700 900124"}


def test_a_carer_is_recorded_says_yes_and_ends(pharmacist, dispense):
    where = f"patients/{dispense.patient_id}/"
    added = pharmacist.post(where + "carers/", CARER)
    assert (added.status_code, added.json()["answer"]) == (201, "not-asked"), added.content
    carer = f"carers/{added.json()['id']}/"
    assert pharmacist.post(carer + "answer/", {"answer": "yes"}).json()["answer"] == "yes"
    assert [row["name"] for row in pharmacist.get(where + "messages/").json()["carers"]] == ["Jo Hill"]
    assert pharmacist.post(carer + "end/").json()["ended_at"]
    assert pharmacist.get(where + "messages/").json()["carers"] == []
    assert pharmacist.post(carer + "answer/", {"answer": "no"}).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"relation": "parent"}, "relation"),
        ({"relation": "friend"}, "relation"),
        ({"name": ""}, "name"),
        ({"address": "x"}, "address"),
    ],
)
def test_what_is_wrong_with_a_carer_is_named(pharmacist, dispense, change, field):
    answer = pharmacist.post(f"patients/{dispense.patient_id}/carers/", CARER | change)
    assert answer.status_code in {400, 422} and answer.json()["problems"][0]["field"].endswith(field), answer.content


def test_a_reminder_is_sent_now_or_withdrawn_but_not_both(pharmacist, dispense):
    row = pharmacist.get("reminders/").json()["results"][0]
    assert pharmacist.post(f"reminders/{row['id']}/send/").json()["state"] == "scheduled"
    assert pharmacist.post(f"reminders/{row['id']}/withdraw/").json()["state"] == "withdrawn"
    assert pharmacist.post(f"reminders/{row['id']}/withdraw/").status_code == 409
    assert [reminder["id"] for reminder in pharmacist.get("reminders/?state=withdrawn").json()["results"]] == [
        row["id"]
    ]
    assert pharmacist.get("reminders/?state=lost").status_code == 400


def test_the_preview_reads_as_the_patient_will_read_it(pharmacist, dispense):
    previews = pharmacist.get(f"dispenses/{dispense.pk}/reminders/").json()
    assert len(previews) == Reminder.objects.count() and all(
        preview["text"] and preview["text_messages"] == 1 for preview in previews
    )


def end_supply():
    """Say in the lists that the tablets ended three days ago."""
    today = timezone.now().date()
    ended_on = today - timedelta(days=3)
    TherapySummary.objects.update(first_uncovered_on=ended_on, listed_from=ended_on, listed_until=today)


def test_the_risk_list_has_words_and_a_reason(pharmacist, dispense):
    end_supply()
    [risk] = pharmacist.get("withdrawal-risk/").json()
    assert risk["level"] == "overdue" and "withdrawal may have begun" in risk["words"] and "mg a day" in risk["reason"]


def test_work_is_put_off_and_done(pharmacist, dispense):
    end_supply()
    open_risk_work(now=timezone.now())
    [item] = pharmacist.get("work/").json()["results"]
    until = (timezone.now() + timedelta(days=1)).isoformat()
    assert (
        pharmacist.post(f"work/{item['id']}/put-off/", {"until": until, "note": "rings back"}).json()["state"]
        == "put-off"
    )
    done = pharmacist.post(f"work/{item['id']}/resolve/", {"resolution": "called", "note": "has some left"})
    assert done.json()["state"] == "resolved" and WorklistItem.objects.get().resolved_by.startswith("user:")
    assert pharmacist.post(f"work/{item['id']}/resolve/", {"resolution": "called"}).status_code == 409


@pytest.fixture
def contact(pharmacist, dispense):
    added = pharmacist.post(
        f"patients/{dispense.patient_id}/contacts/", {"medium": "email", "address": "ann@example.org"}
    )
    return ContactPoint.objects.get(pk=added.json()["id"])


def test_the_links_that_were_sent_to_an_address_are_ended(pharmacist, contact):
    code = contact.page_code
    assert pharmacist.post(f"contacts/{contact.pk}/renew-link/").json()["id"] == str(contact.pk)
    contact.refresh_from_db()
    assert contact.page_code != code


def test_messages_to_an_address_say_as_much_as_the_patient_chose(pharmacist, contact):
    address = f"contacts/{contact.pk}/detail/"
    assert pharmacist.post(address, {"detail_level": "detailed"}).json()["detail_level"] == "detailed"
    assert pharmacist.post(address, {"detail_level": "plain"}).json()["detail_level"] == "plain"
    assert pharmacist.post(address, {"detail_level": "all"}).json()["problems"][0]["field"] == "detail_level"


@pytest.mark.parametrize(("how", "fault"), [("retire", ""), ("wrong-person", "wrong-person")])
def test_an_address_is_used_no_more(pharmacist, contact, how, fault):
    ended = pharmacist.post(f"contacts/{contact.pk}/{how}/").json()
    assert (ended["retired_at"] is None, ended["fault"]) == (how == "wrong-person", fault)


def test_a_letter_about_work_is_printed_to_the_address_that_is_typed(pharmacist, dispense):
    work = WorklistItem.objects.create(
        pharmacy_id=dispense.pharmacy_id, patient=dispense.patient, kind="reply", reason="wrote back",
        opened_at=timezone.now(), due_by=timezone.now(),
    )  # fmt: skip
    address = f"work/{work.pk}/letter.pdf"
    printed = pharmacist.post(address, {"address": "Ann Okafor\n3 Quay Street\nOxford"})
    assert printed["Content-Type"] == "application/pdf" and printed.content.startswith(b"%PDF")
    refused = pharmacist.post(address, {"address": "Oxford"})
    assert refused.json()["problems"][0]["field"] == "address"


def test_a_month_of_messages_is_counted(manager, dispense):
    reminder = Reminder.objects.filter(pharmacy_id=dispense.pharmacy_id)[0]
    Reminder.objects.filter(pk=reminder.pk).update(
        due_at=datetime(2020, 10, 15, 12, tzinfo=UTC), state=ReminderState.EXPIRED
    )
    october = manager.get("reminders/month/?month=2020-10").json()
    assert {kind["kind"]: kind["due"] for kind in october["kinds"] if kind["due"]} == {reminder.kind: 1}
    assert (october["month"], october["refills"]["supplies"], october["hours_to_answer"]) == ("2020-10-01", 0, None)
    september = manager.get("reminders/month/?month=2020-09").json()
    assert sum(kind["due"] for kind in september["kinds"]) == 0
    assert manager.get("reminders/month/").status_code == 200


@pytest.mark.parametrize("month", ["2020-13", "10-2020", "2199-01", "9999-12", "0001-01", "x", "2020-10-01"])
def test_what_is_no_month_gets_a_problem_document(manager, month):
    assert manager.get(f"reminders/month/?month={month}").json()["problems"][0]["field"] == "month"
