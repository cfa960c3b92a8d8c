"""The engine: claims, sends, marks; what it does with each answer; what it never does."""

import json
import uuid
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.db import connection, transaction

from dispensary import audit, reminders
from dispensary.actions import consent
from dispensary.channels import Accepted, Receipt, ReceiptStatus, channels_in_use
from dispensary.channels.sink import Sink
from dispensary.models import (
    Consent,
    ContactPoint,
    Delivery,
    DeliveryOutcome,
    EngineCounter,
    EngineTurn,
    Patient,
    Pharmacy,
    Reminder,
    ReminderState,
    Suppression,
    Withdrawal,
    WorklistItem,
)
from dispensary.models.audit import AuditBody, AuditEntry
from dispensary.reminders import compose, engine, opt_outs, outcomes, queue
from tests.dispensary import make
from tests.dispensary.reminders import making
from tests.dispensary.reminders.conftest import database_now

pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = timedelta(minutes=10)


def state(reminder):
    reminder.refresh_from_db()
    return ReminderState(reminder.state)


def audited(action, *pharmacies):
    """The log keeps what earlier tests wrote, as it should: ask for this test's pharmacies."""
    return list(AuditEntry.objects.filter(action=action, pharmacy__in=[pharmacy.pk for pharmacy in pharmacies]))


def test_a_due_reminder_leaves_once_with_ledger_and_audit_line(due, outbox):
    reminder = due()
    done = reminders.drain()
    assert (done.claimed, done.sent) == (1, 1)
    assert state(reminder) is ReminderState.SENT
    delivery = Delivery.objects.get()
    assert delivery.outcome == DeliveryOutcome.ACCEPTED and str(delivery.key) == outbox.sent[0]["key"]
    assert [entry.reason_code for entry in audited("reminder.sent", reminder.pharmacy)] == ["missed_collection"]
    assert reminders.drain().claimed == 0 and len(outbox.sent) == 1


def test_the_words_reveal_nothing_and_carry_the_way_to_stop(due, outbox):
    due()
    reminders.drain()
    message = outbox.sent[0]
    assert message["subject"] == "Please call City Pharmacy" and "baclofen" not in message["text"].casefold()


def test_two_hundred_due_at_once_all_leave_once(awake, due, outbox):
    first = due()
    rows = [
        Reminder(
            plan=first.plan, pharmacy=awake, patient=first.patient, kind="run_out", occurrence=f"n{number}",
            local_date=first.local_date + timedelta(days=number), local_time=first.local_time, tz_name="UTC",
            tzdb_version="t", due_at=first.due_at, useful_until=first.useful_until, params=first.params,
        )
        for number in range(1, 201)
    ]  # fmt: skip
    Reminder.objects.bulk_create(rows)
    assert reminders.drain().sent == 201
    assert Delivery.objects.values("reminder").distinct().count() == Delivery.objects.count() == 201
    assert {message["key"] for message in outbox.sent} == {
        str(key) for key in Delivery.objects.values_list("key", flat=True)
    }
    assert len({message["key"] for message in outbox.sent}) == len(outbox.sent)


def test_what_is_not_due_stays(due, outbox):
    reminder = due()
    Reminder.objects.filter(pk=reminder.pk).update(due_at=database_now() + timedelta(hours=1))
    assert reminders.drain().claimed == 0 and state(reminder) is ReminderState.SCHEDULED


def test_nothing_leaves_in_quiet_hours_and_no_attempt_is_counted(due, outbox):
    now = database_now()
    quiet = making.pharmacy(
        quiet_from=(now - timedelta(hours=1)).time(), quiet_until=(now + timedelta(hours=1)).time(), time_zone="UTC"
    )
    reminder = due(pharmacy=quiet)
    Reminder.objects.filter(pk=reminder.pk).update(due_at=now - LONG_AGO)
    assert reminders.drain().sent == 0
    assert state(reminder) is ReminderState.SCHEDULED and reminder.attempts == 0
    assert timedelta(minutes=59) < reminder.due_at - now < timedelta(minutes=61)


