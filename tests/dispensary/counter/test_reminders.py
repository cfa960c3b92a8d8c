"""Reminders and the withdrawal-risk list at the counter."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import consent, dispenses
from dispensary.counter.reminders import find_last_contacts
from dispensary.counter.visit import Visit
from dispensary.models import (
    AuditEntry,
    Carer,
    Consent,
    ConsentAnswer,
    ConsentSource,
    ContactPoint,
    Medium,
    Patient,
    Reminder,
    ReminderState,
    StaffMember,
    StaffRole,
    WorkKind,
    WorklistItem,
)
from dispensary.reminders.work import open_work
from tests.dispensary import make
from tests.dispensary.channels.providers import posting_letters

pytestmark = pytest.mark.django_db


@pytest.fixture
def pharmacist(db: None) -> StaffMember:
    make.products()
    return make.staff(make.pharmacy(now=timezone.now() - timedelta(days=90)))


@pytest.fixture
def counter(client: Client, pharmacist: StaffMember) -> Client:
    client.force_login(pharmacist.user)
    return client


def supplied(at: StaffMember, days_ago: int = 0) -> Patient:
    """A patient with 28 days of tablets from so many days ago, who agreed to e-mail, and whose course goes on."""
    then = timezone.now() - timedelta(days=days_ago)
    patient = make.patient(at.pharmacy, family_name="Haddad", now=then)
    consent.add_contact(patient=patient, medium=Medium.EMAIL, address="h@example.org", by=at.actor(), now=then)
    consent.record_answer(
        patient=patient,
        medium=Medium.EMAIL,
        answer=ConsentAnswer.YES,
        source=ConsentSource.COUNTER,
        by=at.actor(),
        now=then,
    )
    order = make.prescription(
        patient,
        written_on=then.date().isoformat(),
        repeats=3,
        phases=[{"dose": 5, "unit": "mg", "times_per_day": 3, "days": None}],
        directions="5 mg three times a day",
        now=then,
    )
    done = dispenses.dispense(
        prescription=order, quantity=Decimal(42), pack=make.pack(), key=uuid.uuid4().hex, by=at.actor(), now=then
    )
    assert not isinstance(done, dispenses.Refused), done
    return patient


def test_what_is_owed_is_listed_with_its_day(counter: Client, pharmacist: StaffMember) -> None:
    supplied(pharmacist)
    page = counter.get(reverse("counter:reminders")).content.decode()
    assert "Haddad" in page
    assert "next supply due" in page
    assert "in 21 days" in page


def test_the_list_says_of_whom_nothing_will_leave_and_why(counter: Client, pharmacist: StaffMember) -> None:
    patient, now = supplied(pharmacist), timezone.now()
    answer = {"patient": patient, "medium": Medium.EMAIL, "source": ConsentSource.COUNTER, "by": pharmacist.actor()}

    def page() -> str:
        return counter.get(reverse("counter:reminders")).content.decode()

    Consent.objects.filter(patient=patient).delete()
    assert "Will not leave: the patient was not asked." in page()
    consent.record_answer(**answer, answer=ConsentAnswer.YES, now=now)
    assert "Will not leave" not in page()
    ContactPoint.objects.filter(patient=patient).update(retired_at=now)
    assert "Will not leave: no address that the patient has allowed." in page()


def test_a_copy_says_to_whom_alone_it_is_sent_again(counter: Client, pharmacist: StaffMember) -> None:
    supplied(pharmacist)
    reminder = Reminder.objects.order_by("due_at").first()
    assert reminder is not None
    carer = Carer.objects.create(
        patient=reminder.patient, name="Rana Haddad", relation="parent", language="en", added_at=timezone.now(),
        added_by="user:1",
    )  # fmt: skip
    Reminder.objects.filter(pk=reminder.pk).update(reader=carer)
    page = counter.get(reverse("counter:reminders")).content.decode()
    assert "Copy to Rana Haddad alone" in page and "to Rana Haddad about " in page
    sent = counter.post(reverse("counter:send-reminder", args=[reminder.public_id]), follow=True).content.decode()
    assert "copy to Rana Haddad: it will not leave, since Rana Haddad has no address that may be used" in sent
    assert Reminder.objects.filter(due_at__gt=timezone.now()).exists(), "nothing else is sent with it"


def test_a_reminder_is_withdrawn_and_moves_to_its_group(counter: Client, pharmacist: StaffMember) -> None:
    supplied(pharmacist)
    reminder = Reminder.objects.order_by("due_at").first()
    assert reminder is not None
    counter.post(reverse("counter:withdraw-reminder", args=[reminder.public_id]))
    reminder.refresh_from_db()
    assert reminder.state == ReminderState.WITHDRAWN
    assert "Haddad" in counter.get(reverse("counter:reminders"), {"show": "withdrawn"}).content.decode()
    again = counter.post(reverse("counter:withdraw-reminder", args=[reminder.public_id]))
    assert again.status_code == 409


def test_a_reminder_is_sent_at_once(counter: Client, pharmacist: StaffMember) -> None:
    supplied(pharmacist)
    reminder = Reminder.objects.order_by("due_at").first()
    assert reminder is not None
    before = reminder.due_at
    counter.post(reverse("counter:send-reminder", args=[reminder.public_id]))
    reminder.refresh_from_db()
    assert reminder.due_at < before


def test_pressing_send_says_when_it_leaves_and_leads_back_to_the_same_list(
    counter: Client, pharmacist: StaffMember
) -> None:
    supplied(pharmacist)
    reminder = Reminder.objects.order_by("due_at").first()
    assert reminder is not None
    Reminder.objects.filter(pk=reminder.pk).update(state=ReminderState.FAILED, attempts=2, last_error="provider-busy")
    page_text = counter.get(reverse("counter:reminders"), {"show": "failed"}).content.decode()
    assert "The provider was busy" in page_text and "2 attempts" in page_text and "Correct the address" in page_text
    wall_time = timezone.now().astimezone(ZoneInfo(pharmacist.pharmacy.time_zone)).replace(minute=0)
    quiet_from, quiet_until = (f"{wall_time + timedelta(hours=hours):%H:%M}" for hours in (-1, 2))
    for start, end, message in (
        ("00:00", "00:00", "leaves with the next tick"),
        (quiet_from, quiet_until, f"quiet hours end, at {quiet_until}"),
    ):
        make.change_past_actions(type(pharmacist.pharmacy).objects.all(), quiet_from=start, quiet_until=end)
        address = reverse("counter:send-reminder", args=[reminder.public_id])
        page = counter.post(address, {"show": "failed"}, follow=True)
        assert page.redirect_chain == [(f"{reverse('counter:reminders')}?show=failed", 302)]
        assert message in page.content.decode()
        Reminder.objects.filter(pk=reminder.pk).update(state=ReminderState.FAILED)


def test_when_it_leaves_is_told_by_the_patients_clock(counter: Client, pharmacist: StaffMember) -> None:
    patient = supplied(pharmacist)
    make.change_past_actions(Patient.objects.filter(pk=patient.pk), time_zone="Asia/Tokyo")
    Reminder.objects.update(tz_name="Asia/Tokyo", due_at="2099-12-12T16:30:00Z", useful_until="2099-12-20T00:00:00Z")
    page_text = counter.get(reverse("counter:reminders")).content.decode()
    assert "13 Dec 2099, 01:30" in page_text.replace("\u00a0", " ")


def test_another_pharmacys_reminder_is_not_there(client: Client, pharmacist: StaffMember) -> None:
    patient = supplied(pharmacist)
    client.force_login(make.staff(make.pharmacy("Elsewhere"), StaffRole.MANAGER).user)
    reminder = Reminder.objects.first()
    assert reminder is not None
    for name in ("send-reminder", "withdraw-reminder"):
        assert client.post(reverse(f"counter:{name}", args=[reminder.public_id])).status_code == 404
    assert client.post(reverse("counter:work", args=[patient.pk]), {"what": "called"}).status_code == 404
    for name in ("reminders", "at-risk"):
        assert "Haddad" not in client.get(reverse(f"counter:{name}")).content.decode()
    reminder.refresh_from_db()
    assert reminder.state == ReminderState.SCHEDULED


def test_an_auditor_changes_no_reminder(client: Client, pharmacist: StaffMember) -> None:
    supplied(pharmacist)
    client.force_login(make.staff(pharmacist.pharmacy, StaffRole.AUDITOR).user)
    reminder = Reminder.objects.first()
    assert reminder is not None
    assert client.post(reverse("counter:withdraw-reminder", args=[reminder.public_id])).status_code == 403


def test_the_page_says_why_a_patient_gets_no_message(counter: Client, pharmacist: StaffMember) -> None:
    patient = supplied(pharmacist)
    page = counter.get(reverse("counter:explain", args=[patient.pk])).content.decode()
    assert "E-mail: the patient said yes" in page
    assert "Text message: the patient has not been asked" in page


def test_who_ran_out_stands_above_who_will(counter: Client, pharmacist: StaffMember) -> None:
    soon, out = supplied(pharmacist, days_ago=27), supplied(pharmacist, days_ago=30)
    page = counter.get(reverse("counter:at-risk"))
    assert [risk.patient.pk for risk, *_ in page.context["risks"]] == [out.pk, soon.pk]
    assert "Without tablets for 2 days: withdrawal may have begun" in page.content.decode()


def test_a_call_is_on_record_even_before_the_house_asked_for_it(counter: Client, pharmacist: StaffMember) -> None:
    patient = supplied(pharmacist, days_ago=27)
    data = {"what": "called", "note": "Collects tomorrow."}
    assert counter.post(reverse("counter:work", args=[patient.pk]), data).status_code == 302
    item = WorklistItem.objects.get(patient=patient)
    assert (item.resolution, item.note) == ("called", "Collects tomorrow.")
    events = set(AuditEntry.objects.filter(action__startswith="worklist.").values_list("action", flat=True))
    assert "worklist.opened" in events
    assert len(events) == 2


def test_the_last_contact_stands_beside_the_risk(counter: Client, pharmacist: StaffMember) -> None:
    patient = supplied(pharmacist, days_ago=29)
    contacts = [row[3] for row in counter.get(reverse("counter:at-risk")).context["risks"]]
    assert contacts == [None]
    counter.post(reverse("counter:work", args=[patient.pk]), {"what": "called", "note": "comes today"})
    today = pharmacist.pharmacy.local_day(timezone.now())
    assert find_last_contacts([patient.pk], visit_of(pharmacist)) == {patient.pk: (today, "spoke to the patient")}
    stranger = make.staff(make.pharmacy("Elsewhere"))
    assert find_last_contacts([patient.pk], visit_of(stranger)) == {}


def visit_of(member: StaffMember) -> Visit:
    return Visit(member=member, has_other_pharmacies=False, by=member.actor(), now=timezone.now(), path="/")


def test_work_is_put_off_with_a_reason_and_a_day(counter: Client, pharmacist: StaffMember) -> None:
    patient = supplied(pharmacist, days_ago=29)
    address = reverse("counter:work", args=[patient.pk])
    assert counter.post(address, {}).status_code == 422
    assert counter.post(address, {"what": "put-off"}).status_code == 422
    far = (timezone.now() + timedelta(days=60)).date().isoformat()
    assert counter.post(address, {"what": "put-off", "note": "In hospital", "until": far}).status_code == 422
    assert not WorklistItem.objects.filter(patient=patient, state="put-off").exists()
    day = (timezone.now() + timedelta(days=3)).date()
    data = {"what": "put-off", "note": "In hospital", "until": day.isoformat()}
    assert counter.post(address, data).status_code == 302
    assert WorklistItem.objects.get(patient=patient).put_off_until == day
    assert "Put off until" in counter.get(reverse("counter:at-risk")).content.decode()


def test_a_message_that_cannot_wait_stands_above_everything_else(counter: Client, pharmacist: StaffMember) -> None:
    patient, now = supplied(pharmacist, days_ago=29), timezone.now()
    for kind, reason in (
        (WorkKind.REPLY, "The patient wrote: “yes”"),
        (WorkKind.RED_FLAG, "The patient wrote: “no tablets left”"),
    ):
        open_work(
            kind,
            pharmacy_id=pharmacist.pharmacy_id,
            patient_id=patient.pk,
            reason=reason,
            by=pharmacist.actor(),
            now=now,
        )
    page = counter.get(reverse("counter:at-risk")).content.decode()
    assert page.index("no tablets left") < page.index("“yes”") < page.index("Patients at risk of withdrawal")
    where = reverse("counter:work", args=[patient.pk]) + "?kind=red-flag"
    assert "no tablets left" in counter.get(where).content.decode()
    assert counter.post(where, {"what": "called", "note": "has tablets for today"}).status_code == 302
    assert "no tablets left" not in counter.get(reverse("counter:at-risk")).content.decode()


def test_a_message_from_a_number_on_no_record_is_followed_up_like_any_other(
    counter: Client, pharmacist: StaffMember
) -> None:
    open_work(
        WorkKind.RED_FLAG,
        pharmacy_id=pharmacist.pharmacy_id,
        patient_id=None,
        reason="+447700900555 wrote: “I have no tablets” The number is on no record here.",
        by=pharmacist.actor(),
        now=timezone.now(),
    )
    item = WorklistItem.objects.get()
    where = reverse("counter:sender-work", args=[item.pk])
    page = counter.get(reverse("counter:at-risk")).content.decode()
    assert "A number on no record" in page and "+447700900555 wrote" in page and where in page
    assert "I have no tablets" in counter.get(where).content.decode()
    assert counter.post(where, {}).status_code == 422
    stranger = Client()
    stranger.force_login(make.staff(make.pharmacy("Elsewhere")).user)
    assert stranger.get(where).status_code == 404
    assert counter.post(where, {"what": "called", "note": "Their son collects for them"}).status_code == 302
    item.refresh_from_db()
    assert (item.state, item.resolution) == ("resolved", "called")


@pytest.mark.parametrize("kind", [WorkKind.REPLY, WorkKind.RED_FLAG])
def test_the_times_of_messages_are_those_of_the_pharmacy(client: Client, kind: WorkKind) -> None:
    member = make.staff(make.pharmacy(time_zone="America/New_York", now=timezone.now() - timedelta(days=1)))
    client.force_login(member.user)
    noon = timezone.now().replace(hour=12, minute=0)
    open_work(
        kind, pharmacy_id=member.pharmacy_id, patient_id=None, reason="wrote: hello?", by=member.actor(), now=noon
    )
    item = WorklistItem.objects.get()
    moment = (item.due_by if kind == WorkKind.REPLY else item.opened_at).astimezone(ZoneInfo("America/New_York"))
    assert f"{moment:%H:%M}" in client.get(reverse("counter:at-risk")).content.decode()


@pytest.fixture
def item(pharmacist: StaffMember) -> WorklistItem:
    """The work about a patient whom no message reaches."""
    patient = supplied(pharmacist)
    open_work(
        WorkKind.UNREACHABLE, pharmacy_id=patient.pharmacy_id, patient_id=patient.pk, reason="No address.",
        by=pharmacist.actor(), now=timezone.now(),
    )  # fmt: skip
    return WorklistItem.objects.get(kind=WorkKind.UNREACHABLE)


def test_a_letter_is_printed_from_the_work_then_recorded_as_posted(counter: Client, item: WorklistItem) -> None:
    where, letter = (
        f"{reverse('counter:work', args=[item.patient_id])}?kind=unreachable", reverse("counter:letter", args=[item.pk]),
    )  # fmt: skip
    page = counter.get(where).content.decode()
    assert letter in page and "Posted a letter" in page
    assert counter.post(where, {"what": "posted"}).status_code == 422
    assert counter.post(letter, {"address": "only a street"}).status_code == 400
    stranger = Client()
    stranger.force_login(make.staff(make.pharmacy("Elsewhere")).user)
    posted_letter = reverse("counter:posted-letter", args=[item.pk])
    for address in (letter, posted_letter):
        assert stranger.post(address, {"address": "12 Mill Lane\nOxford"}).status_code == 404
    assert posted_letter not in page
    assert counter.post(posted_letter, {"address": "12 Mill Lane\nOxford"}).status_code == 409
    answer = counter.post(letter, {"address": "12 Mill Lane\nOxford"})
    assert answer["Content-Type"] == "application/pdf" and answer.content.startswith(b"%PDF")
    assert counter.post(where, {"what": "posted"}).status_code == 302
    item.refresh_from_db()
    assert (item.state, item.resolution) == ("resolved", "posted")


@pytest.mark.parametrize(
    ("mood", "words", "state"),
    [
        ("kind", "printed and posted", "resolved"),
        ("no-json", "Nobody knows whether the letter was taken", "open"),
        ("no-place", "was not taken: the address was refused", "open"),
    ],
)
def test_a_letter_is_posted_by_the_sites_channel_and_its_answer_is_said(
    counter: Client, item: WorklistItem, settings: Any, mood: str, words: str, state: str
) -> None:
    with posting_letters(settings) as provider:
        posted_letter = reverse("counter:posted-letter", args=[item.pk])
        page = counter.get(f"{reverse('counter:work', args=[item.patient_id])}?kind=unreachable").content.decode()
        assert posted_letter in page
        provider.mood = mood
        answer = counter.post(posted_letter, {"address": "12 Mill Lane\nOxford\nOX1 2AB"}, follow=True)
    item.refresh_from_db()
    assert words in answer.content.decode() and item.state == state
