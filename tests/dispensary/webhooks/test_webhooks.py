"""Calls of providers: receipts and replies."""

import json
import threading
import time
import uuid
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client

from dispensary import reminders
from dispensary.actions import consent
from dispensary.audit import reading
from dispensary.channels.signing import HEADER, sign
from dispensary.models import (
    AuditBody,
    Consent,
    ConsentAnswer,
    ConsentEvent,
    ConsentSource,
    ContactPoint,
    Delivery,
    DeliveryOutcome,
    EngineCounter,
    InboundEvent,
    Medium,
    Pharmacy,
    Reminder,
    ReminderState,
    Suppression,
    WorklistItem,
)
from dispensary.reminders.unread import give_up_waiting
from dispensary.webhooks.views import receive_events
from tests.dispensary.channels.providers import NhsNotify, Twilio, Vonage, private_key
from tests.dispensary.channels.servers import http_gateway
from tests.dispensary.channels.test_nhs_notify import of_channel, options_at
from tests.dispensary.channels.test_nhs_notify import signature as hmac_of
from tests.dispensary.channels.test_twilio import ADDRESS, signature
from tests.dispensary.channels.test_vonage import inbound, signed
from tests.dispensary.reminders import making
from tests.dispensary.reminders.conftest import database_now

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "shared-with-the-gateway"
PHONE = "+447700900123"


@pytest.fixture
def gateway(settings):
    """The gateway as the channel for text messages; what is sent is not looked at here."""
    settings.DISPENSARY = {
        **settings.DISPENSARY,
        "channels": {"email": "email", "sms": "gateway"},
        "channel_options": {"gateway": {"url": "http://127.0.0.1:1/", "secret": SECRET}},
        "public_url": "https://pharmacy.example",
    }


@pytest.fixture
def sent(due, gateway):
    """A text message that the gateway has accepted."""
    reminder = due("run_out", reach=("sms",), sms_address=PHONE)
    Reminder.objects.filter(pk=reminder.pk).update(state=ReminderState.SENT)
    return Delivery.objects.create(
        reminder=reminder,
        medium="sms",
        channel="gateway",
        attempt=1,
        key=uuid.uuid4(),
        contact=ContactPoint.objects.get(),
        address_digest=ContactPoint.objects.get().address_digest,
        provider_message_id="gw-1",
        outcome=DeliveryOutcome.ACCEPTED,
        language="en",
        words_version="x",
        detailed=False,
        started_at=database_now(),
    )


def call(client, payload, *, secret=SECRET, at=None, channel="gateway", raw=None):
    body = json.dumps(payload).encode() if raw is None else raw
    signature = sign(secret, body, time.time() if at is None else at)
    return client.post(f"/hooks/{channel}", body, content_type="application/json", headers={HEADER: signature})


def receipt(delivery, status, event="e1", **more):
    return {"type": "receipt", "id": event, "key": str(delivery.key), "status": status, **more}


def outcome(delivery):
    delivery.refresh_from_db()
    return DeliveryOutcome(delivery.outcome)


def test_a_receipt_says_that_it_arrived(client, sent):
    assert call(client, receipt(sent, "delivered")).json() == {"received": 1, "new": 1}
    assert outcome(sent) is DeliveryOutcome.DELIVERED and sent.reminder.state == ReminderState.DELIVERED


def test_the_same_receipt_five_times_is_one(client, sent):
    for _ in range(5):
        assert call(client, receipt(sent, "delivered")).status_code == 200
    assert InboundEvent.objects.count() == 1


def test_a_receipt_from_before_a_person_sent_it_again_does_not_call_it_off(client, sent):
    """The sender presses "send now"; then the first attempt's receipt arrives. The second is still owed."""
    Reminder.objects.update(state=ReminderState.SCHEDULED, round=2)
    call(client, receipt(sent, "delivered"))
    assert outcome(sent) is DeliveryOutcome.DELIVERED and Reminder.objects.get().state == ReminderState.SCHEDULED


