"""Consent, addresses and the detail of messages."""

import json

import pytest
from django.core.exceptions import ImproperlyConfigured

from dispensary import audit
from dispensary.actions import consent
from dispensary.actors import Actor, Role
from dispensary.conf import conf
from dispensary.errors import InvalidInput, NotAllowed
from dispensary.models import (
    Consent,
    ConsentAnswer,
    ConsentEvent,
    ConsentSource,
    ContactPoint,
    DetailLevel,
    Medium,
    Reminder,
    ReminderState,
    Suppression,
    WorklistItem,
)
from dispensary.models.audit import AuditBody, AuditEntry
from dispensary.models.sealed import address_digest
from dispensary.reminders import opt_outs, reach
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db
NOW = making.NOON


@pytest.fixture
def patient():
    return making.patient()


@pytest.fixture
def by(patient):
    return making.pharmacist(patient.pharmacy)


def add(patient, by, medium=Medium.EMAIL, address="ann@example.org", **more):
    return consent.add_contact(patient=patient, medium=medium, address=address, by=by, now=NOW, **more)


def say(patient, by, answer=ConsentAnswer.YES, medium=Medium.EMAIL, source=ConsentSource.COUNTER):
    return consent.record_answer(patient=patient, medium=medium, answer=answer, source=source, by=by, now=NOW)


def plan_reminders(patient, by):
    making.dispense(making.prescription(patient))
    making.follow(patient, NOW)
    return Reminder.objects.filter(patient=patient)


def test_an_address_is_sealed_at_rest_and_read_back(patient, by):
    from django.db import connection

    point = add(patient, by)
    with connection.cursor() as cursor:
        cursor.execute("SELECT address, address_digest FROM dispensary_contactpoint")
        stored = "".join(cursor.fetchone())
    assert "ann" not in stored and ContactPoint.objects.get(pk=point.pk).address == "ann@example.org"


@pytest.mark.parametrize(
    ("medium", "address", "masked"),
    [(Medium.EMAIL, "ann@example.org", "a…@example.org"), (Medium.SMS, "+447700900123", "…123")],
)
def test_the_log_knows_an_address_again_and_cannot_write_to_it(patient, by, medium, address, masked):
    point = add(patient, by, medium, address)
    entry = AuditEntry.objects.get(action="contact.changed", subject_id=str(point.pk))
    with audit.reading(patient.pharmacy_id):
        body = json.loads(AuditBody.objects.get(entry_id=entry.entry_id).body)
    del body["by"]
    assert body == {"medium": medium, "address": masked, "address_digest": point.address_digest, "detail": "plain"}


def test_the_same_address_twice_is_one_contact_point(patient, by):
    assert add(patient, by) == add(patient, by, address=" ANN@example.org ")


@pytest.mark.parametrize(("typed", "stored"), [("07700 900123", "+447700900123"), ("+34 612 345 678", "+34612345678")])
def test_a_number_is_kept_in_its_one_spelling(patient, by, typed, stored):
    assert add(patient, by, Medium.SMS, typed).address == stored


