"""A manager tries a channel with a message to an address of their own."""

from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions.channel_trials import MOST_AN_HOUR
from dispensary.models import AuditEntry, Pharmacy, StaffRole
from tests.dispensary import make

pytestmark = pytest.mark.django_db

TRIAL = {"trial-medium": "email", "trial-address": "mara@example.org"}


@pytest.fixture
def shop() -> Pharmacy:
    return make.pharmacy(now=timezone.now(), email="desk@example.org")


def at_work(shop: Pharmacy, role: StaffRole = StaffRole.MANAGER) -> Client:
    client = Client()
    client.force_login(make.staff(shop, role, now=timezone.now()).user)
    return client


def send(client: Client, **changes: str) -> str:
    """Send the form of the page; returns the words of the page that follows."""
    return client.post(reverse("counter:try-channel"), TRIAL | changes, follow=True).content.decode()


def tried(shop: Pharmacy) -> list[str]:
    return list(AuditEntry.objects.filter(pharmacy=shop.pk, action="channel.tried").values_list("outcome", flat=True))


def test_the_message_leaves_in_the_pharmacys_name_and_the_log_has_no_whole_address(shop: Pharmacy) -> None:
    assert "was taken by its provider" in send(at_work(shop))
    (letter,) = mail.outbox
    assert letter.to == ["mara@example.org"] and letter.reply_to == ["desk@example.org"]
    assert shop.name in letter.subject and "this is a test message" in str(letter.body)
    assert tried(shop) == ["success"]


def test_a_provider_that_cannot_be_reached_is_said_to_be_so(shop: Pharmacy, settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1"
    settings.EMAIL_PORT = 9  # nothing listens there
    assert "the provider cannot be reached" in send(at_work(shop))
    assert tried(shop) == ["failure"]


@pytest.mark.parametrize(
    "changes",
    [
        {"trial-address": "mara"},
        {"trial-address": ""},
        {"trial-address": "a@example.org\nBcc: all@example.org"},
        {"trial-medium": "sms"},
        {"trial-medium": "fax"},
    ],
)
def test_what_is_no_address_or_has_no_channel_sends_nothing(shop: Pharmacy, changes: dict[str, str]) -> None:
    assert "No test message was sent" in send(at_work(shop), **changes)
    assert mail.outbox == [] and tried(shop) == []


@pytest.mark.parametrize("role", [StaffRole.TECHNICIAN, StaffRole.PHARMACIST, StaffRole.AUDITOR])
def test_only_a_manager_sends_one(shop: Pharmacy, role: StaffRole) -> None:
    assert at_work(shop, role).post(reverse("counter:try-channel"), TRIAL).status_code == 403
    assert Client().post(reverse("counter:try-channel"), TRIAL)["Location"].startswith("/accounts/login/")
    assert mail.outbox == []


def test_it_is_no_way_to_write_to_many(shop: Pharmacy) -> None:
    client = at_work(shop)
    for _ in range(MOST_AN_HOUR):
        client.post(reverse("counter:try-channel"), TRIAL)
    assert "within an hour are the most" in send(client)
    assert len(mail.outbox) == MOST_AN_HOUR