def test_a_person_who_asks_for_it_now_gets_it_now_even_then(due, outbox):
    now = database_now()
    quiet = making.pharmacy(
        quiet_from=(now - timedelta(hours=1)).time(), quiet_until=(now + timedelta(hours=1)).time(), time_zone="UTC"
    )
    reminder = due(pharmacy=quiet, despite_quiet=True)
    Reminder.objects.filter(pk=reminder.pk).update(due_at=now - LONG_AGO)
    reminders.drain()
    assert state(reminder) is ReminderState.SENT


def test_without_consent_nothing_leaves_and_what_matters_becomes_work(due, outbox):
    reminder = due(reach=())
    reminders.drain()
    assert state(reminder) is ReminderState.SUPPRESSED and not outbox.sent
    assert WorklistItem.objects.get().kind == "unreachable"


def test_a_nudge_without_consent_is_nobodys_work(due, outbox):
    due("refill_due", reach=())
    reminders.drain()
    assert not WorklistItem.objects.exists() and not outbox.sent


def test_no_is_no_even_with_an_address(due, outbox):
    person = making.patient(making.pharmacy(quiet_from="00:00", quiet_until="00:00"))
    making.reachable(person, answer="no")
    due(person=person, reach=())
    reminders.drain()
    assert not outbox.sent


def test_a_suppressed_address_gets_nothing_whoever_says_yes(due, outbox):
    reminder = due()
    point = ContactPoint.objects.get()
    Suppression.objects.create(
        medium="email", address_digest=point.address_digest, reason="complained", since=making.NOON
    )
    reminders.drain()
    assert not outbox.sent and state(reminder) is ReminderState.SUPPRESSED


def test_what_has_stopped_being_true_is_not_sent_and_becomes_work(due, outbox):
    reminder = due()
    Reminder.objects.filter(pk=reminder.pk).update(
        due_at=database_now() - LONG_AGO, useful_until=database_now() - timedelta(minutes=1)
    )
    reminders.drain()
    assert state(reminder) is ReminderState.EXPIRED and not outbox.sent
    assert WorklistItem.objects.get().kind == "expired"


def test_a_busy_provider_is_tried_again_later_with_the_same_key(due, outbox):
    reminder = due()
    outbox.set_faults(answer="busy", times=1)
    reminders.drain()
    assert state(reminder) is ReminderState.SCHEDULED
    wait = reminder.due_at - database_now()
    assert timedelta(seconds=55) < wait < timedelta(seconds=121)
    Reminder.objects.filter(pk=reminder.pk).update(due_at=database_now())
    reminders.drain()
    assert state(reminder) is ReminderState.SENT
    assert len({delivery.key for delivery in Delivery.objects.all()}) == 1
    assert [delivery.attempt for delivery in Delivery.objects.order_by("attempt")] == [1, 2]


def test_what_the_provider_asks_for_is_waited_for(due, outbox):
    reminder = due()
    outbox.set_faults(answer="limited", times=1)
    reminders.drain()
    state(reminder)
    assert timedelta(seconds=25) < reminder.due_at - database_now() < timedelta(seconds=31)


def test_after_eight_attempts_it_is_a_persons_work(due, outbox):
    reminder = due(attempts=7)
    outbox.set_faults(answer="busy")
    reminders.drain()
    assert state(reminder) is ReminderState.FAILED
    assert WorklistItem.objects.get().kind == "failed"
    assert audited("reminder.failed", reminder.pharmacy)[0].reason_code == "provider-busy"


def test_a_retry_that_would_come_too_late_is_a_persons_work_at_once(due, outbox):
    reminder = due(useful=timedelta(seconds=20))
    outbox.set_faults(answer="busy")
    reminders.drain()
    assert state(reminder) is ReminderState.FAILED and WorklistItem.objects.get().kind == "failed"


def test_a_bad_address_is_marked_and_the_next_allowed_medium_is_used(due, outbox):
    reminder = due(reach=("email", "sms"), sms_address="+447700900123")
    outbox.set_faults(answer="bad-address", times=1)
    reminders.drain()
    assert state(reminder) is ReminderState.SENT
    assert ContactPoint.objects.get(medium="email").fault == "refused"
    assert [message["to"] for message in outbox.sent] == ["+447700900123"]