@pytest.mark.parametrize(
    ("medium", "typed"),
    [(Medium.EMAIL, ""), (Medium.EMAIL, "ann"), (Medium.EMAIL, "a@b\nBcc: c@d.org"), (Medium.SMS, "12"), (Medium.SMS, "+999"),
     (Medium.SMS, "ann@example.org"), (Medium.SMS, "60999"), (Medium.SMS, "7946 0000"), ("pigeon", "x")],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_not_repeated(patient, by, medium, typed):
    with pytest.raises(InvalidInput) as caught:
        add(patient, by, medium, typed)
    assert {problem.given for problem in caught.value.problems} <= {"something else", "pigeon"}
    assert not ContactPoint.objects.exists()


def test_a_landline_is_recorded_for_texts_only_where_the_patient_says_that_they_arrive(patient, by):
    for landline in ("020 7946 0123", "+34 91 523 00 00"):
        with pytest.raises(InvalidInput, match="landline") as refused:
            add(patient, by, medium=Medium.SMS, address=landline)
        assert refused.value.problems[0].field == "takes_texts"
    assert not patient.contact_points.exists()
    assert add(patient, by, medium=Medium.SMS, address="020 7946 0123", takes_texts=True).address == "+442079460123"


@pytest.mark.parametrize("medium", [Medium.SMS, Medium.VOICE, Medium.WHATSAPP])
@pytest.mark.parametrize("number", ["0870 123 4567", "+1 900 555 0123", "0800 123 4567"])
def test_a_service_number_is_no_persons_whatever_is_said(patient, by, medium, number):
    with pytest.raises(InvalidInput, match="number of a service"):
        add(patient, by, medium=medium, address=number, takes_texts=True)


def test_a_landline_can_be_called_and_is_tried_after_every_message(patient, by):
    call = add(patient, by, medium=Medium.VOICE, address="020 7946 0123")
    letter = add(patient, by, medium=Medium.EMAIL, address="ann@example.org")
    first = add(patient, by, medium=Medium.VOICE, address="020 7946 0124", preference=1)
    assert (call.preference, letter.preference, first.preference) == (5, 1, 1)


def test_one_number_is_an_address_of_its_own_for_each_medium(patient, by):
    points = [add(patient, by, medium=medium, address="07700 900123") for medium in (Medium.SMS, Medium.VOICE)]
    assert len({point.address_digest for point in points}) == 2


def test_another_pharmacys_staff_may_not(patient):
    stranger = making.pharmacist(making.pharmacy(name="Elsewhere"))
    for act in (lambda: add(patient, stranger), lambda: say(patient, stranger)):
        with pytest.raises(NotAllowed):
            act()


def test_an_auditor_may_not(patient):
    with pytest.raises(NotAllowed):
        add(patient, Actor("user:9", "A", Role.AUDITOR, patient.pharmacy_id))


def test_not_asked_is_no_row_and_an_answer_has_who_when_and_how(patient, by):
    assert not Consent.objects.exists()
    say(patient, by)
    event = ConsentEvent.objects.get()
    assert (event.recorded_by, event.said_at, event.source) == ("user:1", NOW, "counter")
    assert AuditEntry.objects.get(pharmacy=patient.pharmacy_id).action == "consent.changed"


def test_a_change_of_mind_is_another_row_and_the_last_word_holds(patient, by):
    say(patient, by)
    say(patient, by, ConsentAnswer.NO)
    assert ConsentEvent.objects.count() == 2 and Consent.objects.get().answer == "no"


def test_not_asked_is_no_answer(patient, by):
    with pytest.raises(InvalidInput):
        say(patient, by, ConsentAnswer.NOT_ASKED)


def test_a_no_holds_back_what_is_owed_and_asks_for_a_call(patient, by):
    add(patient, by)
    say(patient, by)
    planned = plan_reminders(patient, by)
    say(patient, by, ConsentAnswer.NO)
    assert set(planned.values_list("state", flat=True)) == {ReminderState.SUPPRESSED}
    assert "call instead" in WorklistItem.objects.get().reason


def test_a_no_to_one_medium_leaves_the_other_and_takes_back_leases(patient, by):
    add(patient, by)
    add(patient, by, Medium.SMS, "+447700900123")
    say(patient, by)
    say(patient, by, medium=Medium.SMS)
    planned = plan_reminders(patient, by)
    first = planned.first()
    Reminder.objects.filter(pk=first.pk).update(
        state=ReminderState.LEASED, lease_token=first.public_id, lease_until=NOW
    )
    say(patient, by, ConsentAnswer.NO)
    assert set(planned.values_list("state", flat=True)) == {ReminderState.SCHEDULED}
    assert not WorklistItem.objects.exists()


@pytest.mark.parametrize("change", ["retire", "add", "plainer"])
def test_what_a_worker_holds_is_written_anew_when_the_address_or_its_choice_changes(patient, by, change):
    """A row claimed before the change was read with the old address: it loses its lease, and is read again."""
    first, second = add(patient, by), add(patient, by, address="new@example.org", preference=2)
    say(patient, by)
    planned = plan_reminders(patient, by)
    token = planned.first().public_id
    Reminder.objects.filter(pk=planned.first().pk).update(
        state=ReminderState.LEASED, lease_token=token, lease_until=NOW
    )
    if change == "retire":
        consent.retire_contact(contact=first, by=by, now=NOW)
    elif change == "add":
        add(patient, by, address="newer@example.org", preference=0)
    else:
        consent.choose_detail(contact=second, detail_level=DetailLevel.DETAILED, by=by, now=NOW)
    assert set(planned.values_list("state", "lease_token")) == {(ReminderState.SCHEDULED, None)}


def test_a_yes_lets_what_was_held_back_be_owed_again(patient, by):
    add(patient, by)
    say(patient, by, ConsentAnswer.NO)
    planned = plan_reminders(patient, by)
    say(patient, by, ConsentAnswer.NO)
    say(patient, by)
    assert set(planned.values_list("state", flat=True)) == {ReminderState.SCHEDULED}


def test_a_yes_at_the_counter_lifts_an_earlier_stop_but_no_complaint(patient, by):
    for address, reason in (("ann@example.org", "opted-out"), ("other@example.org", "complained")):
        add(patient, by, address=address)
        Suppression.objects.create(
            medium="email", address_digest=address_digest("email", address), reason=reason, since=NOW
        )
    say(patient, by)
    assert [stop.reason for stop in Suppression.objects.all()] == ["complained"]


def test_a_yes_does_not_lift_the_stop_of_a_number_that_has_become_somebody_elses(patient, by):
    old = add(patient, by, Medium.SMS, "+447700900123")
    consent.retire_contact(contact=old, by=by, now=NOW)
    opt_outs.stop_address(
        medium=Medium.SMS, address="+447700900123", source=ConsentSource.REPLY, evidence="r1", now=NOW
    )
    add(patient, by, Medium.SMS, "+447700900555")
    say(patient, by, medium=Medium.SMS)
    assert Suppression.objects.get().address_digest == address_digest("sms", "+447700900123")


def test_a_number_that_is_another_persons_stays_stopped_though_it_had_said_stop_before(patient, by):
    point = add(patient, by, Medium.SMS, "+447700900123")
    say(patient, by, medium=Medium.SMS)
    opt_outs.stop_contact(contact_id=point.pk, source="reply", now=NOW)
    consent.report_wrong_person(contact=point, by=by, now=NOW)
    consent.retire_contact(contact=point, by=by, now=NOW)
    add(patient, by, Medium.SMS, "+447700900123")  # typed again from an old form
    say(patient, by, medium=Medium.SMS)
    assert Suppression.objects.get().reason == "wrong-person" and not reach.reachable(patient)


@pytest.mark.parametrize("how", ["stop", "wrong-person"])
def test_what_stops_an_address_takes_back_the_messages_of_everybody_who_shares_it(patient, by, how):
    other = making.patient(making.pharmacy(name="Elsewhere"))
    theirs = making.pharmacist(other.pharmacy)
    point = add(patient, by, Medium.SMS, "+447700900123")
    add(other, theirs, Medium.SMS, "+447700900123")
    say(other, theirs, medium=Medium.SMS)
    planned = plan_reminders(other, theirs)
    Reminder.objects.filter(pk=planned.first().pk).update(
        state=ReminderState.LEASED, lease_token=planned.first().public_id, lease_until=NOW
    )
    if how == "stop":
        opt_outs.stop_contact(contact_id=point.pk, source="one-click", now=NOW)
    else:
        consent.report_wrong_person(contact=point, by=by, now=NOW)
    assert set(planned.values_list("state", flat=True)) == {ReminderState.SUPPRESSED}
    assert WorklistItem.objects.get(patient=other).kind == "unreachable"


def test_staff_of_another_pharmacy_cannot_call_a_number_wrong(patient, by):
    point = add(patient, by, Medium.SMS, "+447700900123")
    with pytest.raises(NotAllowed):
        consent.report_wrong_person(contact=point, by=making.pharmacist(making.pharmacy(name="Elsewhere")), now=NOW)
    assert not Suppression.objects.exists()


def test_a_stop_scope_that_does_not_exist_is_named(settings):
    settings.DISPENSARY = {**settings.DISPENSARY, "stop_scope": "some"}
    with pytest.raises(ImproperlyConfigured, match="'all' or 'medium'"):
        conf()


def test_a_wrong_number_gets_nothing_more_and_somebody_must_ask(patient, by):
    point = add(patient, by, Medium.SMS, "+447700900123")
    say(patient, by, medium=Medium.SMS)
    planned = plan_reminders(patient, by)
    consent.report_wrong_person(contact=point, by=by, now=NOW)
    assert set(planned.values_list("state", flat=True)) == {ReminderState.SUPPRESSED}
    assert {item.kind for item in WorklistItem.objects.all()} == {"wrong-person", "unreachable"}
    assert Suppression.objects.get().reason == "wrong-person"


def test_a_stop_by_address_reaches_every_patient_who_shares_it(patient, by):
    other = making.patient(patient.pharmacy)
    for person in (patient, other):
        add(person, by, Medium.SMS, "+447700900123")
        say(person, by, medium=Medium.SMS)
    stopped = opt_outs.stop_address(
        medium=Medium.SMS, address="+447700900123", source=ConsentSource.REPLY, evidence="r1", now=NOW
    )
    assert stopped == (2, True) and {consent.answer for consent in Consent.objects.all()} == {"no"}


def test_the_choice_of_detail_is_the_patients_and_recorded(patient, by):
    point = add(patient, by)
    assert point.detail_level == DetailLevel.PLAIN
    consent.choose_detail(contact=point, detail_level=DetailLevel.DETAILED, by=by, now=NOW)
    assert ContactPoint.objects.get().detail_level == DetailLevel.DETAILED


def test_a_retired_address_is_used_no_more(patient, by):
    point = add(patient, by)
    say(patient, by)
    planned = plan_reminders(patient, by)
    consent.retire_contact(contact=point, by=by, now=NOW)
    assert not reach.reachable(patient)
    assert set(planned.values_list("state", flat=True)) == {ReminderState.SUPPRESSED}
    assert add(patient, by).pk != point.pk
