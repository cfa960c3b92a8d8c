"""The page of alerts, and the one that says who is told of them."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import staff_alerts
from dispensary.actors import Actor
from dispensary.models import AlertContact, AlertKind, Pharmacy, StaffAlert, StaffMember, StaffRole
from tests.dispensary import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(client: Client) -> StaffMember:
    member = make.staff(make.pharmacy(now=timezone.now()), StaffRole.MANAGER, now=timezone.now())
    client.force_login(member.user)
    return member


def open_alert(shop: Pharmacy, kind: AlertKind = AlertKind.UNSIGNED_DAY) -> StaffAlert:
    by = Actor.system("alerts", shop.pk)
    staff_alerts.open_alert(kind=kind, pharmacy=shop, subject_id="2026-11-22", by=by, now=timezone.now())
    return StaffAlert.objects.get(pharmacy=shop, kind=kind)


def test_an_alert_is_listed_with_its_page_and_answered_in_words(client: Client, manager: StaffMember) -> None:
    alert = open_alert(manager.pharmacy)
    page = client.get(reverse("counter:alerts")).content.decode()
    assert "Nobody signed the review of a day" in page and "?day=2026-11-22" in page and "Nobody is named" in page
    address = reverse("counter:answer-alert", args=[alert.pk])
    assert client.post(address, {"words": " "}).status_code == 422
    assert client.post(address, {"words": "I sign it now"}).status_code == 302
    assert "I sign it now" in client.get(reverse("counter:alerts")).content.decode()
    assert client.post(address, {"words": "again"}).status_code == 422


def test_another_pharmacys_alert_and_none_look_alike(client: Client, manager: StaffMember) -> None:
    other = open_alert(make.pharmacy("Elsewhere", now=timezone.now()))
    for key in (other.pk, uuid.uuid4()):
        assert client.post(reverse("counter:answer-alert", args=[key]), {"words": "mine"}).status_code == 404


@pytest.mark.parametrize(
    ("role", "pages"),
    [(StaffRole.TECHNICIAN, (403, 403)), (StaffRole.PHARMACIST, (200, 403)), (StaffRole.AUDITOR, (200, 403))],
)
def test_who_opens_the_pages(client: Client, manager: StaffMember, role: StaffRole, pages: tuple[int, int]) -> None:
    for kind in (AlertKind.UNSIGNED_DAY, AlertKind.VERIFICATION, AlertKind.RED_FLAG):
        open_alert(manager.pharmacy, kind)
    client.force_login(make.staff(manager.pharmacy, role, now=timezone.now()).user)
    names = ("counter:alerts", "counter:alert-contacts")
    assert tuple(client.get(reverse(name)).status_code for name in names) == pages


def test_a_manager_names_two_people_and_nobody(client: Client, manager: StaffMember) -> None:
    deputy = make.staff(manager.pharmacy, now=timezone.now())
    address, twice = reverse("counter:alert-contacts"), {}
    for prefix, member in (("person", manager), ("deputy", deputy)):
        twice |= {
            f"{prefix}-member": member.pk, f"{prefix}-medium": "email", f"{prefix}-address": f"{prefix}@example.org",
        }  # fmt: skip
    assert client.post(address, twice | {"deputy-address": "nowhere"}).status_code == 422
    assert not AlertContact.objects.exists()
    assert client.post(address, twice).status_code == 302
    assert "person@example.org" in client.get(address).content.decode()
    assert deputy.display_name in client.get(reverse("counter:alerts")).content.decode()
    assert client.post(address, {"person-member": "", "deputy-member": ""}).status_code == 302
    assert not AlertContact.objects.exists()
