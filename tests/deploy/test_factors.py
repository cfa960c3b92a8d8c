"""Second factors at rest: their secrets are encrypted, those of before work and are encrypted by a command, secrets are renewed."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import User
from django.core import checks
from django.core.management import CommandError, call_command

from tests.deploy.test_accounts import code_of

pytestmark = pytest.mark.django_db

OLD, NEW = "old-" + "0123456789" * 4, "new-" + "0123456789" * 4


@pytest.fixture(autouse=True)
def old_secret(settings: Any) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OLD, []


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada")


def stored_secrets() -> dict[str, str]:
    """Return what stands in the table, by the type of factor."""
    rows = Authenticator.objects.values_list("type", "data")
    return {kind: data.get("secret", data.get("seed")) for kind, data in rows}


def messages() -> list[tuple[str, str]]:
    """Return number and text of what the check of the database says about factors."""
    reported = checks.run_checks(tags=[checks.Tags.database], databases=["default"])
    return [(str(message.id), message.msg) for message in reported if "econd factors" in message.msg]


def test_secrets_are_encrypted_and_open_with_the_sites_secret(user: User) -> None:
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    codes = RecoveryCodes.activate(user)
    stored = stored_secrets()
    assert secret not in stored["totp"] and all(text.startswith("gAAAA") for text in stored.values())
    app = Authenticator.objects.get(type="totp").wrap()
    assert not app.validate_code("000000") and app.validate_code(code_of(secret))
    assert Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes() == codes.get_unused_codes()
    assert messages() == []


def test_a_secret_of_before_works_is_named_by_the_check_and_encrypted_by_the_command(
    user: User, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = generate_totp_secret()
    Authenticator.objects.create(user=user, type="totp", data={"secret": secret})
    Authenticator.objects.create(user=user, type="recovery_codes", data={"seed": "12ab" * 10, "used_mask": 0})
    codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    assert Authenticator.objects.get(type="totp").wrap().validate_code(code_of(secret))
    assert messages() == [("deploy.W003", "Second factors whose secret stands in clear in the database: 2.")]
    call_command("factors", "encrypt")
    call_command("factors", "encrypt")
    assert capsys.readouterr().out.splitlines() == [
        "2 encrypted anew, 0 already under the newest secret.",
        "0 encrypted anew, 2 already under the newest secret.",
    ]
    assert secret not in str(stored_secrets()) and messages() == []
    assert Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes() == codes


def test_a_renewed_secret_encrypts_them_anew_and_the_old_one_may_go(user: User, settings: Any) -> None:
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    call_command("factors", "encrypt")
    settings.SECRET_KEY_FALLBACKS = []
    assert messages() == []
    assert Authenticator.objects.get().wrap().validate_code(code_of(secret))


def test_a_secret_that_nothing_opens_is_left_counted_and_named_by_the_check(
    user: User, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    TOTP.activate(user, generate_totp_secret())
    stored = stored_secrets()
    settings.SECRET_KEY = NEW
    with pytest.raises(CommandError, match=r"1 cannot be read with any of the secrets\."):
        call_command("factors", "encrypt")
    assert capsys.readouterr().out == "0 encrypted anew, 0 already under the newest secret.\n"
    assert stored_secrets() == stored
    assert messages() == [
        ("deploy.E004", "Second factors whose secret cannot be read, so that their owners cannot sign in: 1.")
    ]