def test_when_every_address_refuses_it_is_a_persons_work(due, outbox):
    reminder = due("refill_due")
    outbox.set_faults(answer="bad-address")
    reminders.drain()
    assert state(reminder) is ReminderState.FAILED and WorklistItem.objects.get().kind == "unreachable"


def test_an_opt_out_at_the_provider_is_an_opt_out_here(due, outbox):
    due()
    outbox.set_faults(answer="opted-out", times=1)
    reminders.drain()
    assert Consent.objects.get().answer == "no" and Suppression.objects.get().reason == "opted-out"
    assert not outbox.sent


def test_a_lost_answer_about_a_nudge_is_left_to_a_person(due, outbox):
    reminder = due("refill_due")
    outbox.set_faults(answer="lose-answer", times=1)
    reminders.drain()
    assert state(reminder) is ReminderState.PARKED and len(outbox.sent) == 1
    assert WorklistItem.objects.get().kind == "maybe-sent"


def test_a_lost_answer_about_safety_is_sent_again(due, outbox):
    reminder = due("run_out")
    outbox.set_faults(answer="lose-answer", times=1)
    reminders.drain()
    assert state(reminder) is ReminderState.SENT
    assert len(outbox.sent) == 2 and len({message["key"] for message in outbox.sent}) == 1


def test_a_lost_answer_of_a_provider_that_folds_keys_costs_no_duplicate(due, outbox):
    outbox.set_sink_options(after_crash="same-key")
    reminder = due("refill_due")
    outbox.set_faults(answer="lose-answer", times=1)
    reminders.drain()
    assert state(reminder) is ReminderState.SENT and len(outbox.sent) == 1


def test_a_lost_answer_of_a_provider_that_can_be_asked_is_asked_about(due, outbox):
    outbox.set_sink_options(after_crash="look-up")
    reminder = due("refill_due")
    outbox.set_faults(answer="lose-answer", times=1)
    reminders.drain()
    assert state(reminder) is ReminderState.LEASED and reminder.sending_since
    Reminder.objects.update(lease_until=database_now() - LONG_AGO)
    reminders.tick()
    assert state(reminder) is ReminderState.SENT and len(outbox.sent) == 1


def test_one_nudge_a_day_and_three_a_week(due, outbox):
    person = making.patient(making.pharmacy(quiet_from="00:00", quiet_until="00:00", time_zone="UTC"))
    earlier = due("run_out", person=person)
    reminders.drain()
    second = due("refill_due", person=person, reach=())
    reminders.drain()
    assert state(earlier) is ReminderState.SENT
    assert state(second) in {ReminderState.SCHEDULED, ReminderState.SUPPRESSED} and len(outbox.sent) == 1


def test_of_two_nudges_due_at_once_one_leaves_today(due, awake, outbox):
    """Two courses beside each other: both are in one worker's hands when it decides, and neither has left."""
    person = making.patient(awake)
    first = due("refill_due", person=person)
    second = due("refill_again", person=person, reach=())
    Reminder.objects.update(state=ReminderState.SCHEDULED, due_at=database_now() - timedelta(seconds=1))
    reminders.drain()
    assert len(outbox.sent) == 1 and state(first) is ReminderState.SENT
    assert (state(second), second.last_error) == (ReminderState.SCHEDULED, "another-goes-first")
    Reminder.objects.filter(pk=second.pk).update(due_at=database_now() - timedelta(seconds=1))
    reminders.drain()
    second.refresh_from_db()
    assert len(outbox.sent) == 1 and second.last_error == "daily-limit"


def test_a_nudge_waits_for_what_matters_more_and_that_waits_for_nothing(due, awake, outbox):
    person = making.patient(awake)
    nudge = due("refill_due", person=person)
    matters = due("missed_collection", person=person, reach=())
    Reminder.objects.update(state=ReminderState.SCHEDULED, due_at=database_now() - timedelta(seconds=1))
    reminders.drain()
    assert state(matters) is ReminderState.SENT and state(nudge) is ReminderState.SCHEDULED and len(outbox.sent) == 1


