"""Accounts: every page opens in our look, and a wrong password shuts out one name at one address and nobody else."""

from collections.abc import Iterator

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.base_user import AbstractBaseUser
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.dispensary import make

pytestmark = pytest.mark.django_db

OF_A_KEY = {"mfa_edit_webauthn", "mfa_remove_webauthn"}
OF_AN_APP = {"mfa_deactivate_totp", "mfa_view_recovery_codes", "mfa_download_recovery_codes"}
NOT_OPENED = {
    "account_confirm_login_code",  # sign-in by a code from an e-mail is off
    "account_confirm_email",  # its key comes by e-mail, and accounts have none
    "account_reset_password_from_key",  # likewise
    "mfa_login_webauthn",  # answers the sign-in page's script with JSON
}


def names_of(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    """Yield the name of every address below."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names_of(pattern.url_patterns)
        elif pattern.name:
            yield pattern.name


ROUTES = sorted(set(names_of(get_resolver("allauth.urls").url_patterns)) - NOT_OPENED)


@pytest.fixture
def user() -> AbstractBaseUser:
    return make.staff(make.pharmacy()).user


def add_key(user: AbstractBaseUser) -> Authenticator:
    """Add a passkey as a browser would have registered it."""
    credential = {"clientExtensionResults": {"credProps": {"rk": True}}}
    return Authenticator.objects.create(
        user=user, type=Authenticator.Type.WEBAUTHN, data={"name": "Front desk", "credential": credential}
    )


def sign_in(client: Client, name: str, password: str = make.PASSWORD, address: str = "10.1.2.3") -> bool:
    """Send the sign-in form. Returns whether somebody is signed in."""
    answer = client.post("/accounts/login/", {"login": name, "password": password}, REMOTE_ADDR=address)
    assert answer.status_code in {200, 302, 429}
    return answer.status_code == 302


@pytest.mark.parametrize("route", ROUTES)
def test_every_account_page_opens_for_somebody_signed_in(client: Client, user: AbstractBaseUser, route: str) -> None:
    assert sign_in(client, user.get_username())
    if route in OF_AN_APP:
        TOTP.activate(user, generate_totp_secret())
        RecoveryCodes.activate(user)
    answer = client.get(reverse(route, args=[add_key(user).pk] if route in OF_A_KEY else []), follow=True)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain") or b"dispensary.css" in answer.content


def test_the_list_of_passkeys_names_each_and_when_it_was_used(client: Client, user: AbstractBaseUser) -> None:
    assert sign_in(client, user.get_username())
    add_key(user)
    page = client.get("/accounts/2fa/webauthn/").content.decode()
    assert "Front desk" in page and "Not used" in page and 'class="d-table"' in page


def test_a_refused_change_of_password_says_why_and_does_not_repeat_what_was_typed(
    client: Client, user: AbstractBaseUser
) -> None:
    assert sign_in(client, user.get_username())
    typed = {"oldpassword": "not-my-password", "password1": "a-new-password-1", "password2": "a-new-password-2"}
    page = client.post("/accounts/password/change/", typed).content.decode()
    assert "nhsuk-error-message" in page and "nhsuk-input" in page
    assert not [word for word in typed.values() if word in page]


def test_a_person_sees_the_sessions_they_have_and_ends_the_others(client: Client, user: AbstractBaseUser) -> None:
    elsewhere = Client()
    assert sign_in(elsewhere, user.get_username(), address="10.9.8.7")
    assert elsewhere.get("/accounts/sessions/", REMOTE_ADDR="10.9.8.7").status_code == 200
    assert sign_in(client, user.get_username())
    page = client.get("/accounts/sessions/").content.decode()
    assert "10.9.8.7" in page and "now" in page
    client.post("/accounts/sessions/")
    assert elsewhere.get("/accounts/sessions/").status_code == 302
    assert client.get("/accounts/sessions/").status_code == 200
