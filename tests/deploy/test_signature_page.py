"""At the counter, too, who has a second factor signs with a code."""

from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import patients
from dispensary.models import Override, Prescription, StaffMember
from tests.dispensary import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine_clock")]


@pytest.fixture
def member() -> StaffMember:
    return make.staff(make.pharmacy())


@pytest.fixture
def order(member: StaffMember) -> Prescription:
    """An order for 105 mg a day."""
    return make.prescription(
        make.patient(member.pharmacy), phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}], quantity=294,
        directions="35 mg three times a day for 28 days", written_on=str(timezone.now().date()),
    )  # fmt: skip


@pytest.fixture
def address(client: Client, member: StaffMember, order: Prescription) -> str:
    """The page on which its findings are answered, for a pharmacist who is signed in."""
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return reverse("counter:override", args=[order.pk])


def fill(page: Any) -> dict[str, str]:
    """Return what is typed on a page: an answer to each finding, and the password."""
    typed = {"password": make.PASSWORD, "nonce": str(page.context["signature"].begun.pk)}
    for _finding, form in page.context["asking"]:
        answer = {"mitigation": "5", "words": "The clinic keeps this dose.", "asked": "Dr Grey"}
        typed |= {f"{form.prefix}-{name}": value for name, value in answer.items()}
    return typed


def test_an_override_is_signed_with_password_and_code(client: Client, member: StaffMember, address: str) -> None:
    assert "Code of your app" not in client.get(address).content.decode()
    TOTP.activate(member.user, generate_totp_secret())
    page = client.get(address)
    assert "Code of your app" in page.content.decode()
    typed = fill(page)
    assert "Type the code" in client.post(address, typed).content.decode()
    assert "not right" in client.post(address, typed | {"code": "000000"}).content.decode()
    assert not Override.objects.exists()
    code = RecoveryCodes.activate(member.user).get_unused_codes()[0]
    signed = client.post(address, typed | {"code": code})
    assert signed.status_code == 302, signed.context["errors"]
    assert {override.signature for override in Override.objects.all()} == {"second-factor"}


def test_a_page_signs_only_what_it_showed_and_once(
    client: Client, member: StaffMember, order: Prescription, address: str
) -> None:
    patient = order.patient
    before = fill(client.get(address))
    patients.update_facts(
        patient=patient, changes={"weight_kg": 51}, version=patient.version, by=member.actor(), now=timezone.now()
    )
    assert "has changed" in client.post(address, before).content.decode()
    assert "has changed" in client.post(address, {**fill(client.get(address)), "nonce": ""}).content.decode()
    assert not Override.objects.exists()
    signed = fill(client.get(address))
    assert client.post(address, signed).status_code == 302
    for answer in Override.objects.all():
        client.post(reverse("counter:withdraw-answer", args=[order.pk, answer.pk]), {"reason": "once more"})
    assert "was signed already" in client.post(address, signed).content.decode()
    assert set(Override.objects.values_list("state", flat=True)) == {"withdrawn"}
