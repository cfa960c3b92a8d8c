"""The events of an e-mail provider, in Postmark's own format and through django-anymail's view."""

import base64
import json

import pytest
from anymail.signals import inbound, tracking
from anymail.webhooks.postmark import PostmarkInboundWebhookView, PostmarkTrackingWebhookView
from django.core.exceptions import SuspiciousOperation

from dispensary import reminders
from dispensary.models import (
    Consent,
    ContactPoint,
    Delivery,
    DeliveryOutcome,
    InboundEvent,
    Reminder,
    ReminderState,
    Suppression,
    WorklistItem,
)
from dispensary.webhooks.mail_events import cut_quotes, receive_inbound, receive_tracking
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "postmark:a-long-secret"
NUMBER = "883953f4-6105-42a2-a16a-77a8eac79483"


@pytest.fixture
def letter(due, outbox, settings):
    """A letter that the provider has accepted under its own number."""
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}
    tracking.connect(receive_tracking, dispatch_uid="test")
    due("run_out")
    reminders.drain()
    Delivery.objects.update(channel="email", provider_message_id=NUMBER)
    settings.DISPENSARY = {**settings.DISPENSARY, "channels": {"email": "sink", "sms": "sink"}}
    yield Delivery.objects.get()
    tracking.disconnect(dispatch_uid="test")


@pytest.fixture
def tell(rf):
    def call(secret=SECRET, **fields):
        body = json.dumps({"MessageID": NUMBER, "Recipient": "ann@example.org", **fields})
        headers = {"Authorization": "Basic " + base64.b64encode(secret.encode()).decode()}
        return PostmarkTrackingWebhookView.as_view()(
            rf.post("/hooks/mail/postmark/tracking/", body, content_type="application/json", headers=headers)
        )

    return call


def outcome():
    return DeliveryOutcome(Delivery.objects.get().outcome)


def test_a_letter_that_has_arrived_says_so_once(letter, tell):
    for _ in range(3):
        assert tell(RecordType="Delivery", DeliveredAt="2026-11-22T10:00:00Z").status_code == 200
    assert outcome() is DeliveryOutcome.DELIVERED and Reminder.objects.get().state == ReminderState.DELIVERED
    assert InboundEvent.objects.count() == 1


def test_a_mailbox_that_does_not_exist_is_not_written_to_again_and_a_person_hears_of_it(letter, tell):
    tell(RecordType="Bounce", ID=42, Type="BadEmailAddress", BouncedAt="2026-11-22T10:00:00Z")
    assert outcome() is DeliveryOutcome.UNDELIVERED and ContactPoint.objects.get().fault == "refused"
    reminders.drain()
    assert Reminder.objects.get().state == ReminderState.FAILED
    assert WorklistItem.objects.get().kind == "unreachable"


def test_a_mailbox_that_is_full_is_written_to_again_another_time(letter, tell):
    """Providers tell a full mailbox and a dead one by the same word; only one that is no mailbox at all is marked."""
    making.reachable(letter.reminder.patient, "sms", address="+447700900123")
    tell(RecordType="Bounce", ID=43, Type="SoftBounce", BouncedAt="2026-11-22T10:00:00Z")
    assert outcome() is DeliveryOutcome.BOUNCED
    assert ContactPoint.objects.get(medium="email").fault == ""
    reminders.drain()
    assert Delivery.objects.filter(medium="sms").exists()  # this message goes to the next address


def test_a_complaint_stops_letters_and_a_yes_does_not_lift_it(letter, tell):
    tell(RecordType="SpamComplaint", ID=44, Type="SpamComplaint", BouncedAt="2026-11-22T10:00:00Z")
    assert Consent.objects.get().answer == "no" and Suppression.objects.get().reason == "complained"


def test_who_unsubscribes_at_the_provider_gets_no_letters_and_keeps_text_messages(letter, tell):
    making.reachable(letter.reminder.patient, "sms", address="+447700900123")
    tell(RecordType="SubscriptionChange", SuppressSending=True, SuppressionReason="ManualSuppression",
         Origin="Recipient", ChangedAt="2026-11-22T10:00:00Z")  # fmt: skip
    assert {consent.medium: consent.answer for consent in Consent.objects.all()} == {"email": "no", "sms": "yes"}
    assert not Delivery.objects.filter(medium="sms").exists()  # they have got it