def test_a_receipt_answers_the_question_whether_it_had_gone(client, sent):
    Reminder.objects.update(state=ReminderState.PARKED)
    Delivery.objects.update(outcome=DeliveryOutcome.UNKNOWN)
    item = WorklistItem.objects.create(
        pharmacy=sent.reminder.pharmacy, patient=sent.reminder.patient, reminder=sent.reminder, kind="maybe-sent",
        reason="?", opened_at=database_now(), due_by=database_now(),
    )  # fmt: skip
    call(client, receipt(sent, "delivered"))
    item.refresh_from_db()
    assert Reminder.objects.get().state == ReminderState.DELIVERED
    assert (item.state, item.resolution, item.resolved_by) == ("resolved", "by-event", "system:reminders")


def test_what_was_withdrawn_stays_withdrawn_when_its_receipt_comes(client, sent):
    Reminder.objects.update(state=ReminderState.WITHDRAWN)
    call(client, receipt(sent, "delivered"))
    assert outcome(sent) is DeliveryOutcome.DELIVERED and Reminder.objects.get().state == ReminderState.WITHDRAWN


def test_a_status_only_goes_up_however_receipts_are_shuffled(client, sent):
    call(client, receipt(sent, "delivered", "e2"))
    call(client, receipt(sent, "undelivered", "e1"))
    assert outcome(sent) is DeliveryOutcome.DELIVERED


def test_a_receipt_by_the_providers_own_number_is_understood(client, sent):
    call(client, {"type": "receipt", "id": "e9", "message": "gw-1", "status": "delivered"})
    assert outcome(sent) is DeliveryOutcome.DELIVERED


def test_a_receipt_that_overtook_our_commit_is_kept_and_tried_again(client, sent):
    key, sent.key = sent.key, uuid.uuid4()
    sent.save()
    call(client, {"type": "receipt", "id": "e1", "key": str(key), "status": "delivered"})
    assert InboundEvent.objects.get().processed_at is None
    Delivery.objects.update(key=key)
    reminders.tick()
    assert outcome(sent) is DeliveryOutcome.DELIVERED


def test_a_receipt_about_nothing_of_ours_is_given_up_after_a_quarter_of_an_hour(client, gateway):
    call(client, {"type": "receipt", "id": "e1", "key": str(uuid.uuid4()), "status": "delivered"})
    InboundEvent.objects.update(received_at=database_now() - timedelta(minutes=16))
    reminders.tick()
    assert InboundEvent.objects.get().result == "unknown-reference"
    assert EngineCounter.objects.get(name="receipt-unknown").count == 1  # what the alarm is set on


def test_one_event_that_nobody_can_act_on_holds_up_neither_those_behind_it_nor_the_engine(client, sent, due, caplog):
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "I have moved"})
    InboundEvent.objects.update(processed_at=None, result="", facts={"address": "sealed", "text": "with a lost key"})
    Delivery.objects.update(key=(key := uuid.uuid4()))
    call(client, {"type": "receipt", "id": "e2", "key": str(key), "status": "delivered"})
    assert outcome(sent) is DeliveryOutcome.DELIVERED
    due("missed_collection")
    assert reminders.tick().due == 1
    assert "could not be acted on: InvalidToken" in caplog.text and PHONE not in caplog.text
    InboundEvent.objects.filter(provider_event_id="r1").update(received_at=database_now() - timedelta(minutes=16))
    reminders.tick()
    poison = InboundEvent.objects.get(provider_event_id="r1")
    assert (poison.result, poison.facts["text"]) == ("failed", "with a lost key")
    assert EngineCounter.objects.get(name="event-failed").count == 1


def test_a_stop_at_the_provider_that_is_told_by_receipt_holds_however_late_it_comes(client, sent):
    call(client, receipt(sent, "delivered", "e1"))
    call(client, receipt(sent, "undelivered", "e2", opted_out=True))
    assert outcome(sent) is DeliveryOutcome.DELIVERED and Consent.objects.get().answer == "no"
    assert (
        ConsentEvent.objects.filter(source="provider").count() == 1 and Suppression.objects.get().reason == "opted-out"
    )


