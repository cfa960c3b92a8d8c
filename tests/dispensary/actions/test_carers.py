"""Carers get the messages about a patient after a yes of their own, in their own language, told for whom; guardians until the age."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from dispensary import reminders
from dispensary.actions import carers, consent
from dispensary.errors import InvalidInput, NotAllowed
from dispensary.models import (
    Answer,
    AnswerSource,
    CarerRelation,
    ConsentAnswer,
    ConsentSource,
    ContactPoint,
    Delivery,
    Language,
    Medium,
    Pharmacy,
    Reminder,
    ReminderState,
    WorklistItem,
)
from dispensary.reminders import opt_outs, plans, queue, two_way
from dispensary.reminders.carers import follow_ages
from dispensary.reminders.reach import addresses_of, find_unreachable, media_to_ask, usable
from tests.dispensary.reminders import making
from tests.dispensary.reminders.conftest import database_now

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+447700900123"
YES, NO = ConsentAnswer.YES, ConsentAnswer.NO


@pytest.fixture
def awake_pharmacy(awake):
    return Pharmacy.objects.get(pk=awake.pk)


def add(patient, relation=CarerRelation.CARER, name="Maria Canary", address=PHONE, language=Language.SPANISH, by=None):
    by = by or making.pharmacist(patient.pharmacy)
    return carers.add_carer(
        patient=patient, name=name, relation=relation, language=language, medium=Medium.SMS, address=address, by=by,
        now=database_now(),
    )  # fmt: skip


def say(carer, answer, source=ConsentSource.COUNTER):
    by = making.pharmacist(carer.patient.pharmacy)
    carers.answer_carer(carer=carer, answer=answer, source=source, by=by, now=database_now())
    carer.refresh_from_db()


def born(years, days=0):
    """Return the birth date of somebody who reaches this age in so many days."""
    birthday = database_now().date() + timedelta(days=days)
    return birthday.replace(
        year=birthday.year - years, day=28 if (birthday.month, birthday.day) == (2, 29) else birthday.day
    )


def addresses(patient):
    return [point.address for point in usable(patient)]


def test_a_carer_gets_nothing_before_a_yes_of_their_own(awake_pharmacy):
    patient = making.patient(awake_pharmacy)
    carer = add(patient)
    assert addresses(patient) == [] and find_unreachable([patient.pk]) and media_to_ask(patient) == []
    say(carer, YES)
    assert addresses(patient) == [PHONE] and not find_unreachable([patient.pk])
    say(carer, NO)
    assert addresses(patient) == []


def test_the_message_is_in_the_carers_language_and_says_for_whom(due, awake_pharmacy, outbox):
    patient = making.patient(awake_pharmacy)
    say(add(patient), YES)
    due("run_out", person=patient, reach=())
    reminders.drain()
    [message] = outbox.sent
    assert message["to"] == PHONE and message["text"].startswith("City Pharmacy para A.C.: calculamos que")


def test_an_adult_is_written_to_before_the_carer_and_a_childs_guardian_first(awake_pharmacy):
    adult, child = (
        making.patient(awake_pharmacy, birth_date=born(40)),
        making.patient(awake_pharmacy, birth_date=born(8)),
    )
    for person, relation in ((adult, CarerRelation.CARER), (child, CarerRelation.PARENT)):
        say(add(person, relation), YES)
        making.reachable(person, "sms", "+447700900999", preference=2 if person == child else 1)
    assert addresses(adult)[0] == "+447700900999" and addresses(child)[0] == PHONE


@pytest.mark.parametrize(
    ("sms", "email", "goes_on"), [("no", "no", False), ("no", "yes", True), ("no", "not-asked", False)]
)
def test_a_patient_who_refuses_every_medium_stops_the_carer(due, awake_pharmacy, outbox, sms, email, goes_on):
    patient = making.patient(awake_pharmacy)
    row = due("run_out", person=patient, reach=())
    say(add(patient), YES)
    for medium, answer in (("sms", sms), ("email", email)):
        if answer != "not-asked":
            making.reachable(
                patient,
                medium,
                answer=answer,
                address="+447700900998" if medium == "sms" else None,
                retired_at=database_now(),
            )
    assert (addresses(patient) == [PHONE]) is goes_on
    reminders.drain()
    row.refresh_from_db()
    assert row.state == (ReminderState.SENT if goes_on else ReminderState.SUPPRESSED)


def test_a_stop_of_the_carer_ends_the_carers_messages_alone(awake_pharmacy):
    patient = making.patient(awake_pharmacy)
    making.reachable(patient, "email", "ann@example.org")
    carer = add(patient)
    say(carer, YES)
    point = ContactPoint.objects.get(carer=carer)
    opt_outs.stop_contact(contact_id=point.pk, source="reply", everything=True, now=database_now())
    carer.refresh_from_db()
    assert carer.answer == NO and addresses(patient) == ["ann@example.org"]
    assert opt_outs.start_address(medium=Medium.SMS, address=PHONE, evidence="", now=database_now()) == 1
    assert PHONE in addresses(patient)


def test_two_guardians_may_differ(awake_pharmacy):
    child = making.patient(awake_pharmacy, birth_date=born(8))
    one, other = add(child, CarerRelation.PARENT), add(child, CarerRelation.GUARDIAN, "Jo Canary", "+447700900124")
    say(one, NO)
    say(other, YES)
    assert addresses(child) == ["+447700900124"]


@pytest.mark.parametrize("is_known", [False, True])
def test_a_guardian_is_for_a_patient_known_to_be_under_age(awake_pharmacy, is_known):
    person = making.patient(awake_pharmacy, birth_date=born(16) if is_known else None)
    with pytest.raises(InvalidInput, match="under the age of consent"):
        add(person, CarerRelation.PARENT)
    assert not person.carers.exists()


def test_an_address_of_the_patient_is_not_a_carers_too(awake_pharmacy):
    patient = making.patient(awake_pharmacy)
    making.reachable(patient, "sms", PHONE)
    with pytest.raises(InvalidInput, match="another reader"):
        add(patient)
    assert not patient.carers.exists()


def test_staff_of_another_pharmacy_add_nobody(awake_pharmacy):
    patient = making.patient(awake_pharmacy)
    with pytest.raises(NotAllowed):
        add(patient, by=making.pharmacist(making.pharmacy()))


def test_on_the_birthday_guardians_end_and_staff_ask_the_young_person(due, awake_pharmacy, outbox):
    young = making.patient(awake_pharmacy, birth_date=born(16, days=14))
    row = due("run_out", person=young, reach=())
    guardian = add(young, CarerRelation.PARENT)
    say(guardian, YES)
    now = database_now()
    age_work = WorklistItem.objects.filter(kind="consent-age")
    assert follow_ages(now=now - timedelta(days=1)) == 0 and not age_work.exists()
    follow_ages(now=now)
    follow_ages(now=now)
    work = age_work.get()
    assert "soon reaches" in work.reason and addresses(young) == [PHONE]
    age_work.update(state="resolved", resolution="called", resolved_at=now)
    follow_ages(now=now + timedelta(days=1))
    assert not age_work.exclude(state="resolved").exists()
    assert follow_ages(now=now + timedelta(days=14)) == 1
    guardian.refresh_from_db()
    assert guardian.ended_at and addresses(young) == []
    open_kinds = set(WorklistItem.objects.exclude(state="resolved").values_list("kind", flat=True))
    assert open_kinds == {"consent-age", "unreachable"}
    reminders.drain()
    row.refresh_from_db()
    assert row.state == ReminderState.SUPPRESSED and not Delivery.objects.exists()


def test_the_patients_yes_lifts_no_stop_of_a_carer(awake_pharmacy):
    patient = making.patient(awake_pharmacy)
    carer = add(patient)
    say(carer, YES)
    point = ContactPoint.objects.get(carer=carer)
    opt_outs.stop_contact(contact_id=point.pk, source="reply", now=database_now())
    consent.record_answer(
        patient=patient, medium=Medium.SMS, answer=YES, source=ConsentSource.COUNTER, by=making.pharmacist(awake_pharmacy),
        now=database_now(),
    )  # fmt: skip
    assert addresses(patient) == []


@pytest.fixture
def guardians(due, awake_pharmacy):
    """A child with a message that is due and two guardians who said yes, in two languages."""
    child = making.patient(awake_pharmacy, birth_date=born(8))
    row = due("run_out", person=child, reach=())
    both = [
        add(child, CarerRelation.PARENT),
        add(child, CarerRelation.GUARDIAN, "Jo Canary", "+447700900124", Language.FRENCH),
    ]
    for guardian in both:
        say(guardian, YES)
    return row, both


def states_by_reader():
    return {row.reader_id: row.get_state_display() for row in Reminder.objects.order_by("pk")}


def test_both_guardians_who_said_yes_are_written_to_each_in_their_language(guardians, outbox):
    _row, (first, second) = guardians
    assert reminders.drain().sent == 2
    assert {message["to"]: message["text"][:26] for message in outbox.sent} == {
        PHONE: "City Pharmacy para A.C.: c",
        "+447700900124": "City Pharmacy pour A.C. : ",
    }
    assert states_by_reader() == {None: "Sent", second.pk: "Sent"}
    reminders.drain()
    assert len(outbox.sent) == 2 and first.contact_points.get() != second.contact_points.get()


def test_the_failing_address_of_one_guardian_is_work_and_the_other_is_written_to_once(guardians, outbox):
    row, (first, second) = guardians
    reminders.drain()
    ContactPoint.objects.filter(carer=first).update(fault="refused", fault_at=database_now())
    Reminder.objects.filter(pk=row.pk).update(state=ReminderState.SCHEDULED)
    reminders.drain()
    assert len(outbox.sent) == 2 and states_by_reader()[second.pk] == "Sent"
    assert WorklistItem.objects.filter(kind="unreachable", reminder=row).exists()


def test_a_guardian_who_says_no_before_the_copy_leaves_gets_nothing_and_makes_no_work(guardians, outbox, monkeypatch):
    _row, (_first, second) = guardians
    copy = queue.copy_for_readers

    def copy_and_refuse(*parameters):
        copy(*parameters)
        say(second, NO)

    monkeypatch.setattr(queue, "copy_for_readers", copy_and_refuse)
    reminders.drain()
    reminders.drain()
    assert [message["to"] for message in outbox.sent] == [PHONE]
    assert states_by_reader()[second.pk] == "Withdrawn"
    assert not WorklistItem.objects.exclude(state="resolved").exists()


def test_each_of_two_guardians_gets_as_many_nudges_a_day_as_a_patient(guardians, due, outbox):
    row, (_first, second) = guardians
    Reminder.objects.filter(pk=row.pk).update(kind="refill_due")
    reminders.drain()
    due("start_day", person=row.patient, reach=(), useful=timedelta(days=2))
    reminders.drain()
    assert len(outbox.sent) == 2
    assert [row.last_error for row in Reminder.objects.filter(kind="start_day")] == ["daily-limit"] * 2
    assert {row.reader_id for row in Reminder.objects.filter(kind="start_day")} == {None, second.pk}


def test_a_plan_that_ends_withdraws_the_copies_too(guardians):
    row, (_first, second) = guardians
    queue.claim(owner="w", count=10, lease=timedelta(seconds=60))
    row.refresh_from_db()
    lease = queue.Lease(row.lease_token, (row.pk,))
    for _ in range(2):
        queue.copy_for_readers(lease, row.pk, [second.pk])
    assert list(states_by_reader().values()) == ["Taken by a worker", "Owed"]
    plans.end(plan_id=row.plan_id, new=None, carried=[], reason="by-hand", by="t", now=database_now())
    assert list(states_by_reader().values()) == ["Withdrawn"] * 2
    queue.copy_for_readers(lease, row.pk, [second.pk])
    assert Reminder.objects.count() == 2


def test_one_guardians_answer_to_a_question_answers_it_for_both(guardians, outbox):
    row, _both = guardians
    Reminder.objects.filter(pk=row.pk).update(kind="step_check")
    reminders.drain()
    Reminder.objects.update(due_at=database_now() - timedelta(days=2))
    question = two_way.find_question(row.patient, Answer.WELL, database_now())
    assert question.pk == row.pk and two_way.open_unanswered(now=database_now()) == 1
    assert two_way.open_unanswered(now=database_now()) == 0
    WorklistItem.objects.all().delete()
    answer_well(row.patient)
    assert two_way.open_unanswered(now=database_now()) == 0


def answer_well(patient):
    question = two_way.find_question(patient, Answer.WELL, database_now())
    with transaction.atomic():
        two_way.record_answer(
            patient=patient, answer=Answer.WELL, reminder=question, source=AnswerSource.REPLY, now=database_now()
        )


def test_an_answer_closes_the_work_about_silence_whichever_copy_it_was_opened_for(guardians, outbox):
    row, (_first, second) = guardians
    Reminder.objects.filter(pk=row.pk).update(kind="step_check")
    reminders.drain()
    Reminder.objects.update(due_at=database_now() - timedelta(days=2))
    Reminder.objects.filter(pk=row.pk).update(state=ReminderState.FAILED)
    assert two_way.open_unanswered(now=database_now()) == 1
    work = WorklistItem.objects.get(kind="no-answer")
    assert work.reminder.reader == second
    Reminder.objects.filter(pk=row.pk).update(state=ReminderState.SENT)  # sent again by hand
    answer_well(row.patient)
    work.refresh_from_db()
    assert work.state == "resolved"


def test_the_explanation_of_copies_names_whom_each_goes_to(guardians, outbox):
    row, _both = guardians
    reminders.drain()
    sentences = reminders.explain(patient=row.patient, addresses=addresses_of(row.patient), now=database_now())
    assert sentences[-2:] == [
        "Supply runs out: sent.",
        "Supply runs out: sent. This copy is for the guardian Jo Canary.",
    ]


def test_a_worker_that_dies_before_a_copy_leaves_loses_and_doubles_nothing(guardians, outbox, monkeypatch):
    row, (_first, second) = guardians
    copy = queue.copy_for_readers

    def copy_and_die(*parameters):
        copy(*parameters)
        raise KeyboardInterrupt

    monkeypatch.setattr(queue, "copy_for_readers", copy_and_die)
    with pytest.raises(KeyboardInterrupt):
        reminders.drain()
    assert outbox.sent == [] and states_by_reader() == {None: "Taken by a worker", second.pk: "Owed"}
    monkeypatch.setattr(queue, "copy_for_readers", copy)
    Reminder.objects.filter(pk=row.pk).update(lease_until=database_now() - timedelta(seconds=1))
    reminders.tick()
    reminders.drain()
    assert sorted(message["to"] for message in outbox.sent) == [PHONE, "+447700900124"]
    assert states_by_reader() == {None: "Sent", second.pk: "Sent"}
