"""`manage.py reminders`: the engine without a broker, and the questions people ask."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from dispensary.models import Dispense, Reminder, ReminderState, StaffMember
from dispensary.models.audit import AuditEntry
from tests.dispensary.reminders import making
from tests.dispensary.reminders.conftest import database_now

pytestmark = pytest.mark.django_db(transaction=True)


def run(capsys, *words):
    call_command("reminders", *[str(word) for word in words])
    return capsys.readouterr().out


@pytest.fixture
def staff(awake):
    user = get_user_model().objects.create_user(f"pat{uuid.uuid4().hex[:6]}")
    return StaffMember.objects.create(user=user, pharmacy=awake, role="pharmacist", display_name="Pat")


def test_run_once_sends_what_is_due_and_ends(due, outbox, capsys):
    due()
    assert "sent 1" in run(capsys, "run", "--once") and len(outbox.sent) == 1


def test_explain_says_that_nobody_asked(due, outbox, capsys):
    reminder = due(reach=())
    output = run(capsys, "explain", reminder.patient_id)
    assert "the patient has not been asked" in output and "No address is known" in output and "due since" in output


def test_explain_says_what_became_of_each(due, outbox, capsys):
    reminder = due()
    outbox.set_faults(answer="busy", times=1)
    run(capsys, "run", "--once")
    assert "(the provider was busy)" in run(capsys, "explain", reminder.patient_id)


def test_explain_names_no_address_and_no_person(due, outbox, capsys):
    reminder = due(email_address="canary@example.org")
    assert "canary" not in run(capsys, "explain", reminder.patient_id).casefold()


def test_resend_sends_again_with_a_new_key_and_says_who_did_it(due, outbox, staff, capsys):
    reminder = due()
    run(capsys, "run", "--once")
    run(capsys, "resend", reminder.public_id, "--by", staff.user.username, "--despite-quiet-hours")
    run(capsys, "run", "--once")
    assert len({message["key"] for message in outbox.sent}) == 2
    entry = AuditEntry.objects.get(action="reminder.planned", subject_id=str(reminder.public_id))
    assert (entry.actor, entry.reason_code) == (f"user:{staff.user_id}", "sent-again")


def test_withdraw_keeps_it_from_leaving(due, outbox, staff, capsys):
    reminder = due()
    run(capsys, "withdraw", reminder.public_id, "--by", staff.user.username)
    run(capsys, "run", "--once")
    assert not outbox.sent and Reminder.objects.get().state == ReminderState.WITHDRAWN


def test_a_stranger_may_not_resend(due, outbox):
    other = making.pharmacy(name="Elsewhere")
    user = get_user_model().objects.create_user("stranger")
    StaffMember.objects.create(user=user, pharmacy=other, role="pharmacist", display_name="S")
    with pytest.raises(CommandError, match="does not work at that pharmacy"):
        call_command("reminders", "resend", str(due().public_id), "--by", "stranger")


@pytest.mark.parametrize("words", [["explain"], ["resend", "--by", "x"], ["withdraw", "--by", "x"], ["preview"]])
def test_an_unknown_number_gets_a_sentence(words):
    with pytest.raises(CommandError, match="There is no"):
        call_command("reminders", words[0], str(uuid.uuid4()), *words[1:])


def test_list_shows_state_in_words(due, outbox, awake, capsys):
    reminder = due()
    assert str(reminder.public_id) in run(capsys, "list", "--pharmacy", awake.pk)
    assert run(capsys, "list", "--pharmacy", awake.pk, "--state", "sent") == ""
    call_command("reminders", "list", "--pharmacy", str(awake.pk), "--state", "sent")
    assert capsys.readouterr().err == "There is none.\n"


def test_list_begins_with_what_is_owed_and_goes_on_with_the_newest(due, awake, outbox, capsys):
    due_reminder, old, new = due(), due(state=ReminderState.SENT), due(state=ReminderState.SENT)
    Reminder.objects.filter(pk=old.pk).update(due_at=old.due_at - timedelta(days=9))
    lines = run(capsys, "list", "--pharmacy", awake.pk).splitlines()
    assert [line.split()[0] for line in lines] == [str(row.public_id) for row in (due_reminder, new, old)]
    assert lines[0].split()[1:3] == ["patient", str(due_reminder.patient_id)]
    assert len(run(capsys, "list", "--pharmacy", awake.pk, "--limit", 2).splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["list", "--limit", "-1"], "1 to 10000"), (["list", "--limit", "0"], "1 to 10000"),
        (["list", "--limit", "many"], "1 to 10000"), (["list", "--state", "gone"], "invalid choice"),
        (["list"], "required"), (["run", "--interval", "0"], "0.1 to 3600"), (["run", "--interval", "nan"], "0.1 to 3600"),
        (["explain", "Canary"], "invalid UUID"), (["resend", "x"], "invalid UUID"), (["send"], "invalid choice"),
        (["preview", str(uuid.uuid4()), "--language", "tlh"], "invalid choice"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_what_is_expected(words, message):
    extra = ["--pharmacy", str(uuid.uuid4())] if words[0] == "list" and len(words) > 1 else []
    with pytest.raises(CommandError, match=message):
        call_command("reminders", *words, *extra)


def test_who_looks_stands_in_the_log(due, outbox, awake, staff, capsys):
    reminder, by = due(), staff.user.username
    run(capsys, "explain", reminder.patient_id)
    run(capsys, "explain", reminder.patient_id, "--by", by)
    run(capsys, "preview", reminder.patient.dispenses.get().pk, "--by", by)
    run(capsys, "list", "--pharmacy", awake.pk, "--by", by)
    looked = AuditEntry.objects.filter(action__in=["patient.opened", "patient.searched"], pharmacy=awake.pk).order_by(
        "recorded_at"
    )
    assert [(entry.action, entry.actor) for entry in looked] == [
        ("patient.opened", "system:shell"),
        ("patient.opened", f"user:{staff.user_id}"),
        ("patient.opened", f"user:{staff.user_id}"),
        ("patient.searched", f"user:{staff.user_id}"),
    ]


def test_whoever_does_not_work_there_sees_nothing(due, outbox, awake, capsys):
    reminder = due()
    get_user_model().objects.create_user("stranger")
    for words in (
        ["explain", reminder.patient_id],
        ["preview", reminder.patient.dispenses.get().pk],
        ["list", "--pharmacy", awake.pk],
    ):
        with pytest.raises(CommandError, match="stranger is no active"):
            call_command("reminders", *[str(word) for word in words], "--by", "stranger")
    assert capsys.readouterr().out == ""


def test_resend_says_what_keeps_it(due, outbox, staff, capsys):
    alone, quiet = due(reach=()), due()
    by = ["--by", staff.user.username]
    assert "no address that the patient has allowed" in run(capsys, "resend", alone.public_id, *by)
    assert "with the next tick" in run(capsys, "resend", quiet.public_id, *by)


@pytest.mark.parametrize("state", ["sent", "delivered", "withdrawn"])
def test_what_has_ended_is_not_withdrawn(due, outbox, staff, state):
    reminder = due(state=ReminderState[state.upper()])
    with pytest.raises(CommandError, match=f"It is {state} already"):
        call_command("reminders", "withdraw", str(reminder.public_id), "--by", staff.user.username)


def test_preview_is_a_calendar_with_texts_and_segments(awake, capsys):
    person = making.patient(awake, language="fr")
    dispense: Dispense = making.dispense(making.prescription(person, making.TAPER, then_stop=True), at=database_now())
    output = run(capsys, "preview", dispense.pk, "--detailed")
    for words, count in (
        ("the dose changes tomorrow", 3),
        ("the dose changes today", 3),
        ("question two days after a step down", 3),
        ("last day of the course", 1),
        ("question three days after the end", 1),
    ):
        assert output.count(words) == count, words
    assert output.count("text message") == 11 and "un demi-comprimé" in output and "GSM-7" in output
