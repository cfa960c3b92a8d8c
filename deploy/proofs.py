"""Fresh proof of a person by django-allauth: the password and, where there is a second factor, a code."""

from collections.abc import Mapping
from datetime import datetime

from allauth.mfa.base.internal.flows import check_rate_limit
from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from dispensary.errors import Problem
from dispensary.models import SignatureMethod
from dispensary.proof import Factor, NotProven, PasswordProof, Proof, User


class AccountProof(PasswordProof):
    """Proof by password, tried with the lock-out of sign-ins, and by a code of the authenticator app or a recovery code."""

    def begin(self, user: User) -> frozenset[Factor]:
        """Return the password, and the code where the person has a second factor."""
        factors = super().begin(user)
        has_second = Authenticator.objects.filter(user_id=user.pk).exists()
        return factors | {Factor.CODE} if factors and has_second else factors

    def verify(
        self, request: HttpRequest, user: User, digest: str, evidence: Mapping[str, str], now: datetime
    ) -> Proof:
        """Return the proof; a code is used up. Raises `NotProven`."""
        try:
            proof = super().verify(request, user, digest, evidence, now)
        finally:
            request.axes_locked_out = False  # type: ignore[attr-defined]  # else its middleware answers with a page
        if Factor.CODE not in self.begin(user):
            return proof
        try:
            forget_attempts = check_rate_limit(user)
        except ValidationError:
            raise NotProven("Too many wrong codes. Wait five minutes.") from None
        kinds = (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)
        if not any(
            factor.wrap().validate_code(evidence[Factor.CODE])
            for factor in Authenticator.objects.filter(user_id=user.pk, type__in=kinds)
        ):
            raise NotProven(
                "That code is not right, or was used already.",
                Problem(
                    "proof.code", "another", "the code that the app shows now", "With a passkey alone: a recovery code."
                ),
            )
        forget_attempts()
        return Proof(proof.user_id, now, SignatureMethod.SECOND_FACTOR, digest)
