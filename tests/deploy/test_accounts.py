"""Accounts: every page opens in our look, and a wrong password shuts out one name at one address and nobody else."""

import time
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
from allauth.mfa.app_settings import TOTP_PERIOD
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from django.contrib.auth.base_user import AbstractBaseUser
from django.core import mail
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from deploy.models import CacheEntry
from tests.dispensary import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine_clock")]

OF_A_KEY = {"mfa_edit_webauthn", "mfa_remove_webauthn"}
OF_AN_APP = {"mfa_deactivate_totp", "mfa_view_recovery_codes", "mfa_download_recovery_codes"}
NOT_OPENED = {
    "account_confirm_login_code",  # sign-in by a code from an e-mail is off
    "account_confirm_email",  # its key comes by e-mail, and accounts have none
    "account_reset_password_from_key",  # likewise
    "openid_connect_login",  # not there without a provider: `test_openid.py`
    "openid_connect_callback",
    "socialaccount_login_error",  # answers 401
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


def test_twelve_wrong_names_from_an_address_shut_nobody_out_there(client: Client, user: AbstractBaseUser) -> None:
    for number in range(12):
        assert not sign_in(Client(), f"nobody{number}", "guessed")
    assert sign_in(client, user.get_username())


@pytest.mark.slow
def test_a_whole_pharmacy_signs_in_from_one_address_within_a_minute(user: AbstractBaseUser) -> None:
    assert all(sign_in(Client(), user.get_username()) for _ in range(31))


def test_five_wrong_passwords_lock_the_name_at_that_address_and_nobody_else(user: AbstractBaseUser) -> None:
    name = user.get_username()
    colleague = make.staff(make.pharmacy("Elsewhere")).user.get_username()
    for _ in range(5):
        assert not sign_in(Client(), name, "guessed")
    answer = Client().post("/accounts/login/", {"login": name, "password": make.PASSWORD}, REMOTE_ADDR="10.1.2.3")
    assert answer.status_code == 429
    assert "Wait 15 minutes" in answer.content.decode() and b"dispensary.css" in answer.content
    assert sign_in(Client(), name, address="10.1.2.4")
    assert sign_in(Client(), colleague)


def test_another_spelling_of_a_name_gets_no_attempts_of_its_own(user: AbstractBaseUser) -> None:
    name = user.get_username()
    for spelling in (name, name.upper(), name.title(), name.replace("i", "ı"), f" {name} "):
        assert not sign_in(Client(), spelling, "guessed")
    assert not sign_in(Client(), name)


def test_a_right_password_forgets_the_wrong_ones_before_it(user: AbstractBaseUser) -> None:
    for _ in range(2):
        for _ in range(4):
            assert not sign_in(Client(), user.get_username(), "guessed")
        assert sign_in(Client(), user.get_username().upper())


def test_second_factors_are_not_guessed_on_and_the_password_alone_lets_nobody_in(user: AbstractBaseUser) -> None:
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    client = Client()
    assert sign_in(client, user.get_username())
    for _ in range(5):
        client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    page = client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)}).content.decode()
    assert "Too many failed login attempts" in page
    assert client.get("/accounts/sessions/").status_code == 302


def code_of(secret: str) -> str:
    """Return the code of this moment, which is valid for half a minute more."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // TOTP_PERIOD)))


def test_a_code_is_right_for_half_a_minute_before_and_after_its_own_and_no_longer(
    user: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = generate_totp_secret()
    factor = TOTP.activate(user, secret)
    counter = 59_000_000
    monkeypatch.setattr(auth, "time", SimpleNamespace(time=lambda: counter * TOTP_PERIOD + 1))
    codes = [format_hotp_value(hotp_value(secret, counter + steps)) for steps in (-3, -1, 1, 3)]
    assert [factor.validate_code(code) for code in codes] == [False, True, True, False]
    assert [factor.validate_code(code) for code in codes] == [False] * 4, "a code is used once"
    used_codes = CacheEntry.objects.filter(cache_key__contains="totp.used").values_list("expires", flat=True)
    assert len(used_codes) == 2 and min(used_codes) > timezone.now() + timedelta(seconds=2 * TOTP_PERIOD), (
        "as long as it is right"
    )


NEW_PASSWORD = "quite-another-phrase-7"


def change_password(client: Client, user: AbstractBaseUser) -> bool:
    """Sign in and choose another password. Returns whether it holds."""
    assert sign_in(client, user.get_username())
    typed = {"oldpassword": make.PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    client.post("/accounts/password/change/", typed, HTTP_USER_AGENT="Counter browser")
    user.refresh_from_db()
    return user.check_password(NEW_PASSWORD)


def test_who_has_an_address_hears_of_a_change_to_their_account(client: Client, user: AbstractBaseUser) -> None:
    user.email = "tess@harbour.example"
    user.save()
    assert change_password(client, user)
    (letter,) = mail.outbox
    assert letter.to == ["tess@harbour.example"]
    for words in (
        "Your password has been changed.",
        "tell a manager of your pharmacy at once",
        "127.0.0.1",
        "Counter browser",
    ):
        assert words in letter.body
    assert NEW_PASSWORD not in letter.body and user.get_username() not in letter.subject


def test_who_has_none_changes_their_password_all_the_same(client: Client, user: AbstractBaseUser) -> None:
    assert change_password(client, user) and mail.outbox == []


def test_a_mail_server_that_is_away_holds_up_no_change(
    client: Client, user: AbstractBaseUser, settings, caplog: pytest.LogCaptureFixture
) -> None:
    user.email = "tess@harbour.example"
    user.save()
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend",
        "127.0.0.1",
        9,
    )
    assert change_password(client, user)
    assert f"No mail about a change of account {user.pk} was sent: ConnectionRefusedError" in caplog.text
    assert "tess@" not in caplog.text


def test_behind_a_proxy_the_address_is_the_one_that_the_proxy_adds(user: AbstractBaseUser, settings) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1

    def try_from(forwarded: str, password: str) -> bool:
        form = {"login": user.get_username(), "password": password}
        answer = Client().post("/accounts/login/", form, headers={"X-Forwarded-For": forwarded})
        return answer.status_code == 302

    for number in range(5):
        assert not try_from(f"10.0.0.{number}, 192.0.2.66", "guessed")
    assert not try_from("10.1.2.3, 192.0.2.66", make.PASSWORD)
    assert try_from("192.0.2.66, 10.1.2.3", make.PASSWORD)
