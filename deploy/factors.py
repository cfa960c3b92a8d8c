"""Second factors: secrets of authenticator apps and seeds of recovery codes, encrypted in the database."""

from __future__ import annotations

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken
from django.db import transaction

from dispensary.actions.addresses import Resealed
from dispensary.models.sealed import reseal, seal, unseal

SECRET_NAMES = {Authenticator.Type.TOTP: "secret", Authenticator.Type.RECOVERY_CODES: "seed"}
"""Where allauth keeps the secret of a factor, by type. A passkey has a public key only."""
FERNET_START = "gAAAA"
"""How an encrypted secret begins: a version and the high bytes of a time. A secret in clear is Base32 capitals or hexadecimal digits."""


class EncryptedFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no annotations
    """allauth's second factors with their secrets encrypted as patients' addresses are. A secret from before, in clear, still works."""

    def encrypt(self, text: str) -> str:
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text) if is_encrypted(encrypted_text) else encrypted_text


def is_encrypted(secret: str) -> bool:
    """Return whether a stored secret is encrypted; with which of the site's secrets is not looked at."""
    return secret.startswith(FERNET_START)


def is_readable(secret: str) -> bool:
    """Return whether an encrypted secret opens with one of the site's secrets."""
    try:
        unseal(secret)
    except InvalidToken:
        return False
    return True


def list_secrets() -> list[str]:
    """Return the stored secrets of all factors that have one."""
    factors = Authenticator.objects.filter(type__in=SECRET_NAMES).values_list("type", "data")
    return [data[SECRET_NAMES[kind]] for kind, data in factors]


def encrypt_factors() -> Resealed:
    """Encrypt the secrets of all second factors with the newest of the site's secrets, those in clear too; may be repeated.

    A transaction for each: it runs beside everything else. A secret that cannot be read is left and counted.
    """
    renewed = already = unreadable = 0
    for key in Authenticator.objects.filter(type__in=SECRET_NAMES).order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            factor = Authenticator.objects.select_for_update().filter(pk=key).first()
            if factor is None:  # ended meanwhile
                continue
            name = SECRET_NAMES[factor.type]
            secret = factor.data[name]
            try:
                stored = reseal(secret) if is_encrypted(secret) else seal(secret)
            except InvalidToken:
                unreadable += 1
                continue
            if stored == secret:
                already += 1
                continue
            factor.data[name] = stored
            factor.save(update_fields=["data"])
            renewed += 1
    return Resealed(renewed, already, unreadable)
