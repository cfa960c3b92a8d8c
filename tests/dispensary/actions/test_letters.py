"""A letter is printed from the work that says a patient is not reached, and the work closes once it was posted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import uuid5

import pytest
from django.db import connection, transaction

from dispensary import audit
from dispensary.actions import letters, worklist
from dispensary.channels.govuk_notify import GovukNotify
from dispensary.documents.words import words_in
from dispensary.errors import Conflict, InvalidInput, NotFound
from dispensary.models import Patient, Pharmacy, Reminder, Resolution, WorkKind, WorklistItem
from dispensary.models.audit import AuditBody, AuditEntry
from dispensary.reminders.outcomes import engine_actor
from dispensary.reminders.work import open_work
from tests.dispensary import make
from tests.dispensary.channels.providers import Notify, posting_letters
from tests.dispensary.documents.test_leaflet import letters_of
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db
AFTERWARDS = letters.ASKED_FOR
ADDRESS = "12 Mill Lane\nOxford\nOX1 2AB"


@pytest.fixture
def patient() -> Patient:
    person: Patient = making.patient(making.pharmacy())
    return person


@pytest.fixture
def item(patient: Patient) -> WorklistItem:
    with transaction.atomic():
        open_work(
            WorkKind.UNREACHABLE, pharmacy_id=patient.pharmacy_id, patient_id=patient.pk, reason="No address.",
            by=engine_actor(patient.pharmacy_id), now=making.NOON,
        )  # fmt: skip
    return WorklistItem.objects.get()


def print_letter(item: WorklistItem, address: str = ADDRESS, pharmacy: Pharmacy | None = None) -> bytes:
    by = making.pharmacist(pharmacy or item.pharmacy)
    return letters.print_letter(item_id=item.pk, address=address, by=by, now=making.NOON)


def post(item: WorklistItem) -> WorklistItem:
    by = making.pharmacist(item.pharmacy)
    return worklist.resolve_work(item_id=item.pk, resolution=Resolution.POSTED, by=by, now=making.NOON)


def test_the_work_closes_when_the_letter_was_printed_and_posted(item: WorklistItem) -> None:
    with pytest.raises(Conflict, match="No letter about this was printed"):
        post(item)
    assert print_letter(item).startswith(b"%PDF")
    assert post(item).state == "resolved"


@pytest.mark.parametrize("language", ["en", "es", "fr"])
def test_it_is_in_the_patients_language_with_name_and_address(
    item: WorklistItem, patient: Patient, language: str
) -> None:
    make.change_past_actions(Patient.objects.filter(pk=patient.pk), language=language)
    content = letters_of(print_letter(item))
    assert "".join(words_in(language)["letter"]["title"].split()) in content
    assert "AnnCanary" in content and "12MillLane" in content


def test_it_goes_to_the_name_that_stands_on_papers(item: WorklistItem, patient: Patient) -> None:
    make.change_past_actions(Patient.objects.filter(pk=patient.pk), printed_name="Anne Canary")
    content = letters_of(print_letter(item))
    assert "AnneCanary" in content and "AnnCanary" not in content


@pytest.mark.parametrize(("left", "is_said"), [(timedelta(days=3), True), (timedelta(hours=20), False)])
def test_the_message_is_repeated_while_it_is_true_when_the_letter_arrives(
    item: WorklistItem, patient: Patient, left: timedelta, is_said: bool
) -> None:
    making.dispense(making.prescription(patient))
    making.follow(patient)
    reminder = Reminder.objects.get(patient=patient, kind="refill_due")
    Reminder.objects.filter(pk=reminder.pk).update(due_at=making.NOON, useful_until=making.NOON + left)
    WorklistItem.objects.filter(pk=item.pk).update(reminder=reminder)
    content = letters_of(print_letter(item))
    assert ("CityPharmacy:yoursupplyendsbefore" in content) == is_said and "baclof" not in content.casefold()


def test_the_print_stands_in_the_log_without_the_address(item: WorklistItem) -> None:
    print_letter(item)
    entry = AuditEntry.objects.get(action="document.printed", subject_id=str(item.pk))
    with audit.reading(item.pharmacy_id):
        body = AuditBody.objects.get(entry_id=entry.entry_id).body
    assert '"document":"letter"' in body and "Mill Lane" not in body


@pytest.fixture
def notify(settings: Any) -> Iterator[Notify]:
    with posting_letters(settings) as provider:
        yield provider


def have_posted(item: WorklistItem, *, later: timedelta = timedelta(0)) -> str:
    by = making.pharmacist(item.pharmacy)
    answer = letters.post_letter(item_id=item.pk, address=ADDRESS, by=by, now=making.NOON + later)
    item.refresh_from_db()
    return answer


def test_a_letter_that_the_channel_took_is_posted_and_the_work_done(notify: Notify, item: WorklistItem) -> None:
    assert have_posted(item) == "accepted"
    [payload] = notify.taken.values()
    words = payload["personalisation"]
    assert (words["address_line_1"], words["address_line_4"]) == ("Ann Canary", "OX1 2AB")
    assert words["heading"] == "Please call us" and "999" in words["message"] and "baclof" not in words["message"]
    assert not {"\u2066", "\u2068", "\u2069"} & set(words["message"])
    assert (item.state, item.resolution) == ("resolved", "posted")


def test_a_letter_whose_answer_was_lost_is_looked_up_and_not_posted_twice(notify: Notify, item: WorklistItem) -> None:
    notify.mood = "no-json"
    assert have_posted(item) == "unknown" and item.state == "open"
    notify.mood = "kind"
    notify.taken["lost"] = {"reference": str(uuid5(item.pk, "letter"))}
    assert have_posted(item, later=AFTERWARDS) == "accepted" and item.state == "resolved"
    assert list(notify.taken) == ["lost"]


def test_a_letter_whose_answer_was_lost_is_not_handed_over_again_while_the_channel_cannot_say(
    notify: Notify, item: WorklistItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    notify.mood = "no-json"
    assert have_posted(item) == "unknown"
    notify.mood = "kind"
    with monkeypatch.context() as patched:
        patched.setattr(GovukNotify, "look_up", lambda self, key: None)
        assert have_posted(item, later=AFTERWARDS) == "unknown" and item.state == "open"
    assert not notify.taken
    assert have_posted(item, later=2 * AFTERWARDS) == "accepted" and len(notify.taken) == 1


@pytest.mark.parametrize(("later", "is_refused"), [(AFTERWARDS - timedelta(seconds=1), True), (AFTERWARDS, False)])
def test_while_one_asks_the_channel_nobody_else_does(
    notify: Notify, item: WorklistItem, later: timedelta, is_refused: bool
) -> None:
    """As of a program that died while it asked: nothing of its answer is recorded."""
    WorklistItem.objects.filter(pk=item.pk).update(letter_asked_at=making.NOON)
    if is_refused:
        with pytest.raises(Conflict, match="being handed over at this moment"):
            have_posted(item, later=later)
        assert not notify.calls
    else:
        assert have_posted(item, later=later) == "accepted"


@pytest.mark.django_db(transaction=True)
def test_no_row_is_locked_while_the_channel_is_asked(notify: Notify, item: WorklistItem) -> None:
    """Work that somebody else closes meanwhile stays closed as they closed it; the letter stands in the log."""
    take, by = notify.answer, making.pharmacist(item.pharmacy)

    def close_first(command: str, *request: Any) -> Any:
        if command == "POST":
            with closing(connection):
                worklist.resolve_work(item_id=item.pk, resolution=Resolution.CALLED, by=by, now=making.NOON)
        return take(command, *request)

    notify.answer = close_first
    assert have_posted(item) == "accepted" and item.resolution == "called"
    assert item.letter_printed_at == making.NOON and item.letter_asked_at is None


def test_a_letter_that_was_refused_leaves_the_work_open_and_stands_in_the_log(
    notify: Notify, item: WorklistItem
) -> None:
    notify.mood = "no-place"
    assert have_posted(item) == "address-refused" and item.state == "open" and item.letter_printed_at is None
    entry = AuditEntry.objects.get(action="document.printed", subject_id=str(item.pk))
    with audit.reading(item.pharmacy_id):
        body = AuditBody.objects.get(entry_id=entry.entry_id).body
    assert "address-refused" in body and "Mill Lane" not in body and entry.outcome == "failure"


def test_a_letter_in_arabic_is_left_to_staff(notify: Notify, item: WorklistItem, patient: Patient) -> None:
    make.change_past_actions(Patient.objects.filter(pk=patient.pk), language="ar")
    with pytest.raises(Conflict, match="Latin letters only"):
        have_posted(item)
    assert not notify.calls


def test_without_a_channel_staff_post_letters(item: WorklistItem) -> None:
    with pytest.raises(Conflict, match="No channel posts letters"):
        have_posted(item)


@pytest.mark.parametrize("address", ["", "12 Mill Lane", " \n \n"])
def test_without_an_address_nothing_is_printed(item: WorklistItem, address: str) -> None:
    with pytest.raises(InvalidInput, match="Where is the letter to go"):
        print_letter(item, address)


def test_no_letter_goes_to_a_patient_who_has_died_or_from_another_pharmacy(
    item: WorklistItem, patient: Patient
) -> None:
    with pytest.raises(NotFound):
        print_letter(item, pharmacy=making.pharmacy())
    make.change_past_actions(Patient.objects.filter(pk=patient.pk), died_on=making.NOON.date())
    with pytest.raises(Conflict, match="No letter"):
        print_letter(WorklistItem.objects.get())
