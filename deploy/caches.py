"""The cache of the deployment: in the database, and with the codes of authenticator apps that were used."""

from typing import Any

from allauth.mfa import app_settings
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.db import DatabaseCache

USED_CODE = "allauth.mfa.totp.used?"
"""How allauth's keys of used codes begin."""


class CodeCache(DatabaseCache):
    """Django's cache in the database, which knows a used code as long as it would be right.

    allauth forgets it after one period; with MFA_TOTP_TOLERANCE it is right in the periods before and after, too.
    """

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Store a value unless there is one. Returns whether it was stored."""
        if key.startswith(USED_CODE):
            timeout = app_settings.TOTP_PERIOD * (2 * app_settings.TOTP_TOLERANCE + 1)
        is_stored: bool = super().add(key, value, timeout, version)
        return is_stored