def test_what_did_not_arrive_is_a_persons_work_when_there_is_no_other_address(client, sent):
    call(client, receipt(sent, "undelivered", permanent=True))
    reminders.drain()
    sent.reminder.refresh_from_db()
    assert sent.reminder.state == ReminderState.FAILED and WorklistItem.objects.get().kind == "unreachable"


@pytest.mark.parametrize(("hours", "given_up"), [(3.9, 0), (4.1, 1)])
def test_what_no_receipt_says_arrived_goes_to_the_next_address_after_the_channels_hours(
    client, sent, settings, hours, given_up
):
    settings.DISPENSARY = {**settings.DISPENSARY, "receipt_hours": {"gateway": 4}}
    making.reachable(sent.reminder.patient, "email", address="ann@example.org")
    now = sent.started_at + timedelta(hours=hours)
    Reminder.objects.filter(pk=sent.reminder_id).update(useful_until=now + timedelta(hours=1))
    assert give_up_waiting(now=now) == given_up
    reminders.act_on_events(now=now)
    sent.reminder.refresh_from_db()
    assert sent.reminder.state == (ReminderState.SCHEDULED if given_up else ReminderState.SENT)
    assert give_up_waiting(now=now) == 0, "once"
    reminders.drain()
    assert [d.medium for d in Delivery.objects.order_by("pk")] == ["sms", "email"][: given_up + 1]


def test_without_receipts_and_without_another_address_a_person_hears_of_it(client, sent, settings):
    settings.DISPENSARY = {**settings.DISPENSARY, "receipt_hours": {"gateway": 4}}
    now = sent.started_at + timedelta(hours=5)
    Reminder.objects.filter(pk=sent.reminder_id).update(useful_until=now + timedelta(hours=1))
    give_up_waiting(now=now)
    reminders.act_on_events(now=now)
    reminders.drain()
    assert "no receipt says" in WorklistItem.objects.get(kind="unreachable").reason


@pytest.mark.parametrize("kind", ["refill_due", "ready"])
def test_a_nudge_is_not_sent_again_for_want_of_a_receipt(client, sent, settings, kind):
    settings.DISPENSARY = {**settings.DISPENSARY, "receipt_hours": {"gateway": 4}}
    now = sent.started_at + timedelta(hours=5)
    Reminder.objects.filter(pk=sent.reminder_id).update(kind=kind, useful_until=now + timedelta(hours=1))
    assert give_up_waiting(now=now) == 0


def test_a_complaint_stops_everything_to_that_address(client, sent):
    call(client, receipt(sent, "complained"))
    assert Consent.objects.get().answer == "no" and Suppression.objects.get().reason == "complained"


@pytest.mark.parametrize("word", ["STOP", "stop.", "Baja", "ARRÊT", "توقف"])
def test_stop_by_reply_stops_in_every_language(client, sent, word):
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": word})
    assert Consent.objects.get().answer == "no"
    assert ConsentEvent.objects.filter(source="reply").count() == 1 and Suppression.objects.exists()


@pytest.mark.parametrize("spelled", ["447700900123", "07700 900123", "+44 7700 900123", "+447700900123"])
def test_a_stop_is_heard_however_the_provider_spells_the_number(client, sent, spelled):
    call(client, {"type": "reply", "id": "r1", "from": spelled, "text": "STOP"})
    assert Consent.objects.get().answer == "no"


def test_a_foreign_number_without_its_plus_is_heard_too(client, due, gateway):
    due("run_out", reach=("sms",), sms_address="+34612345678")
    call(client, {"type": "reply", "id": "r1", "from": "34612345678", "text": "baja"})
    assert Consent.objects.get().answer == "no"


def test_a_cry_behind_a_stop_is_heard_by_a_person(client, sent):
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "Stop, I have none left and I am shaking"})
    assert Consent.objects.get().answer == "no"
    reason = WorklistItem.objects.get(kind="red-flag").reason
    assert "none left and I am shaking" in reason and reason.endswith("” Messages to this patient are now off.")