# --- leases -----------------------------------------------------------------------------------------------------------


def claim(seconds=120):
    return queue.claim(owner="test", count=50, lease=timedelta(seconds=seconds))


def ready_of(lease):
    return compose.read(lease, channels_in_use(), compose.Habits.look_up())[0]


def test_two_claims_never_hold_the_same_row(due, outbox):
    due()
    assert len(claim().ids) == 1 and claim().ids == ()


def test_a_lease_that_ran_out_before_the_send_began_is_given_back(due, outbox):
    reminder = due()
    claim()
    Reminder.objects.update(lease_until=database_now() - LONG_AGO)
    assert reminders.tick().reclaimed == 1
    assert state(reminder) is ReminderState.SCHEDULED and reminder.lost_workers == 1


def test_a_send_does_not_begin_when_the_lease_would_not_outlive_it(due, outbox):
    reminder = due()
    lease = claim(seconds=5)
    assert outcomes.hand_over(lease, None, ready_of(lease)) is None
    assert state(reminder) is ReminderState.LEASED and not Delivery.objects.exists()


def test_a_send_does_not_begin_after_somebody_else_took_the_row(due, outbox):
    due()
    lease = claim()
    ready = ready_of(lease)
    Reminder.objects.update(lease_token=uuid.uuid4())
    assert outcomes.hand_over(lease, None, ready) is None


def die(person):
    make.change_past_actions(Patient.objects.filter(pk=person.pk), died_on=database_now().date())


def stop(person):
    making.stop(person.prescriptions.get(), database_now())


@pytest.mark.parametrize(
    ("happen", "reason"), [(die, Withdrawal.PATIENT_DIED), (stop, Withdrawal.PRESCRIPTION_STOPPED)]
)
def test_what_was_withdrawn_between_claim_and_send_does_not_leave(due, outbox, happen, reason):
    reminder = due()
    lease = claim()
    ready = ready_of(lease)
    happen(reminder.patient)
    making.follow(reminder.patient, database_now(), reason)
    assert outcomes.hand_over(lease, None, ready) is None
    assert state(reminder) is ReminderState.WITHDRAWN


def test_a_no_between_claim_and_send_keeps_it_from_leaving(due, outbox):
    reminder = due()
    lease = claim()
    ready = ready_of(lease)
    opt_outs.stop_contact(contact_id=ContactPoint.objects.get().pk, source="one-click", now=database_now())
    assert outcomes.hand_over(lease, None, ready) is None
    assert state(reminder) is ReminderState.SUPPRESSED


def test_a_yes_after_a_no_lets_the_owed_one_leave(due, outbox):
    reminder = due()
    point = ContactPoint.objects.get()
    opt_outs.stop_contact(contact_id=point.pk, source="one-click", now=database_now())
    reminders.drain()
    consent.record_answer(
        patient=reminder.patient, medium=consent.Medium.EMAIL, answer=consent.ConsentAnswer.YES,
        source=consent.ConsentSource.COUNTER, by=making.pharmacist(reminder.pharmacy), now=database_now(),
    )  # fmt: skip
    reminders.drain()
    assert state(reminder) is ReminderState.SENT and len(outbox.sent) == 1


def test_the_ledger_keeps_a_second_sender_out(due, outbox):
    reminder = due()
    lease = claim()
    ready = ready_of(lease)
    assert outcomes.hand_over(lease, None, ready)
    Reminder.objects.filter(pk=reminder.pk).update(sending_since=None)
    assert outcomes.hand_over(lease, None, ready) is None
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize(
    ("kind", "ends", "work"),
    [
        ("refill_due", ReminderState.PARKED, 1),
        ("dose_change", ReminderState.SCHEDULED, 0),
        ("run_out", ReminderState.SCHEDULED, 0),
    ],
)
def test_a_worker_that_died_in_the_middle_of_a_send_leaves_one_in_doubt(due, outbox, kind, ends, work):
    reminder = due("run_out")
    Reminder.objects.filter(pk=reminder.pk).update(kind=kind)
    lease = claim()
    assert outcomes.hand_over(lease, None, ready_of(lease))
    Reminder.objects.update(lease_until=database_now() - LONG_AGO)
    assert reminders.tick().in_doubt == 1
    assert state(reminder) is ends and WorklistItem.objects.count() == work


