"""What is due at one address at one time leaves as one message, and each reminder keeps its own row, delivery and receipts."""

import re
from datetime import timedelta

import pytest

from dispensary import reminders
from dispensary.channels import Receipt, ReceiptStatus
from dispensary.models import ContactPoint, Delivery, Patient, Reminder, ReminderState, WorklistItem
from dispensary.reminders import digests, outcomes, queue
from dispensary.reminders.texts import LANGUAGES
from tests.dispensary import make
from tests.dispensary.reminders import making
from tests.dispensary.reminders.conftest import database_now

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+447700900123"


@pytest.fixture
def children(due, awake):
    """Two children whose messages go to one telephone, each with one that is due."""
    people = [making.patient(awake, given_name=name, family_name="Canary") for name in ("Ann", "Tom")]
    return [due("run_out", person=person, reach=("sms",), sms_address=PHONE) for person in people]


@pytest.fixture
def two_of_one(due, awake):
    """A nudge about the supply and a message about the next step, of one patient."""
    person = making.patient(awake)
    return [
        due("refill_due", person=person, reach=("sms",), sms_address=PHONE),
        due("dose_change", person=person, reach=()),
    ]


def states(rows):
    return [Reminder.objects.get(pk=row.pk).get_state_display() for row in rows]


def test_two_children_on_one_phone_get_one_message_with_both_pages(children, outbox):
    done = reminders.drain()
    [message] = outbox.sent
    codes = ContactPoint.objects.order_by("patient_id").values_list("page_code", flat=True)
    assert [code for code in codes if message["text"].count(f"/{code}") == 1] == list(codes)
    assert done.sent == 2 and states(children) == ["Sent", "Sent"]
    assert sorted(Delivery.objects.values_list("reminder", "outcome", "key")) == sorted(
        (row.pk, 20, Delivery.objects.first().key) for row in children
    )


def test_a_supply_and_a_step_of_one_patient_are_one_message_with_one_sender_page_and_telephone(two_of_one, outbox):
    reminders.drain()
    [message] = outbox.sent
    code = ContactPoint.objects.get().page_code
    assert [message["text"].count(part) for part in ("City Pharmacy", "020 7946 0999", code)] == [1, 1, 1]
    assert re.search(r"City Pharmacy: your medicine changes .* Your supply ends before", message["text"])
    assert states(two_of_one) == ["Sent", "Sent"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_names_the_sender_once_and_no_empty_words(two_of_one, outbox, language):
    make.change_past_actions(Patient.objects.all(), language=language)
    reminders.drain()
    [message] = outbox.sent
    assert message["text"].count("City Pharmacy") == 1 and " : :" not in message["text"]
    assert not re.search(r"[.?] ?:", message["text"])


def test_children_who_read_different_languages_get_a_message_each(children, outbox):
    make.change_past_actions(Patient.objects.filter(pk=children[1].patient_id), language="fr")
    reminders.drain()
    assert len(outbox.sent) == 2


def test_more_than_a_message_holds_follows_in_another(due, awake, outbox):
    people = [making.patient(awake, given_name=name, family_name="Canary") for name in "ABCDE"]
    for person in people:
        due("run_out", person=person, reach=("sms",), sms_address=PHONE)
    assert reminders.drain().sent == digests.MOST + 1
    assert len(outbox.sent) == 2


def test_what_is_due_at_the_address_is_claimed_beside_a_full_batch(children, outbox, settings):
    settings.DISPENSARY = {**settings.DISPENSARY, "reminder_batch": 1}
    reminders.drain()
    assert len(outbox.sent) == 1 and states(children) == ["Sent", "Sent"]


def test_what_was_withdrawn_meanwhile_is_not_said_and_the_other_leaves(children, outbox, monkeypatch):
    begin = digests.begin

    def withdraw_first(lease, digest):
        Reminder.objects.filter(pk=children[0].pk).update(
            state=ReminderState.WITHDRAWN, lease_token=None, lease_until=None, lease_owner=""
        )
        return begin(lease, digest)

    monkeypatch.setattr(digests, "begin", withdraw_first)
    reminders.drain()
    [message] = outbox.sent
    assert "T.C." in message["text"] and "A.C." not in message["text"]
    assert states(children) == ["Withdrawn", "Sent"]


def test_a_receipt_counts_for_all_that_the_message_says(children, outbox):
    reminders.drain()
    [number] = Delivery.objects.exclude(provider_message_id="").values_list("provider_message_id", flat=True)
    receipt = Receipt("e1", ReceiptStatus.DELIVERED, provider_message_id=number)
    reminders.keep(channel="sink", events=[receipt], now=database_now())
    reminders.act_on_events(now=database_now())
    assert states(children) == ["Delivered", "Delivered"]


def test_a_refusal_for_good_ends_the_address_of_both(children, outbox):
    outbox.set_faults(answer="bad-address")
    reminders.drain()
    assert set(ContactPoint.objects.values_list("fault", flat=True)) == {"refused"}
    assert states(children) == ["Could not be sent", "Could not be sent"]
    assert WorklistItem.objects.filter(kind="unreachable").count() == 2


def test_a_lost_answer_is_settled_for_each_by_its_kind(two_of_one, outbox):
    outbox.set_faults(answer="lose-answer", times=1)
    reminders.drain()
    nudge, step = two_of_one
    assert states([step, nudge]) == ["Sent", "May or may not have been sent"]
    assert WorklistItem.objects.get(reminder=nudge).kind == "maybe-sent"


@pytest.mark.parametrize("policy", ["by-kind", "same-key"])
def test_a_nudge_in_a_message_in_doubt_is_left_to_a_person_also_where_the_provider_folds_keys(
    two_of_one, outbox, policy
):
    outbox.set_sink_options(after_crash=policy)
    outbox.set_faults(answer="lose-answer", times=1)
    reminders.drain()
    nudge, step = two_of_one
    assert states([step, nudge]) == ["Sent", "May or may not have been sent"]
    assert sum("our supply ends" in message["text"] for message in outbox.sent) == 1


def test_a_nudge_in_doubt_that_a_provider_knows_by_its_key_joins_no_other_message(due, outbox):
    outbox.set_sink_options(after_crash="same-key")
    nudge = due("refill_due", reach=("sms",), sms_address=PHONE)
    outbox.set_faults(answer="lose-answer", times=1)
    answered = outcomes.in_doubt

    def meet_another(**doubt):
        answered(**doubt)
        due("dose_change", person=nudge.patient, reach=())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcomes, "in_doubt", meet_another)
        reminders.drain()
    reminders.drain()
    assert sum("our supply ends" in message["text"] for message in outbox.sent) == 1
    assert len(outbox.sent) == 2


def test_a_digest_begins_for_all_or_for_none(children, outbox):
    lease = queue.claim(owner="w", count=10, lease=timedelta(seconds=60))
    Reminder.objects.filter(pk=children[1].pk).update(
        useful_until=database_now() - timedelta(seconds=1), due_at=database_now() - timedelta(seconds=2)
    )
    parameters = {
        "ids": [row.pk for row in children], "token": lease.token, "send_timeout": 1.0, "medium": "sms", "channel": "sink",
        "key": children[0].public_id, "digest": "", "language": "en", "words": "", "contacts": [None, None],
        "detailed": [False, False], "segments": [1, 0],
    }  # fmt: skip
    assert queue.begin_together(lease, parameters) is None
    assert not Delivery.objects.exists() and not Reminder.objects.exclude(sending_since=None).exists()