def test_a_reply_that_only_begins_like_a_stop_ends_nothing_and_its_work_says_so(client, sent):
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "END of my tablets, none left"})
    assert Consent.objects.get().answer == "yes" and not Suppression.objects.exists()
    reason = WorklistItem.objects.get(kind="red-flag").reason
    assert reason == "The patient wrote: “END of my tablets, none left” Messages go on by text message."


def test_the_work_names_the_media_that_go_on_after_a_stop_to_text_messages_only(client, sent, settings):
    settings.DISPENSARY = {**settings.DISPENSARY, "stop_scope": "medium"}
    making.reachable(sent.reminder.patient, "email")
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "Stop. Please ring me"})
    assert WorklistItem.objects.get(kind="reply").reason.endswith("” Messages go on by e-mail.")


def test_a_reply_that_is_not_plainly_ordinary_is_due_within_the_hour(client, sent):
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "Yes, thank you"})
    item = WorklistItem.objects.get(kind="reply")
    assert item.due_by - item.opened_at == timedelta(hours=8)
    call(client, {"type": "reply", "id": "r2", "from": PHONE, "text": "Yes, but the calendar has another colour"})
    news = WorklistItem.objects.get(kind="reply")
    assert timedelta(minutes=59) < news.due_by - item.opened_at < timedelta(minutes=61)


@pytest.mark.parametrize("word", ["START", "Unstop please", "Reanudar", "REPRENDRE", "ابدأ"])
def test_a_start_gives_back_what_a_stop_ended_and_is_answered_once(client, sent, confirming, word):
    making.reachable(sent.reminder.patient, "email")
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "STOP"})
    reminders.tick()
    for number in ("r2", "r3"):
        call(client, {"type": "reply", "id": number, "from": PHONE, "text": word})
        reminders.tick()
    assert {consent.medium: consent.answer for consent in Consent.objects.all()} == {"sms": "yes", "email": "yes"}
    assert not Suppression.objects.exists()
    stopped, started = (json.loads(body)["text"] for _, body in confirming.calls)
    assert "no more reminders" in stopped and "reminders from us again" in started


def test_a_start_closes_the_work_that_a_stop_opened(client, sent, due):
    due("dose_change", person=sent.reminder.patient, reach=())
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "STOP"})
    assert WorklistItem.objects.get(kind="unreachable").state == "open"
    call(client, {"type": "reply", "id": "r2", "from": PHONE, "text": "START"})
    assert WorklistItem.objects.get(kind="unreachable").resolution == "by-event"


def test_a_start_lifts_no_refusal_at_the_counter_and_is_read_by_a_person(client, sent):
    patient = sent.reminder.patient
    by = making.pharmacist(patient.pharmacy)
    consent.record_answer(
        patient=patient,
        medium=Medium.SMS,
        answer=ConsentAnswer.NO,
        source=ConsentSource.COUNTER,
        by=by,
        now=database_now(),
    )
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "START"})
    assert Consent.objects.get().answer == "no" and "START" in WorklistItem.objects.get(kind="reply").reason


def test_a_second_reply_stands_before_the_first_and_opens_again_what_was_put_off(client, sent):
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "I have moved"})
    WorklistItem.objects.update(state="put-off", put_off_until="2030-01-01", due_by="2030-01-01T00:00Z")
    call(client, {"type": "reply", "id": "r2", "from": PHONE, "text": "I have moved to Leeds"})
    item = WorklistItem.objects.get(kind="reply")
    assert item.state == "open" and item.due_by.year < 2030
    assert item.reason.index("to Leeds") < item.reason.index("have moved”")


def test_a_reply_from_a_number_that_was_retired_is_still_read_by_somebody(client, sent):
    ContactPoint.objects.update(retired_at=database_now())
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "I have none left"})
    assert "no longer in use: “I have none left”" in WorklistItem.objects.get(kind="red-flag").reason


