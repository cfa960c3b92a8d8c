"""Typed text is kept when a session ends, or another tab locks the counter, before it is sent."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.models import Override, Prescription, StaffMember
from tests.dispensary import make
from tests.dispensary.counter.test_check import ABOVE, order

pytestmark = pytest.mark.django_db
WORDS = "Dr Mwangi raised it herself."


@pytest.fixture
def pharmacist(db: None) -> StaffMember:
    make.products()
    return make.staff(make.pharmacy())


@pytest.fixture
def prescription(pharmacist: StaffMember) -> Prescription:
    return order(pharmacist, **ABOVE)


@pytest.fixture
def page(prescription: Prescription) -> str:
    return reverse("counter:override", args=[prescription.pk])


def sign_in(client: Client, member: StaffMember, address: str) -> HttpResponse:
    """Sign in as a person does, and follow to the page."""
    typed = {"login": member.user.username, "password": make.PASSWORD}
    return client.post(f"/accounts/login/?next={address}", typed, follow=True)


def answers(client: Client, page: str) -> dict[str, str]:
    """The fields typed on the override page, with the password."""
    prefixes = [form.prefix for _, form in client.get(page).context["asking"]]
    return {f"{prefixes[0]}-words": WORDS, "password": make.PASSWORD}


def test_a_session_that_ended_loses_nothing_that_was_typed(client: Client, pharmacist: StaffMember, page: str) -> None:
    client.force_login(pharmacist.user)
    typed = answers(client, page)
    client.cookies.pop("sessionid")
    sent = client.post(page, typed)
    assert sent["Location"].endswith(f"?next={page}")
    page_words = sign_in(client, pharmacist, page).content.decode()
    assert WORDS in page_words and make.PASSWORD not in page_words
    assert not Override.objects.exists()


def test_a_lock_in_another_tab_loses_nothing_that_was_typed(client: Client, pharmacist: StaffMember, page: str) -> None:
    client.force_login(pharmacist.user)
    typed = answers(client, page)
    client.post(reverse("counter:lock"), {"next": reverse("counter:queue")})
    sent = client.post(page, typed)
    assert sent["Location"] == f"{reverse('counter:unlock')}?next={page.replace('/', '%2F')}"
    unlocked = client.post(sent["Location"], {"password": make.PASSWORD}, follow=True)
    assert WORDS in unlocked.content.decode()


def test_a_browser_without_any_cookie_left_is_told_and_gets_back_what_was_typed(
    pharmacist: StaffMember, page: str
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(pharmacist.user)
    typed = answers(client, page)
    client.cookies.clear()
    answer = client.post(page, typed, headers={"Referer": f"http://testserver{page}"})
    words = answer.content.decode()
    assert answer.status_code == 403 and "Your session has ended" in words and make.PASSWORD not in words
    hidden = {
        name: unescape(value)
        for name, value in re.findall(r'name="(csrfmiddlewaretoken|next|typed)" value="([^"]*)"', words)
    }
    assert client.post(reverse("counter:resume"), hidden)["Location"] == page
    client.force_login(pharmacist.user)
    assert client.get(page).status_code == 200


def test_a_sign_out_in_another_tab_loses_nothing_of_an_order_that_is_typed(
    client: Client, pharmacist: StaffMember, prescription: Prescription
) -> None:
    client.force_login(pharmacist.user)
    intake = reverse("counter:new-order", args=[prescription.patient_id])
    assert client.get(intake).status_code == 200
    client.post(reverse("counter:leave"), {"next": reverse("counter:queue"), "typed": json.dumps([["q", "Okafor"]])})
    sent = client.post(intake, {"read": "1", "directions": WORDS, "strength_mg": "10"})
    assert sent["Location"].endswith(f"?next={intake}")
    assert ["directions", WORDS] in sign_in(client, pharmacist, intake).context["typed"]


def test_a_form_from_another_site_carries_nothing(client: Client, page: str) -> None:
    stranger = Client(enforce_csrf_checks=True)
    answer = stranger.post(page, {"words": "forged"}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403 and "forged" not in answer.content.decode()


def test_who_takes_a_counter_over_finds_the_words_but_no_reason_chosen_and_no_password(
    client: Client, pharmacist: StaffMember, page: str
) -> None:
    client.force_login(pharmacist.user)
    typed = answers(client, page)
    (words_field,) = [name for name in typed if name.endswith("-words")]
    reason_field = words_field.replace("-words", "-mitigation")
    pairs = [[words_field, WORDS], [reason_field, "5"], ["acknowledged", "0" * 16]]
    left = client.post(reverse("counter:leave"), {"next": page, "typed": json.dumps(pairs)})
    assert left["Location"].startswith("/accounts/login/")
    assert client.get(page)["Location"].startswith("/accounts/login/")
    colleague = make.staff(pharmacist.pharmacy, now=timezone.now())
    taken_over = sign_in(client, colleague, page)
    assert taken_over.context["typed"] == [[words_field, WORDS]]
    assert taken_over.context["visit"].member == colleague


def test_what_is_open_at_a_counter_is_shown_to_no_stranger(client: Client, pharmacist: StaffMember, page: str) -> None:
    client.force_login(pharmacist.user)
    pairs = [[name, value] for name, value in answers(client, page).items() if name != "password"]
    client.post(reverse("counter:leave"), {"next": page, "typed": json.dumps(pairs)})
    stranger = make.staff(make.pharmacy("Elsewhere", now=timezone.now()), now=timezone.now())
    refused = sign_in(client, stranger, page)
    assert refused.status_code == 404 and WORDS not in refused.content.decode()


SECRETS = ("password", "password1", "oldpassword", "again", "pin", "code", "passkey", "credential", "nonce")


def test_nothing_that_proves_who_is_there_is_kept_on_any_way_through_a_sign_in(
    client: Client, pharmacist: StaffMember, page: str
) -> None:
    typed = {name: f"secret-{name}" for name in SECRETS} | {"words": WORDS}
    without_token = Client(enforce_csrf_checks=True)
    words = without_token.post(page, typed, headers={"Referer": f"http://testserver{page}"}).content.decode()
    assert WORDS in words and "secret-" not in words
    for address in ("counter:lock", "counter:leave", "counter:resume"):
        client.force_login(pharmacist.user)
        client.post(reverse(address), {"next": page, "typed": json.dumps(list(typed.items()))})
        session_text = json.dumps(dict(client.session.items()))
        assert WORDS in session_text and "secret-" not in session_text, address
        client.session.flush()
        client.cookies.clear()