def test_an_end_that_a_slow_worker_notes_while_its_doubt_is_settled_is_believed(due, outbox, monkeypatch):
    reminder, lock = due("run_out"), queue.lock_patient
    lease = claim()
    begun = outcomes.hand_over(lease, None, ready_of(lease))
    Reminder.objects.update(lease_until=database_now() - LONG_AGO)

    def noted_meanwhile(reminder_id):
        Delivery.objects.filter(pk=begun.delivery).update(outcome=DeliveryOutcome.ACCEPTED)
        lock(reminder_id)

    monkeypatch.setattr(queue, "lock_patient", noted_meanwhile)
    reminders.tick()
    assert state(reminder) is ReminderState.SENT and Delivery.objects.get().outcome == DeliveryOutcome.ACCEPTED
    assert len(audited("reminder.sent", reminder.pharmacy)) == 1


def test_a_row_that_kills_its_workers_is_given_up_after_three(due, outbox):
    reminder = due("run_out", lost_workers=2)
    lease = claim()
    assert outcomes.hand_over(lease, None, ready_of(lease))
    Reminder.objects.update(lease_until=database_now() - LONG_AGO)
    reminders.tick()
    assert state(reminder) is ReminderState.PARKED and WorklistItem.objects.get().kind == "maybe-sent"


def test_a_row_whose_workers_die_before_they_begin_is_given_up_after_eight(due, outbox):
    reminder = due("run_out", lost_workers=7)
    claim()
    Reminder.objects.update(lease_until=database_now() - LONG_AGO)
    reminders.tick()
    assert state(reminder) is ReminderState.FAILED and WorklistItem.objects.get().kind == "failed"


def foreign_key(row):
    with connection.cursor() as cursor:
        strange = Fernet(Fernet.generate_key()).encrypt(b"x@example.org").decode()
        cursor.execute(
            "UPDATE dispensary_contactpoint SET address = %s WHERE patient_id = %s", [strange, row.patient_id]
        )


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda row: Reminder.objects.filter(pk=row.pk).update(params=[1]), "words-missing"),
        (lambda row: Reminder.objects.filter(pk=row.pk).update(params={"date": "never"}), "words-missing"),
        (foreign_key, "address-unreadable"),
    ],
    ids=["facts of another shape", "a date that is none", "an address sealed with a lost key"],
)
def test_a_poisoned_row_is_a_persons_work_and_its_neighbours_leave(due, outbox, spoil, error):
    before, poisoned, after = due(), due(), due()
    spoil(poisoned)
    reminders.drain()
    assert (state(before), state(poisoned), state(after)) == (
        ReminderState.SENT,
        ReminderState.FAILED,
        ReminderState.SENT,
    )
    assert poisoned.last_error == error
    assert WorklistItem.objects.get().reminder_id == poisoned.pk


def test_a_batch_of_two_pharmacies_writes_each_into_its_own_log(due, outbox):
    other = making.pharmacy(name="Hill Pharmacy", quiet_from="00:00", quiet_until="00:00")
    first, second = due(), due(pharmacy=other)
    reminders.drain()
    assert {entry.pharmacy for entry in audited("reminder.sent", first.pharmacy, other)} == {
        first.pharmacy_id,
        second.pharmacy_id,
    }