@pytest.mark.parametrize(
    ("scope", "email", "confirmation"),
    [
        ("all", "no", "no more reminders from us. Call us if you want them back."),
        (
            "medium",
            "yes",
            "no more text messages from us. Call us if you want them back. Other messages go on (E-mail).",
        ),
    ],
)
def test_a_stop_ends_what_its_answer_says_it_ends(client, sent, confirming, settings, scope, email, confirmation):
    settings.DISPENSARY = {**settings.DISPENSARY, "stop_scope": scope}
    making.reachable(sent.reminder.patient, "email")
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "STOP"})
    reminders.tick()
    assert {consent.medium: consent.answer for consent in Consent.objects.all()} == {"sms": "no", "email": email}
    assert json.loads(confirming.calls[0][1])["text"].endswith(confirmation)


@pytest.fixture
def confirming(settings):
    """The gateway at a running server, so that its answer to a STOP can be seen."""
    with http_gateway() as server:
        options = {"url": server.url, "secret": SECRET}
        settings.DISPENSARY = {**settings.DISPENSARY, "channel_options": {"gateway": options}}
        yield server


def test_a_stop_is_answered_once_by_the_next_tick_and_then_there_is_silence(client, sent, confirming):
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "Stop"})
    assert Suppression.objects.exists() and not confirming.calls  # stopped at once; whoever called us has not waited
    reminders.tick()
    [(_, body)] = confirming.calls
    message = json.loads(body)
    assert message["to"] == PHONE and "no more reminders" in message["text"]
    call(client, {"type": "reply", "id": "r2", "from": PHONE, "text": "STOP!"})
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "Stop"})
    reminders.tick()
    assert len(confirming.calls) == 1
    inbound = InboundEvent.objects.get(provider_event_id="r1")
    assert (inbound.result, inbound.facts) == ("stopped and confirmed", {}) and inbound.processed_at


def test_two_stops_that_arrive_at_once_are_answered_once(client, sent, confirming):
    """Both processes have looked before either has stopped: the row of the stop decides whose news it is."""
    replies = [{"type": "reply", "id": number, "from": PHONE, "text": "Stop"} for number in ("r1", "r2")]
    barrier = threading.Barrier(2)

    def act(event):
        try:
            barrier.wait(10)
            call(Client(), event)
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(event,)) for event in replies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    reminders.tick()
    assert len(confirming.calls) == 1 and InboundEvent.objects.filter(processed_at__isnull=False).count() == 2


def test_a_confirmation_that_could_not_leave_is_not_tried_again(client, sent, confirming):
    confirming.mood = "unavailable"
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "Stop"})
    reminders.tick()
    reminders.tick()
    assert len(confirming.calls) == 1


def test_a_provider_that_answers_a_stop_itself_is_left_to_it(client, sent, confirming, monkeypatch):
    monkeypatch.setattr("dispensary.channels.gateway.Gateway.confirms_stop", False)
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "Stop"})
    reminders.tick()
    assert Suppression.objects.exists() and not confirming.calls


def test_a_message_that_cannot_wait_is_due_at_once_and_apart_from_other_replies(client, sent):
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "YES please"})
    call(client, {"type": "reply", "id": "r2", "from": PHONE, "text": "I am seeing things and shaking since yesterday"})
    reply, urgent = (WorklistItem.objects.get(kind=kind) for kind in ("reply", "red-flag"))
    assert urgent.due_by == urgent.opened_at < reply.due_by
    assert "shaking" in urgent.reason and "YES" not in urgent.reason and "shaking" not in reply.reason


@pytest.mark.parametrize("text", ["I am shaking all over", "STOP. I am shaking all over"])
def test_a_message_that_cannot_wait_is_answered_once_with_the_emergency_number(client, sent, confirming, text):
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": text})
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": text})
    reminders.tick()
    reminders.tick()
    [(_, body)] = confirming.calls
    message = json.loads(body)
    assert message["to"] == PHONE and "Call 999 now" in message["text"]
    inbound = InboundEvent.objects.get(provider_event_id="r1")
    assert (inbound.result, inbound.facts) == ("red flag, answered", {}) and inbound.processed_at


