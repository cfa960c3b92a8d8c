"""At the counter, too, who has a second factor signs with a code."""

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import patients
from dispensary.models import Override
from tests.dispensary import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine_clock")]


def test_an_override_is_signed_with_password_and_code(client: Client) -> None:
    shop = make.pharmacy()
    member, patient = make.staff(shop), make.patient(shop)
    order = make.prescription(
        patient, phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}], quantity=294,
        directions="35 mg three times a day for 28 days", written_on=str(timezone.now().date()),
    )  # fmt: skip
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    address = reverse("counter:override", args=[order.pk])
    assert "Code of your app" not in client.get(address).content.decode()
    TOTP.activate(member.user, generate_totp_secret())
    page = client.get(address)
    assert "Code of your app" in page.content.decode()
    typed = {"password": make.PASSWORD, "nonce": str(page.context["signature"].begun.pk)}
    for _finding, form in page.context["asking"]:
        answer = {"mitigation": "5", "words": "The clinic keeps this dose.", "asked": "Dr Grey"}
        typed |= {f"{form.prefix}-{name}": value for name, value in answer.items()}
    assert "Type the code" in client.post(address, typed).content.decode()
    assert "not right" in client.post(address, typed | {"code": "000000"}).content.decode()
    assert not Override.objects.exists()
    code = RecoveryCodes.activate(member.user).get_unused_codes()[0]
    signed = client.post(address, typed | {"code": code})
    assert signed.status_code == 302, signed.context["errors"]
    assert {override.signature for override in Override.objects.all()} == {"second-factor"}


def test_a_page_signs_only_what_it_showed_and_once(client: Client) -> None:
    shop = make.pharmacy()
    member, patient = make.staff(shop), make.patient(shop)
    order = make.prescription(
        patient, phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}], quantity=294,
        directions="35 mg three times a day for 28 days", written_on=str(timezone.now().date()),
    )  # fmt: skip
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    address = reverse("counter:override", args=[order.pk])

    def filled() -> dict[str, str]:
        page = client.get(address)
        typed = {"password": make.PASSWORD, "nonce": str(page.context["signature"].begun.pk)}
        for _finding, form in page.context["asking"]:
            answer = {"mitigation": "5", "words": "The clinic keeps this dose.", "asked": "Dr Grey"}
            typed |= {f"{form.prefix}-{name}": value for name, value in answer.items()}
        return typed

    before = filled()
    patients.update_facts(
        patient=patient, changes={"weight_kg": 51}, version=patient.version, by=member.actor(), now=timezone.now()
    )
    assert "has changed" in client.post(address, before).content.decode()
    assert "has changed" in client.post(address, {**filled(), "nonce": ""}).content.decode()
    assert not Override.objects.exists()
    signed = filled()
    assert client.post(address, signed).status_code == 302
    for answer in Override.objects.all():
        client.post(reverse("counter:withdraw-answer", args=[order.pk, answer.pk]), {"reason": "once more"})
    assert "was signed already" in client.post(address, signed).content.decode()
    assert set(Override.objects.values_list("state", flat=True)) == {"withdrawn"}
