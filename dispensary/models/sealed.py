"""Addresses at rest: encrypted to be read back only by us, and a keyed digest to be matched without reading."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import models

from dispensary.conf import conf


def _derive(secret: str, purpose: bytes) -> bytes:
    return hmac.new(secret.encode(), b"dispensary/" + purpose, hashlib.sha256).digest()


@cache
def _fernet(secrets: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derive(secret, b"address"))) for secret in secrets])


def _secrets() -> tuple[str, ...]:
    """The newest first: it encrypts; all of them decrypt. Without a setting, Django's own secret key."""
    return tuple(conf().address_secrets) or (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


def address_digest(medium: str, address: str) -> str:
    """64 hex digits that are equal for equal addresses and tell nothing to whoever has no key.

    Made with the oldest secret, so that a new one does not lose the addresses that asked us to stop.
    """
    text = f"{medium}\n{address.strip().casefold()}"
    return hmac.new(_derive(_secrets()[-1], b"digest"), text.encode(), hashlib.sha256).hexdigest()


def seal(text: str) -> str:
    """Text that only `unseal` reads."""
    return _fernet(_secrets()).encrypt(text.encode()).decode()


def unseal(text: str) -> str:
    """The address behind what a query without the ORM found. Raises cryptography's InvalidToken with a foreign key."""
    return _fernet(_secrets()).decrypt(text.encode()).decode()


def opener() -> Callable[[str], str]:
    """`unseal` with its keys looked up once, for many addresses at a time."""
    keys = _fernet(_secrets())
    return lambda text: keys.decrypt(text.encode()).decode()


class SealedTextField(models.TextField):
    """Text that is encrypted (Fernet: AES-128-CBC, HMAC-SHA-256) on its way into the database."""

    def get_prep_value(self, value: Any) -> Any:
        prepared = super().get_prep_value(value)
        return prepared and seal(prepared)

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return value and unseal(value)