def test_a_stop_with_more_is_confirmed_and_says_whom_to_call_once(client, sent, confirming):
    for name in ("r1", "r2"):
        call(client, {"type": "reply", "id": name, "from": PHONE, "text": "STOP, the calendar has another colour"})
        reminders.tick()
    [(_, body)] = confirming.calls
    answer = json.loads(body)["text"]
    assert "no more reminders" in answer and "nobody has read your message yet" in answer and "Call 999 now" in answer
    assert InboundEvent.objects.get(provider_event_id="r1").result == "free text, answered"


def test_a_stop_with_more_says_whom_to_call_where_the_provider_confirms(client, sent, confirming, monkeypatch):
    monkeypatch.setattr("dispensary.channels.gateway.Gateway.confirms_stop", False)
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "STOP, the calendar has another colour"})
    reminders.tick()
    [(_, body)] = confirming.calls
    answer = json.loads(body)["text"]
    assert "no more reminders" not in answer and "Call 999 now" in answer


def test_a_message_that_cannot_wait_is_answered_after_an_earlier_stop(client, sent, confirming):
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "STOP"})
    reminders.tick()
    call(client, {"type": "reply", "id": "r2", "from": PHONE, "text": "no tablets left"})
    reminders.tick()
    assert "Call 999 now" in json.loads(confirming.calls[-1][1])["text"] and len(confirming.calls) == 2
    assert "Messages to this patient are now off." in WorklistItem.objects.get(kind="red-flag").reason


def test_an_unknown_number_in_need_is_answered_and_staff_are_told_without_its_words(
    client, gateway, confirming, settings
):
    making.pharmacy()
    with http_gateway() as receiver:
        settings.DISPENSARY = {**settings.DISPENSARY, "staff_alerts": (receiver.url.replace("http://", "json://"),)}
        call(client, {"type": "reply", "id": "r1", "from": "+447700900555", "text": "my son had a seizure"})
        reminders.tick()
    assert "Call 999 now" in json.loads(confirming.calls[0][1])["text"]
    notices = [json.loads(body)["message"] for _, body in receiver.calls]
    assert notices == ["A message from a number that is not known here sounds urgent. Look now."]


def test_a_number_on_no_record_in_need_is_work_of_every_pharmacy_and_is_answered(client, gateway, confirming):
    making.pharmacy(), making.pharmacy()
    call(client, {"type": "reply", "id": "r1", "from": "+447700900555", "text": "Hello? I have no tablets"})
    reminders.tick()
    items = WorklistItem.objects.all()
    assert [(item.patient, item.kind) for item in items] == [(None, "red-flag")] * 2
    assert {item.pharmacy for item in items} == set(Pharmacy.objects.all())
    assert items[0].due_by == items[0].opened_at
    assert items[0].reason == "+447700900555 wrote: “Hello? I have no tablets” The number is on no record here."
    answer = json.loads(confirming.calls[0][1])["text"]
    assert answer.startswith("Your pharmacy: your message may be urgent") and "Call 999 now" in answer


def test_a_number_on_no_record_that_writes_arabic_is_answered_in_arabic(client, gateway, confirming):
    making.pharmacy()
    call(client, {"type": "reply", "id": "r1", "from": "+447700900555", "text": "لا أستطيع إيقاظه"})
    reminders.tick()
    assert "اتصلوا" in json.loads(confirming.calls[0][1])["text"]


def test_the_log_does_not_repeat_the_words_of_a_number_on_no_record(client, gateway):
    pharmacy = making.pharmacy()
    call(client, {"type": "reply", "id": "r1", "from": "+447700900555", "text": "I have no tablets"})
    with reading(pharmacy.pk):
        bodies = list(AuditBody.objects.values_list("body", flat=True))
    assert any("a number on no record" in body.lower() for body in bodies)
    assert not any("900555" in body or "no tablets" in body for body in bodies)


@pytest.mark.parametrize(
    ("pharmacies", "answer"), [(1, "nobody has read your message yet"), (2, "Please call your pharmacy")]
)
def test_a_message_of_a_number_on_no_record_is_work_where_there_is_one_pharmacy_and_answered_in_any_case(
    client, gateway, confirming, pharmacies, answer
):
    for _ in range(pharmacies):
        making.pharmacy()
    call(client, {"type": "reply", "id": "r1", "from": "+447700900555", "text": "Are you open today?"})
    assert WorklistItem.objects.filter(kind="reply", patient=None).count() == (pharmacies == 1)
    reminders.tick()
    [text] = [json.loads(body)["text"] for _, body in confirming.calls]
    assert answer in text and "999" in text


