"""Messages that were accepted and have no receipt: polled once, a day later, and then as if the receipt had come."""

from datetime import timedelta

import pytest
from django.db.models import F

from dispensary import reminders
from dispensary.models import Delivery, DeliveryOutcome, EngineCounter, EngineTurn, Reminder, ReminderState
from tests.dispensary.channels.providers import NhsNotify, Notify, Twilio, private_key, running
from tests.dispensary.channels.test_nhs_notify import options_at
from tests.dispensary.reminders import making
from tests.dispensary.reminders.conftest import database_now

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(hours=24)


@pytest.fixture
def provider(settings):
    with running(Notify()) as notify:
        notify_options = {"api_key": notify.API_KEY, "template_id": notify.TEMPLATE, "base_url": notify.url, "read": 1}
        settings.DISPENSARY = {
            **settings.DISPENSARY,
            "channels": {"email": "email", "sms": "govuk_notify"},
            "channel_options": {"govuk_notify": notify_options},
        }
        yield notify


@pytest.fixture
def sent(due, provider):
    """Accepted by the provider just over a day ago; no receipt has come."""
    reminder = due("run_out", reach=("sms",), sms_address="+447700900123")
    reminders.drain()
    Delivery.objects.update(started_at=database_now() - DAY - timedelta(minutes=1))
    assert Delivery.objects.get().outcome == DeliveryOutcome.ACCEPTED
    return reminder


def ask_again():
    EngineTurn.objects.filter(name="missing-receipts").update(at=F("at") - timedelta(hours=1))
    return reminders.poll_missing_receipts()


def counted(name):
    return sum(EngineCounter.objects.filter(name=name).values_list("count", flat=True))


def test_what_has_arrived_is_learnt_from_the_provider(sent, provider):
    provider.status = "delivered"
    assert reminders.poll_missing_receipts() == 1
    sent.refresh_from_db()
    assert sent.state == ReminderState.DELIVERED and counted("receipt-asked-for") == 1


def test_what_has_not_arrived_goes_to_the_next_address_or_to_a_person(sent, provider):
    making.reachable(sent.patient, "email")
    provider.status = "permanent-failure"
    reminders.poll_missing_receipts()
    sent.refresh_from_db()
    assert sent.state == ReminderState.SCHEDULED and Delivery.objects.get().outcome == DeliveryOutcome.UNDELIVERED
    assert sent.patient.contact_points.get(medium="sms").fault == "refused"


def test_each_is_asked_about_once_and_what_nobody_knows_is_counted(sent, provider):
    asked = len(provider.calls)
    assert reminders.poll_missing_receipts() == 1 and ask_again() == 0
    assert len(provider.calls) == asked + 1 and counted("receipt-missing") == 1


def test_what_is_younger_than_a_day_is_left_alone_until_it_is_not(sent, provider):
    Delivery.objects.update(started_at=database_now() - DAY + timedelta(minutes=1))
    assert reminders.poll_missing_receipts() == 0
    Delivery.objects.update(started_at=database_now() - DAY - timedelta(minutes=1))
    assert ask_again() == 1


def test_a_provider_that_does_not_answer_is_asked_again_in_an_hour(sent, provider):
    provider.mood, provider.status = "broken", "delivered"
    assert reminders.poll_missing_receipts() == 0
    assert reminders.poll_missing_receipts() == 0  # within the hour nobody asks
    provider.mood = "kind"
    assert ask_again() == 1
    sent.refresh_from_db()
    assert sent.state == ReminderState.DELIVERED


def test_what_has_its_receipt_already_is_not_asked_about(sent, provider):
    Delivery.objects.update(outcome=DeliveryOutcome.DELIVERED)
    asked = len(provider.calls)
    assert reminders.poll_missing_receipts() == 1 and len(provider.calls) == asked


def test_a_channel_that_cannot_be_asked_holds_up_nobody(due, outbox):
    due()
    reminders.drain()
    Delivery.objects.update(started_at=database_now() - DAY - timedelta(minutes=1))
    assert reminders.poll_missing_receipts() == 1 and not counted("receipt-missing")
    assert Reminder.objects.get().state == ReminderState.SENT


@pytest.mark.parametrize(("status", "receipt_count", "permanent"), [(("sent", None), 0, False), (("delivered", None), 1, False),
                                                            (("undelivered", 30005), 1, True)])  # fmt: skip
def test_twilio_is_asked_by_its_own_number(status, receipt_count, permanent):
    from dispensary.channels.twilio import Twilio as Channel

    with running(Twilio()) as twilio:
        twilio.status = status
        channel = Channel({"account_sid": twilio.SID, "auth_token": twilio.TOKEN, "from": "+1", "base_url": twilio.url})
        receipts = [receipt] if (receipt := channel.fetch_receipt("SM1")) else []
        assert len(receipts) == receipt_count and all(one_receipt.permanent is permanent for one_receipt in receipts)
        twilio.mood = "away"
        with pytest.raises(LookupError):
            channel.fetch_receipt("SM1")
        channel.close()


def test_nhs_notify_is_asked_by_its_own_number():
    from dispensary.channels.nhs_notify import NhsNotify as Channel

    key = private_key()
    with running(NhsNotify(key[0])) as notify:
        channel = Channel(options_at(notify.url, key))
        assert channel.fetch_receipt("2WL") is None
        notify.status = "delivered"
        assert channel.fetch_receipt("2WL").provider_message_id == "2WL"
        notify.door, channel._token = "503", ""
        with pytest.raises(LookupError):
            channel.fetch_receipt("2WL")
        channel.close()