@pytest.mark.parametrize("who", ["a receipt", "a tick"])
def test_what_was_accepted_and_not_yet_booked_is_booked_once_with_the_same_line(due, outbox, who):
    booked, unbooked = due(), due()
    lease = claim()
    first_line, other = compose.read(lease, channels_in_use(), compose.Habits.look_up())
    begun = outcomes.hand_over(lease, None, first_line)
    going = [outcomes.AcceptedSend(first_line, begun, Accepted("1"), database_now())]
    begun = outcomes.hand_over(lease, going[0], other)
    going.append(outcomes.AcceptedSend(other, begun, Accepted("2"), database_now()))
    outcomes.hand_over(lease, going[1], None)
    if who == "a tick":
        Reminder.objects.filter(pk=unbooked.pk).update(lease_until=database_now() - LONG_AGO)
        assert reminders.tick().in_doubt == 1
        assert state(unbooked) is ReminderState.SENT
    else:
        receipt = Receipt("r1", ReceiptStatus.DELIVERED, provider_message_id="2")
        reminders.keep(channel="sink", events=[receipt], now=database_now())
        reminders.act_on_events(now=database_now())
        assert state(unbooked) is ReminderState.DELIVERED
    outcomes.book(lease, going)
    assert state(booked) is ReminderState.SENT
    lines = {entry.subject_id: entry for entry in audited("reminder.sent", booked.pharmacy)}
    assert sorted(lines) == sorted(str(row.public_id) for row in (booked, unbooked))
    assert len(audited("reminder.sent", booked.pharmacy)) == 2
    with audit.reading(booked.pharmacy):
        bodies = {
            row.pk: json.loads(AuditBody.objects.get(pk=lines[str(row.public_id)].pk).body)
            for row in (booked, unbooked)
        }
    first, second = bodies[booked.pk], bodies[unbooked.pk]
    assert first.pop("key") != second.pop("key") and first == second


def test_in_a_long_batch_lines_are_written_before_its_end(due, outbox, monkeypatch):
    monkeypatch.setattr(engine, "BOOK_AFTER", 0.0)
    rows = [due() for _ in range(3)]
    send, line_counts = Sink.send, []

    def counting(channel, message):
        line_counts.append(len(audited("reminder.sent", rows[0].pharmacy)))
        return send(channel, message)

    monkeypatch.setattr(Sink, "send", counting)
    reminders.drain()
    assert line_counts == [0, 0, 1] and len(audited("reminder.sent", rows[0].pharmacy)) == 3


def test_a_drain_inside_a_transaction_is_refused(due, outbox):
    with pytest.raises(RuntimeError, match="inside a transaction"), transaction.atomic():
        reminders.drain()


def test_a_part_of_a_tick_that_breaks_down_keeps_nothing_due_from_leaving(due, outbox, awake, caplog):
    """Here the work list cannot be refreshed, since one pharmacy's zone is none that exists."""
    lost = making.pharmacy(quiet_from="00:00", quiet_until="00:00")
    gone = making.patient(lost)
    making.dispense(making.prescription(gone), at=database_now() - timedelta(days=40))
    making.follow(gone, database_now())
    make.change_past_actions(Pharmacy.objects.filter(pk=lost.pk), time_zone="Mars/Base")
    due()
    EngineTurn.objects.all().delete()
    assert reminders.tick().due == 1
    assert EngineCounter.objects.get(name="tick-risk-failed").count == 1
    assert "the part risk of a tick broke down: ZoneInfoNotFoundError" in caplog.text


def test_a_tick_leaves_its_heartbeat_and_counts_what_is_due(due, outbox):
    due()
    assert reminders.tick().due == 1
    assert database_now() - EngineCounter.objects.get(name="tick").at < timedelta(seconds=5)


def test_no_name_and_no_address_reach_a_log_line(due, outbox, caplog):
    due(email_address="canary@example.org")
    outbox.set_faults(answer="busy", times=1)
    with caplog.at_level("DEBUG"):
        reminders.tick()
        reminders.drain()
    assert "canary" not in caplog.text.casefold()


def test_a_text_message_begins_with_the_short_name_and_links_by_the_short_address(due, awake, outbox, settings):
    make.change_past_actions(Pharmacy.objects.filter(pk=awake.pk), text_name="City Rx")
    settings.DISPENSARY = {**settings.DISPENSARY, "text_url": "https://rx.example"}
    due("run_out", reach=("sms",))
    due("run_out", reach=("email",))
    reminders.drain()
    text, mail = sorted((message["text"] for message in outbox.sent), key=lambda words: words.startswith("City P"))
    assert text.startswith("City Rx: ") and "https://rx.example/m/" in text
    assert mail.startswith("City Pharmacy: ") and "https://rx.example" not in mail
