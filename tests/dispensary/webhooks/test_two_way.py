"""Numbered replies to what messages ask: recorded, made work, answered once; silence after a step down is work, too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from dispensary import reminders
from dispensary.models import (
    Answer,
    OrderSummary,
    PatientAnswer,
    Reminder,
    ReminderState,
    Withdrawal,
    WorkKind,
    WorklistItem,
)
from dispensary.models.reminders import ReminderKind
from dispensary.reminders.replies import read_answer
from dispensary.reminders.two_way import open_unanswered
from tests.dispensary.channels.servers import http_gateway
from tests.dispensary.reminders import making
from tests.dispensary.reminders.conftest import database_now
from tests.dispensary.webhooks.test_webhooks import PHONE, SECRET, call

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


@pytest.fixture
def gateway(settings: Any) -> Iterator[Any]:
    """The gateway at a running server, so that what is sent can be seen."""
    with http_gateway() as server:
        settings.DISPENSARY = {
            **settings.DISPENSARY,
            "channels": {"email": "email", "sms": "gateway"},
            "channel_options": {"gateway": {"url": server.url, "secret": SECRET}},
            "public_url": "https://pharmacy.example",
        }
        yield server


@pytest.fixture
def asked(due: Callable[..., Reminder], gateway: Any) -> Callable[..., Reminder]:
    """Make a patient whom a message has asked something."""

    def make(kind: str, **more: Any) -> Reminder:
        to_phone: dict[str, Any] = {"reach": ("sms",), "sms_address": PHONE, **more}
        if ReminderKind(kind).about_refill:
            reminder = due(kind, **to_phone)
        else:
            first = due(**to_phone)
            reminder = due(kind, person=first.patient, reach=())
            first.delete()
        Reminder.objects.filter(pk=reminder.pk).update(state=ReminderState.SENT)
        return reminder

    return make


def reply(client: Client, text: str, number: str = "r1") -> None:
    assert call(client, {"type": "reply", "id": number, "from": PHONE, "text": text}).status_code == 200


def texts(server: Any) -> list[str]:
    return [json.loads(body)["text"] for _path, body in server.calls]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("1", (Answer.ORDER, "")),
        (" 2. ", (Answer.CALL, "")),
        ("7", (Answer.UNWELL, "")),
        ("1b", (Answer.ORDER, "B")),
        ("B 1", (Answer.ORDER, "B")),
        ("٦", (Answer.WELL, "")),
        ("８", None),
        ("0", None),
        ("8", None),
        ("12", None),
        ("1 tablet left", None),
        ("1 or 2?", None),
        ("-1", None),
        ("1.5", None),
        ("", None),
    ],
)
def test_only_a_number_with_at_most_a_letter_is_an_answer(text: str, answer: object) -> None:
    assert read_answer(text) == answer


def test_a_request_is_work_that_says_which_supply_and_what_the_rules_say_and_is_answered_once(
    client: Client, asked: Callable[..., Reminder], gateway: Any
) -> None:
    reminder = asked("refill_due")
    reply(client, "1")
    answer = PatientAnswer.objects.get()
    assert (answer.answer, answer.reminder_id, answer.source) == ("order", reminder.pk, "reply")
    work = WorklistItem.objects.get(kind=WorkKind.ORDER_REQUESTED)
    assert "asks for the next supply. The tablets last to" in work.reason
    assert OrderSummary.objects.get().get_state_display().lower() in work.reason
    reminders.tick()
    [text] = texts(gateway)
    assert "we have your request" in text
    reply(client, "1", "r2")
    assert WorklistItem.objects.filter(kind=WorkKind.ORDER_REQUESTED).count() == PatientAnswer.objects.count() == 1


def test_the_request_is_over_when_a_supply_was_handed_over(client: Client, asked: Callable[..., Reminder]) -> None:
    reminder = asked("refill_due")
    reply(client, "1")
    making.follow(reminder.patient, database_now(), Withdrawal.NEW_DISPENSE)
    assert WorklistItem.objects.get(kind=WorkKind.ORDER_REQUESTED).resolution == "by-event"


@pytest.mark.parametrize(
    ("kind", "text", "work", "words"),
    [
        ("refill_again", "2", WorkKind.REPLY, "asks to be called"),
        ("change_day", "4", WorkKind.REPLY, "does not take the new dose since"),
        ("change_day", "5", WorkKind.REPLY, "does not know how"),
        ("step_check", "7", WorkKind.RED_FLAG, "is not well since"),
        ("after_end", "7", WorkKind.RED_FLAG, "is not well since"),
    ],
)
def test_an_answer_that_needs_a_person_is_work(
    client: Client, asked: Callable[..., Reminder], kind: str, text: str, work: WorkKind, words: str
) -> None:
    asked(kind)
    reply(client, text)
    assert words in WorklistItem.objects.get(kind=work).reason


def test_who_is_not_well_is_answered_at_once_with_the_emergency_number(
    client: Client, asked: Callable[..., Reminder], gateway: Any
) -> None:
    asked("step_check")
    reply(client, "7")
    reminders.tick()
    [text] = texts(gateway)
    assert "999" in text and "Do not wait for a reply" in text


@pytest.mark.parametrize(("kind", "text"), [("change_day", "3"), ("step_check", "6")])
def test_who_is_well_or_has_changed_makes_no_work(
    client: Client, asked: Callable[..., Reminder], kind: str, text: str
) -> None:
    asked(kind)
    reply(client, text)
    assert PatientAnswer.objects.count() == 1 and not WorklistItem.objects.exists()


@pytest.mark.parametrize(("kind", "text"), [("run_out", "6"), ("refill_due", "7"), ("step_check", "1")])
def test_a_number_that_answers_nothing_that_was_asked_is_read_by_a_person(
    client: Client, asked: Callable[..., Reminder], kind: str, text: str
) -> None:
    asked(kind)
    reply(client, text)
    assert not PatientAnswer.objects.exists()
    assert f"“{text}”" in WorklistItem.objects.get(kind=WorkKind.REPLY).reason


def test_a_question_ends_with_its_course(client: Client, asked: Callable[..., Reminder]) -> None:
    reminder = asked("refill_due")
    reminder.plan.ended_at, reminder.plan.ended_reason = database_now(), Withdrawal.PRESCRIPTION_STOPPED
    reminder.plan.save()
    reply(client, "1")
    assert not PatientAnswer.objects.exists() and WorklistItem.objects.filter(kind=WorkKind.REPLY).exists()


def test_of_two_at_one_number_the_letter_says_who_and_without_it_is_asked(
    client: Client, asked: Callable[..., Reminder], gateway: Any
) -> None:
    first = asked("refill_due")
    sister = making.patient(first.pharmacy, given_name="Bea", family_name="Canary")
    second = asked("refill_due", person=sister)
    reply(client, "1")
    assert not PatientAnswer.objects.exists()
    reminders.tick()
    [text] = texts(gateway)
    assert "for whom is this?" in text and "A A.C., B B.C." in text
    reply(client, "1B", "r2")
    assert [answer.reminder_id for answer in PatientAnswer.objects.all()] == [second.pk]


@pytest.mark.parametrize(("hours", "opened"), [(23, 0), (25, 1)])
def test_no_answer_for_a_day_after_a_step_down_is_work_once(
    asked: Callable[..., Reminder], hours: int, opened: int
) -> None:
    reminder = asked("step_check")
    now = reminder.due_at + hours * HOUR
    assert open_unanswered(now=now) == opened and open_unanswered(now=now + HOUR / 2) == 0
    assert WorklistItem.objects.filter(kind=WorkKind.NO_ANSWER, reminder=reminder).count() == opened


def test_a_late_answer_closes_the_work(client: Client, asked: Callable[..., Reminder]) -> None:
    reminder = asked("step_check")
    open_unanswered(now=reminder.due_at + 25 * HOUR)
    reply(client, "6")
    assert WorklistItem.objects.get(kind=WorkKind.NO_ANSWER).resolution == "by-event"
    assert open_unanswered(now=reminder.due_at + 26 * HOUR) == 0


def test_where_nothing_can_answer_silence_is_no_work(asked: Callable[..., Reminder], settings: Any) -> None:
    reminder = asked("step_check")
    options = {"gateway": {**settings.DISPENSARY["channel_options"]["gateway"], "takes_replies": False}}
    settings.DISPENSARY = {
        **settings.DISPENSARY, "channel_options": options, "channels": {"sms": "gateway"}, "public_url": "",
    }  # fmt: skip
    assert open_unanswered(now=reminder.due_at + 25 * HOUR) == 0


def test_other_kinds_are_not_missed(asked: Callable[..., Reminder]) -> None:
    reminder = asked("refill_due")
    assert open_unanswered(now=reminder.due_at + 48 * HOUR) == 0


def test_a_text_message_says_which_replies_it_takes(due: Callable[..., Reminder], gateway: Any) -> None:
    due("refill_due", reach=("sms",), sms_address=PHONE)
    reminders.drain()
    [text] = texts(gateway)
    assert "Reply 1 order, 2 call." in text
    assert ReminderKind.REFILL_DUE in {row.kind for row in Reminder.objects.all()}
