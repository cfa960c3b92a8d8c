"""Addresses at rest: encrypted for reading back, with a keyed digest for matching without decrypting."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from dispensary.conf import conf


def _derive(secret: str, purpose: bytes) -> bytes:
    return hmac.new(secret.encode(), b"dispensary/" + purpose, hashlib.sha256).digest()


@cache
def _fernet(secrets: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derive(secret, b"address"))) for secret in secrets])


def _secrets() -> tuple[str, ...]:
    """Return the secrets, newest first: it encrypts; all of them decrypt. Without a setting, Django's own secret key."""
    return tuple(conf().address_secrets) or (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


def address_digest(medium: str, address: str) -> str:
    """Return the digest of an address. Addresses that differ in case alone have one."""
    return text_digest(medium, address)


def text_digest(kind: str, text: str) -> str:
    """Return 64 hex digits, equal for equal texts of a kind, that reveal nothing without the key.

    Keyed by `digest_secret`, or the oldest of the secrets: it stays when the others are renewed, since of an address that asked us to stop
    only the digest is kept.
    """
    text = f"{kind}\n{text.strip().casefold()}"
    secret = conf().digest_secret or _secrets()[-1]
    return hmac.new(_derive(secret, b"digest"), text.encode(), hashlib.sha256).hexdigest()


def seal(text: str) -> str:
    """Encrypt a text for `unseal`."""
    return _fernet(_secrets()).encrypt(text.encode()).decode()


def unseal(text: str) -> str:
    """Decrypt an address that was queried without the ORM. Raises cryptography's InvalidToken with a foreign key."""
    return _fernet(_secrets()).decrypt(text.encode()).decode()


def unseal_young(text: str, seconds: int, now: float) -> str:
    """Decrypt a text that was sealed at most so many seconds before `now`. Raises InvalidToken for an older one, too."""
    return _fernet(_secrets()).decrypt_at_time(text.encode(), seconds, int(now)).decode()


def reseal(sealed: str) -> str:
    """Return a sealed text, sealed with the newest secret; itself where that was done. Raises InvalidToken with a foreign key."""
    keys = _secrets()
    try:
        _fernet(keys[:1]).decrypt(sealed.encode())
    except InvalidToken:
        return _fernet(keys).rotate(sealed.encode()).decode()
    return sealed


def opener() -> Callable[[str], str]:
    """Return `unseal` with its keys looked up once, for many addresses."""
    keys = _fernet(_secrets())
    return lambda text: keys.decrypt(text.encode()).decode()


class SealedTextField(models.TextField):  # type: ignore[type-arg]  # generic in the stubs only
    """Text that is encrypted (Fernet: AES-128-CBC, HMAC-SHA-256) on its way into the database."""

    def get_prep_value(self, value: Any) -> Any:
        prepared = super().get_prep_value(value)
        return prepared and seal(prepared)

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return value and unseal(value)