@pytest.mark.parametrize("kind", ["Open", "Click"])
def test_that_somebody_has_read_it_is_none_of_our_business(letter, tell, kind):
    tell(RecordType=kind, ReceivedAt="2026-11-22T10:00:00Z", OriginalLink="https://x.example", UserAgent="x")
    assert not InboundEvent.objects.exists()


def test_without_the_secret_nothing_is_believed(letter, tell):
    with pytest.raises(SuspiciousOperation):  # Django answers 400
        tell(secret="postmark:guessed", RecordType="Bounce", ID=42, Type="HardBounce")
    assert outcome() is DeliveryOutcome.ACCEPTED and not InboundEvent.objects.exists()


@pytest.fixture
def answer(rf, letter, settings):
    """Let the patient write to the address that letters are answered to."""
    inbound.connect(receive_inbound, dispatch_uid="test")

    def write(text, number="m1", sender=None, headers=()):
        sender = sender or ContactPoint.objects.get().address
        body = {
            "From": sender,
            "FromFull": {"Email": sender, "Name": "", "MailboxHash": ""},
            "To": "desk@harbour.example",
            "ToFull": [{"Email": "desk@harbour.example", "Name": "", "MailboxHash": ""}],
            "Subject": "Re: a message",
            "MessageID": number,
            "TextBody": text,
            "Headers": [{"Name": name, "Value": value} for name, value in headers],
            "Attachments": [],
        }
        headers = {"Authorization": "Basic " + base64.b64encode(SECRET.encode()).decode()}
        return PostmarkInboundWebhookView.as_view()(
            rf.post("/hooks/mail/postmark/inbound/", json.dumps(body), content_type="application/json", headers=headers)
        )

    yield write
    inbound.disconnect(dispatch_uid="test")


def test_a_letter_that_says_stop_ends_the_messages(answer):
    assert answer("Stop\n\nOn Mon, 30 Nov 2026 at 10:00, City Pharmacy wrote:\n> please call us").status_code == 200
    assert Consent.objects.get().answer == "no" and Suppression.objects.get().medium == "email"


def test_a_letter_that_says_stop_is_confirmed_by_whatever_sends_letters_here(answer, settings, tmp_path):
    sent = tmp_path / "sent"
    settings.DISPENSARY = {
        **settings.DISPENSARY,
        "channels": {"email": "sink"},
        "channel_options": {"sink": {"file": str(sent), "words": True}},
        "stop_scope": "medium",
    }
    answer("Stop")
    reminders.tick()
    assert "you will get no more e-mails from us" in sent.read_text()


def test_a_letter_that_cannot_wait_is_work_at_once(answer):
    answer("I have had a fit and I am shaking")
    assert "I am shaking" in WorklistItem.objects.get(kind="red-flag").reason


def test_what_a_letter_quotes_of_ours_is_not_read_as_the_patients_words(answer):
    answer("Thanks!\n\nOn Mon, 30 Nov 2026 City Pharmacy wrote:\n> Very ill, a fit, seeing things: 999")
    assert "Thanks!" in WorklistItem.objects.get().reason and "fit" not in WorklistItem.objects.get().reason
    assert WorklistItem.objects.get().kind == "reply"


def test_the_same_letter_twice_is_one(answer):
    for _ in range(2):
        answer("Please ring me")
    assert WorklistItem.objects.count() == 1 and InboundEvent.objects.count() == 1


@pytest.mark.parametrize("header", [("Auto-Submitted", "auto-replied"), ("X-Autoreply", "yes"), ("List-Id", "<x>")])
def test_what_a_program_wrote_is_not_read(answer, header):
    answer("I am out of office. Stop.", headers=[header])
    assert not InboundEvent.objects.exists() and Consent.objects.get().answer == "yes"


@pytest.mark.parametrize(
    ("letter_text", "words"),
    [
        ("Yes\n\n> quoted", "Yes\n"),
        ("1\n-- \nAnn", "1"),
        ("Oui\nLe lun. 30 nov. 2026 à 10:00, Pharmacie a écrit :\n> x", "Oui"),
        ("Sí\nEl lun, 30 nov 2026, Farmacia escribió:\n> x", "Sí"),
        ("Ja\n-----Original Message-----\nFrom: x", "Ja"),
        ("Ja\n________________________________\nFrom: x", "Ja"),
        ("I wrote: none left", "I wrote: none left"),
        ("- not a list\n-- but words --", "- not a list"),
    ],
)
def test_the_words_of_a_letter_end_where_its_quotation_begins(letter_text, words):
    assert cut_quotes(letter_text) == words