@pytest.mark.parametrize(("text", "result"), [("ok thanks", "work"), ("Yes please", "work"), ("ok?", "free text")])
def test_what_is_no_plain_yes_or_thanks_is_told_whom_to_call_until_somebody_reads_it(
    client, sent, confirming, text, result
):
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": text})
    reminders.tick()
    assert InboundEvent.objects.get().result.startswith(result)
    answers = [json.loads(body)["text"] for _, body in confirming.calls]
    assert len(answers) == (result == "free text")
    assert all("nobody has read your message yet" in answer and "Call 999 now" in answer for answer in answers)


def test_who_writes_again_within_the_hour_is_told_once_whom_to_call(client, sent, confirming):
    for number, text in (("r1", "the calendar has another colour"), ("r2", "hello?")):
        call(client, {"type": "reply", "id": number, "from": PHONE, "text": text})
        reminders.tick()
    assert len(confirming.calls) == 1 and "hello?" in WorklistItem.objects.get(kind="reply").reason
    long_ago = database_now() - timedelta(minutes=61)
    InboundEvent.objects.update(received_at=long_ago)
    call(client, {"type": "reply", "id": "r3", "from": PHONE, "text": "are you there"})
    reminders.tick()
    assert len(confirming.calls) == 2
    call(client, {"type": "reply", "id": "r4", "from": PHONE, "text": "I am shaking all over"})
    reminders.tick()
    assert "may be urgent" in json.loads(confirming.calls[2][1])["text"]


def test_the_words_of_an_answered_message_are_kept_in_its_work_only(client, sent, confirming):
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "the calendar has another colour"})
    reminders.tick()
    event = InboundEvent.objects.get()
    assert event.result == "free text, answered"
    assert event.facts == {"sender": ContactPoint.objects.get().address_digest}


def test_a_stop_from_a_number_that_nobody_has_is_remembered(client, gateway, db):
    call(client, {"type": "reply", "id": "r1", "from": "+447700900555", "text": "STOP"})
    assert Suppression.objects.get().medium == "sms"


def test_twilio_gets_the_answer_that_it_understands(client, db, settings):
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    account = {"account_sid": "AC1", "from": "+15005550006", "auth_token": Twilio.TOKEN, "webhook_url": ADDRESS}
    settings.DISPENSARY = {**settings.DISPENSARY, "channels": {"sms": "twilio"}, "channel_options": {"twilio": account}}
    signed = {"X-Twilio-Signature": signature(form)}
    answer = client.post(
        "/hooks/twilio", urlencode(form), content_type="application/x-www-form-urlencoded", headers=signed
    )
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"<Response/>", "text/xml")
    assert InboundEvent.objects.get().channel == "twilio"


def test_vonage_is_asked_to_call_again_where_its_signature_is_missing_and_a_repeat_is_nothing_new(client, db, settings):
    account = {
        "application_id": "a",
        "private_key": private_key()[1],
        "from": "City",
        "signature_secret": Vonage.SECRET,
    }
    settings.DISPENSARY = {**settings.DISPENSARY, "channels": {"sms": "vonage"}, "channel_options": {"vonage": account}}
    body = json.dumps(inbound("STOP")).encode()

    def post(**headers):
        return client.post("/hooks/vonage", body, content_type="application/json", headers=headers)

    assert post().status_code == 503 and not InboundEvent.objects.exists()
    answers = [post(Authorization=signed(body, at=time.time())).json() for _ in range(2)]
    assert answers == [{"received": 1, "new": 1}, {"received": 1, "new": 0}]
    assert Suppression.objects.get().medium == "sms"


