"""A PIN takes a counter over where its person signed in in full today; it signs nothing, opens no account and is locked after five guesses."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from deploy.models import Pin
from deploy.pins import BACKEND
from dispensary import audit
from dispensary.actions import pharmacies
from dispensary.actors import Actor
from dispensary.counter.access import SIGNED_IN_HERE_KEY
from dispensary.models import AuditEntry, Override, Pharmacy, StaffRole
from tests.deploy.test_accounts import code_of
from tests.dispensary import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine_clock")]

PIN = "718294"


@pytest.fixture
def here() -> Pharmacy:
    return make.pharmacy(now=timezone.now())


class Person:
    """A member of staff with an authenticator app."""

    def __init__(self, at: Pharmacy, role: StaffRole = StaffRole.PHARMACIST) -> None:
        self.member = make.staff(at, role, now=timezone.now())
        self.secret = generate_totp_secret()
        TOTP.activate(self.member.user, self.secret)

    def code(self) -> str:
        """The code of the app, which may be used again: a person would wait for the next one."""
        cache.clear()
        return code_of(self.secret)

    def sign_in(self, client: Client) -> None:
        typed = {"login": self.member.user.get_username(), "password": make.PASSWORD}
        client.post("/accounts/login/?in_full=1", typed)
        assert client.post("/accounts/2fa/authenticate/", {"code": self.code()}).status_code == 302
        assert client.get(reverse("counter:queue")).status_code == 200

    def set_pin(self, client: Client, pin: str = PIN, **changes: str) -> Any:
        nonce = client.get(reverse("pin")).context["signature"].begun.pk
        typed = {"pin": pin, "again": pin, "password": make.PASSWORD, "code": self.code(), "nonce": nonce}
        return client.post(reverse("pin"), typed | changes)

    def switch(self, client: Client, pin: str = PIN, code: str = "", to: str = "/day") -> Any:
        typed = {"person": self.member.pk, "pin": pin, "code": code or self.code(), "next": to}
        return client.post(reverse("switch-person"), typed)


@pytest.fixture
def pat(here: Pharmacy) -> Person:
    return Person(here)


@pytest.fixture
def counter(here: Pharmacy, pat: Person) -> Client:
    """A browser where Pat signed in, set a PIN, and left; Quinn signed in after her and left, too."""
    client = Client()
    pat.sign_in(client)
    assert pat.set_pin(client).status_code == 302
    client.post(reverse("counter:leave"))
    quinn = make.staff(here, now=timezone.now())
    client.post("/accounts/login/?in_full=1", {"login": quinn.user.get_username(), "password": make.PASSWORD})
    client.get("/")
    client.post(reverse("counter:leave"), {"next": "/day", "typed": json.dumps([["words", "half a sentence"]])})
    return client


def who(client: Client) -> str | None:
    return client.session.get("_auth_user_id")


def test_who_signed_in_here_today_goes_on_by_pin_and_code_with_what_is_open(counter: Client, pat: Person) -> None:
    page = counter.get("/accounts/login/?next=/day", follow=True)
    assert page.request["PATH_INFO"] == reverse("switch-person") and pat.member.display_name in page.content.decode()
    assert pat.switch(counter)["Location"] == "/day"
    assert who(counter) == str(pat.member.user_id)
    assert counter.get("/day").context["typed"] == [["words", "half a sentence"]]
    entries = AuditEntry.objects.filter(
        pharmacy=pat.member.pharmacy_id, action=audit.Event.SIGNED_IN, actor=f"user:{pat.member.user_id}"
    )
    methods = [(line.body or {})["method"] for line in audit.lines(entries, pat.member.pharmacy_id)]
    assert len(methods) == 2 and methods.count(BACKEND) == 1


def test_neither_pin_nor_code_alone_lets_anybody_in(counter: Client, pat: Person) -> None:
    for pin, code in ((PIN, "000000"), ("718295", ""), ("", ""), (make.PASSWORD[:12], "")):
        assert pat.switch(counter, pin, code).status_code == 200
        assert who(counter) is None
    recovery = Authenticator.objects.create(user=pat.member.user, type="recovery_codes", data={"seed": "x"})
    assert pat.switch(counter, PIN, recovery.wrap().generate_codes()[0]).status_code == 200
    refused = AuditEntry.objects.filter(action=audit.Event.SIGN_IN_REFUSED, pharmacy=pat.member.pharmacy_id)
    assert refused.count() == 4, "each wrong one is in the log, an empty one is none"


def test_five_wrong_ones_lock_the_pin_until_a_full_sign_in(counter: Client, pat: Person) -> None:
    for _ in range(5):
        assert pat.switch(counter, "111222").status_code == 200
    assert pat.switch(counter).status_code == 200 and who(counter) is None
    pat.sign_in(counter)
    counter.post(reverse("counter:leave"))
    for _ in range(4):
        pat.switch(counter, "111222")
    assert pat.switch(counter).status_code == 302, "the fifth may be right"
    assert Pin.objects.get().attempts == 0


def test_a_browser_in_which_the_person_did_not_sign_in_today_offers_nothing(counter: Client, pat: Person) -> None:
    elsewhere = Client()
    quinn = make.staff(pat.member.pharmacy, now=timezone.now())
    elsewhere.post("/accounts/login/", {"login": quinn.user.get_username(), "password": make.PASSWORD})
    elsewhere.get("/")
    elsewhere.post(reverse("counter:leave"))
    assert pat.switch(elsewhere)["Location"].startswith("/accounts/login/")
    session = counter.session
    noted = session[SIGNED_IN_HERE_KEY]
    yesterday = (timezone.now() - timedelta(days=1)).isoformat()
    session[SIGNED_IN_HERE_KEY] = {key: [yesterday, entry[1]] for key, entry in noted.items()}
    session.save()
    assert pat.switch(counter)["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("change", ["password", "access", "account", "app", "pin", "signed out"])
def test_what_ends_a_sign_in_ends_the_pin_here_too(counter: Client, pat: Person, change: str) -> None:
    user = pat.member.user
    if change == "password":
        user.set_password("four quiet brown bottles")
        user.save()
    elif change == "access":
        setup = Actor.system("setup", pat.member.pharmacy_id)
        pharmacies.end_access(member=pat.member, by=setup, now=timezone.now())
    elif change == "account":
        user.is_active = False
        user.save()
    elif change == "app":
        Authenticator.objects.filter(user=user).delete()
    elif change == "pin":
        Pin.objects.all().delete()
    else:
        counter.get("/accounts/login/?in_full=1")
        pat.sign_in(counter)
        counter.post("/accounts/logout/")
    assert pat.switch(counter)["Location"].startswith("/accounts/login/")
    assert who(counter) is None


def test_a_person_of_another_pharmacy_is_not_offered(counter: Client, pat: Person) -> None:
    pete = Person(make.pharmacy("Elsewhere"))
    pete.sign_in(counter)
    assert pete.set_pin(counter).status_code == 302
    counter.post(reverse("counter:leave"))
    assert pat.switch(counter).status_code == 200 and who(counter) is None, "what is open is Elsewhere's"
    assert pat.member.display_name not in counter.get(reverse("switch-person")).content.decode()
    assert pete.switch(counter).status_code == 302


def test_a_pin_signs_no_override_and_changes_no_account(counter: Client, pat: Person) -> None:
    now = timezone.now()
    order = make.prescription(
        make.patient(pat.member.pharmacy, now=now), written_on=now.date().isoformat(),
        phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="35 mg three times a day for 28 days", quantity=294, now=now,
    )  # fmt: skip
    assert pat.switch(counter).status_code == 302
    override = reverse("counter:override", args=[order.pk])
    page = counter.get(override)
    typed: dict[str, Any] = {"nonce": page.context["signature"].begun.pk, "password": PIN, "code": pat.code()}
    for _, form in page.context["asking"]:
        typed |= {f"{form.prefix}-mitigation": "1", f"{form.prefix}-words": "The clinic keeps her on this dose."}
        typed |= {f"{form.prefix}-asked": "Dr Grey, clinic"}
    assert counter.post(override, typed).status_code == 422 and not Override.objects.exists()
    assert pat.set_pin(counter, "394857", password=PIN).status_code == 422
    assert "/reauthenticate/" in counter.get("/accounts/2fa/webauthn/add/")["Location"]
    assert counter.post("/accounts/reauthenticate/", {"password": PIN}).status_code == 200


@pytest.mark.parametrize("pin", ["12345", "1234567890123", "123456", "987654", "000000", "12a456", "", "١٢٣٤٥٧"])
def test_a_pin_that_is_short_or_tried_first_is_refused(pat: Person, pin: str) -> None:
    client = Client()
    pat.sign_in(client)
    assert pat.set_pin(client, pin).status_code == 422
    assert not Pin.objects.exists()


def test_a_pin_is_set_with_a_fresh_proof_and_ended_by_its_person_and_the_log_has_both(pat: Person) -> None:
    client = Client()
    pat.sign_in(client)
    assert pat.set_pin(client, password="guessed").status_code == 422
    assert pat.set_pin(client, code="000000").status_code == 422
    assert pat.set_pin(client, again="718295").status_code == 422
    nonce = client.get(reverse("pin")).context["signature"].begun.pk
    assert not Pin.objects.exists()
    assert pat.set_pin(client).status_code == 302
    assert pat.set_pin(client, "394857", nonce=str(nonce)).status_code == 422, "a signature is used once"
    assert PIN not in Pin.objects.get().digest
    assert client.post(reverse("pin"), {"do": "end"}).status_code == 302
    assert not Pin.objects.exists()
    lines = audit.history(audit.Subject("account", f"user:{pat.member.user_id}"), pharmacy=pat.member.pharmacy)
    changes = [(line.body or {}).get("what") for line in lines if line.entry.action == audit.Event.SIGN_IN_CHANGED]
    assert changes == ["the PIN ended", "a PIN to take a counter over"]


def test_who_has_no_app_is_sent_to_add_one(here: Pharmacy) -> None:
    client = Client()
    client.force_login(
        make.staff(here, now=timezone.now()).user, backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    assert "Add the app first" in client.get(reverse("pin")).content.decode()
    assert client.post(reverse("pin"), {"pin": PIN, "again": PIN}).status_code == 200
    assert not Pin.objects.exists()


def test_a_manager_who_signs_somebody_out_ends_the_pin_until_the_next_full_sign_in(
    counter: Client, pat: Person, here: Pharmacy
) -> None:
    elsewhere, manager = Client(), Person(here, StaffRole.MANAGER)
    pat.sign_in(elsewhere)
    assert pat.switch(counter).status_code == 302, "signed in elsewhere, too, the PIN still works here"
    counter.post(reverse("counter:leave"))
    desk = Client()
    manager.sign_in(desk)
    session = UserSession.objects.get(session_key=elsewhere.session.session_key)
    assert desk.post(reverse("sign-out-person", args=[session.pk])).status_code == 302
    assert elsewhere.get(reverse("counter:queue")).status_code == 302
    assert pat.switch(counter)["Location"].startswith("/accounts/login/") and who(counter) is None
    pat.sign_in(counter)
    counter.post(reverse("counter:leave"))
    assert pat.switch(counter)["Location"] == "/day"
