"""Fresh proof of a person by django-allauth: a passkey, or the password and, where there is a second factor, a code."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from fido2.webauthn import UserVerificationRequirement

from dispensary.errors import Problem
from dispensary.models import SignatureMethod
from dispensary.proof import Factor, NotProven, PasswordProof, Proof, User

CODES = (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)


class AccountProof(PasswordProof):
    """Proof by a passkey, which says who holds it; or by password and a code of the authenticator app or a recovery code."""

    def begin(self, user: User) -> frozenset[Factor]:
        """Return the password, and the code where the person has a second factor."""
        factors = super().begin(user)
        return factors | {Factor.CODE} if factors and self.has_second_factor(user) else factors

    def has_second_factor(self, user: User) -> bool:
        """Return whether the person has an app, a passkey or recovery codes."""
        return bool(Authenticator.objects.filter(user_id=user.pk).exists())

    def passkey_options(self, user: User, digest: str) -> dict[str, Any] | None:
        """Return the options of a request to the person's passkeys; its challenge is the digest."""
        asked = _ask_passkeys(user, digest)
        return None if asked is None else dict(asked[0])

    def verify(
        self, request: HttpRequest, user: User, digest: str, evidence: Mapping[str, str], now: datetime
    ) -> Proof:
        """Return the proof; a code is used up. Raises `NotProven`."""
        if answer := evidence.get(Factor.PASSKEY):
            return _verify_passkey(user, digest, answer, now)
        proof = super().verify(request, user, digest, evidence, now)
        if Factor.CODE not in self.begin(user):
            return proof
        if not is_right_code(user.pk, evidence.get(Factor.CODE, ""), CODES):
            raise NotProven(
                "That code is not right, or was used already.",
                Problem(
                    "proof.code", "another", "the code that the app shows now", "With a passkey alone: a recovery code."
                ),
            )
        return Proof(proof.user_id, now, SignatureMethod.SECOND_FACTOR, digest)


def is_right_code(user_id: object, code: str, kinds: Sequence[str]) -> bool:
    """Return whether this is a code of one of the person's factors of these kinds; it is used up."""
    factors = Authenticator.objects.filter(user_id=user_id, type__in=kinds)
    return any(factor.wrap().validate_code(code) for factor in factors)


def _ask_passkeys(user: User, digest: str) -> tuple[Mapping[str, Any], Any] | None:
    """Return a request to the person's passkeys and what its answer is compared with; None without passkeys or digest."""
    keys = auth.get_credentials(user) if isinstance(user, AbstractBaseUser) else []
    if not keys or not digest:
        return None
    required = UserVerificationRequirement.REQUIRED  # the passkey alone is the proof: it must ask for PIN or finger
    asked: tuple[Mapping[str, Any], Any] = auth.get_server().authenticate_begin(
        keys, user_verification=required, challenge=bytes.fromhex(digest)
    )
    return asked


def _verify_passkey(user: User, digest: str, answer: str, now: datetime) -> Proof:
    asked = _ask_passkeys(user, digest)
    try:
        if asked is None:
            raise ValueError("no passkey, or no signature was begun")
        response = json.loads(answer)
        key = auth.get_server().authenticate_complete(asked[1], auth.get_credentials(user), response)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotProven(
            "The passkey did not sign this.",
            Problem("proof.passkey", "an answer to something else", "the answer of the signer's passkey", "Try again."),
        ) from error
    used = auth.get_authenticator_by_credential_id(user, key.credential_id)
    if used is not None:
        used.record_usage()
    return Proof(user.pk, now, SignatureMethod.PASSKEY, digest)