def test_nhs_notify_gets_the_statuses_that_it_documents(client, db, settings):
    account = options_at("http://127.0.0.1:1", private_key())
    nhs_settings = {"channels": {"sms": "nhs_notify"}, "channel_options": {"nhs_notify": account}}
    settings.DISPENSARY = {**settings.DISPENSARY, **nhs_settings}
    body = json.dumps({"data": [of_channel("failed", "permanent_failure")]}).encode()

    def post(**headers):
        return client.post(
            "/hooks/nhs_notify", body, content_type="application/vnd.api+json", headers=headers
        ).status_code

    key_header = {"x-api-key": NhsNotify.CALLBACK_KEY}
    assert [post(), post(**key_header)] == [401, 403] and not InboundEvent.objects.exists()
    assert post(**key_header, **{"x-hmac-sha256-signature": hmac_of(body)}) == 202
    assert InboundEvent.objects.get().facts["permanent"] is True


def test_another_reply_is_work_for_a_person_and_not_kept_in_the_event(client, sent):
    call(client, {"type": "reply", "id": "r1", "from": PHONE, "text": "I have moved to my sister"})
    assert "moved to my sister" in WorklistItem.objects.get(kind="reply").reason
    reminders.tick()
    assert "text" not in InboundEvent.objects.get().facts


def test_a_forged_call_is_refused_and_leaves_nothing(client, sent):
    assert call(client, receipt(sent, "delivered"), secret="guessed").status_code == 403
    assert not InboundEvent.objects.exists() and outcome(sent) is DeliveryOutcome.ACCEPTED


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_signature_older_or_newer_than_five_minutes_is_refused(client, sent, seconds):
    assert call(client, receipt(sent, "delivered"), at=time.time() + seconds).status_code == 403


@pytest.mark.parametrize(
    "raw",
    [b"", b"nonsense", b"{}", b"[1]", b"\xff\xfe", b'{"type":"receipt","id":1,"status":"delivered"}',
     b"[" * 100_000, b'{"type":"receipt","id":"","status":"delivered"}', b'{"type":"receipt","id":"' + b"x" * 151 + b'","status":"delivered"}',
     b'{"type":"reply","id":"e","from":"+1","text":"\\ud800"}',
     b'{"type":"receipt","id":"e","status":"exploded"}', b'{"type":"reply","id":"e","from":"+1","text":"a\\u0000b"}'],
)  # fmt: skip
def test_a_signed_call_that_cannot_be_read_gets_a_sentence(client, gateway, raw):
    answer = call(client, None, raw=raw)
    assert answer.status_code == 400 and "could not be read" in answer.json()["detail"]
    assert answer["Content-Type"] == "application/problem+json"
    assert not InboundEvent.objects.exists()


@pytest.mark.parametrize("channel", ["sink", "email", "os", "nothing"])
def test_a_channel_that_takes_no_calls_refuses_them(client, gateway, channel):
    assert call(client, {}, channel=channel).status_code in {403, 404}


def test_a_very_large_call_is_refused(client, gateway):
    assert call(client, None, raw=b" " * 200_001).status_code == 413


@pytest.mark.parametrize(("length", "status"), [("many", 400), ("-1", 400), ("²", 400), ("9" * 30, 413)])
def test_a_length_that_is_none_is_refused_with_a_sentence(rf, gateway, length, status):
    answer = receive_events(rf.generic("POST", "/hooks/gateway", b"{}", CONTENT_LENGTH=length), "gateway")
    assert (answer.status_code, json.loads(answer.content)["status"]) == (status, status)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_what_is_signed_is_the_raw_body_whatever_it_calls_itself(client, sent, kind):
    body = json.dumps(receipt(sent, "delivered")).encode()
    answer = client.generic(
        "POST", "/hooks/gateway", body, content_type=kind, headers={HEADER: sign(SECRET, body, time.time())}
    )
    assert answer.status_code == 200 and outcome(sent) is DeliveryOutcome.DELIVERED


def test_a_flood_of_forged_calls_reaches_no_table(client, gateway, django_assert_num_queries):
    with django_assert_num_queries(0):
        for _ in range(50):
            assert call(client, {}, secret="guessed").status_code == 403
