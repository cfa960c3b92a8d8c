"""The stop page: one click of a mail program, and the buttons of the page."""

import pytest

from dispensary import reminders
from dispensary.models import Consent, ConsentEvent, ContactPoint, Reminder, ReminderState, WorklistItem
from dispensary.reminders import links
from tests.dispensary import make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def contact(due, outbox):
    due()
    return ContactPoint.objects.get()


def test_opening_the_link_changes_nothing(client, contact):
    answer = client.get(f"/u/{links.stop_token(contact.pk)}")
    assert answer.status_code == 200 and b'<form method="post">' in answer.content
    assert Consent.objects.get().answer == "yes"


def test_one_click_stops_at_once_without_a_session_and_twice_is_once(client, contact):
    for _ in range(2):
        answer = client.post(f"/u/{links.stop_token(contact.pk)}", {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
    assert Consent.objects.get().answer == "no" and ConsentEvent.objects.filter(source="one-click").count() == 1
    reminders.drain()
    assert Reminder.objects.get().state == ReminderState.SUPPRESSED


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'),
        ("multipart/form-data", b"no boundary at all"),
        ("text/plain", b"\xff"),
        ("", b""),
    ],
)  # fmt: skip
def test_one_click_is_a_post_whatever_its_body(client, contact, kind, body):
    answer = client.generic("POST", f"/u/{links.stop_token(contact.pk)}", body, content_type=kind)
    assert answer.status_code == 200 and not answer.cookies
    assert ConsentEvent.objects.get(answer="no").source == "one-click"


def test_the_button_on_the_page_is_told_apart_from_a_mail_programs_click(client, contact):
    assert b'name="why" value="stop"' in client.get(f"/u/{links.stop_token(contact.pk)}").content
    client.post(f"/u/{links.stop_token(contact.pk)}", {"why": "stop"})
    assert ConsentEvent.objects.get(answer="no").source == "patient-page"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"])
def test_no_other_method_acts(client, contact, method):
    client.generic(method, f"/u/{links.stop_token(contact.pk)}")
    assert Consent.objects.get().answer == "yes"


def test_who_stops_with_a_run_out_ahead_is_called_instead(client, contact):
    client.post(f"/u/{links.stop_token(contact.pk)}")
    assert "call instead" in WorklistItem.objects.get().reason


@pytest.mark.parametrize("token", ["x", "0" * 32 + ":forged", "é", "a" * 500])
def test_a_forged_token_is_told_apart_from_a_good_one_and_does_nothing(client, db, token):
    assert client.post(f"/u/{token}").status_code == 404


def test_the_page_speaks_the_patients_language_and_shows_nothing_about_them(client, contact):
    contact.patient.language = "ar"
    make.save_past_actions(contact.patient, "language")
    page = client.get(f"/u/{links.stop_token(contact.pk)}")
    text = page.content.decode()
    assert 'dir="rtl"' in text and "Canary" not in text and "example.org" not in text
    assert page["Referrer-Policy"] == "no-referrer" and "noindex" in page["X-Robots-Tag"]
