"""Fresh proof of a person for one signature: what a site implements, and the implementation by password.

A site names its own class in the setting `person_proof`; `begin` says what a person is asked for, `verify` takes it. A proof is for one signature: it is
bound to the digest of what is signed (`actions/signatures.py`), and nothing keeps it for a later one. Interfaces call `prove`, which counts wrong ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.module_loading import import_string

from dispensary.actions import signatures
from dispensary.actors import Actor
from dispensary.conf import conf
from dispensary.errors import DispensaryError, Problem
from dispensary.models import SignatureMethod, StaffMember

User = AbstractBaseUser | AnonymousUser


class Factor(StrEnum):
    """The parts of a proof, as they are named in a request."""

    PASSWORD = "password"  # noqa: S105  (the name of a field)
    CODE = "code"
    """Of an authenticator app, or a recovery code."""
    PASSKEY = "passkey"
    """The answer of a passkey, as JSON; in place of the others."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A person who proved to be there: who, when, by which factor, for what."""

    user_id: int | str | None
    at: datetime
    method: SignatureMethod
    digest: str


class NotProven(DispensaryError):
    """The person did not prove to be there. Nothing was signed."""

    code = "not-proven"
    title = "This is not signed"
    status = 403


class PersonProof(Protocol):
    """Fresh proof of a person, as a site implements it."""

    def begin(self, user: User) -> frozenset[Factor]:
        """Return what this person must give; nothing for one who cannot sign at all, as a program."""

    def has_second_factor(self, user: User) -> bool:
        """Return whether the person signs in with more than a password, or whether that is no matter of this site."""

    def passkey_options(self, user: User, digest: str) -> dict[str, Any] | None:
        """Return what a browser asks this person's passkeys with, for what has this digest; None where they have none."""

    def verify(
        self, request: HttpRequest, user: User, digest: str, evidence: Mapping[str, str], now: datetime
    ) -> Proof:
        """Return the proof for what has this digest. Raises `NotProven`."""


class PasswordProof:
    """Proof by the person's password."""

    def begin(self, user: User) -> frozenset[Factor]:
        """Return the password, where there is one."""
        has_password = isinstance(user, AbstractBaseUser) and user.has_usable_password()
        return frozenset({Factor.PASSWORD} if has_password else ())

    def has_second_factor(self, user: User) -> bool:
        """Return True: Django knows no second factors, so that there is none to be asked for."""
        return True

    def passkey_options(self, user: User, digest: str) -> dict[str, Any] | None:
        """Return None: Django knows no passkeys."""
        return None

    def verify(
        self, request: HttpRequest, user: User, digest: str, evidence: Mapping[str, str], now: datetime
    ) -> Proof:
        """Return the proof, after trying the password."""
        if not self.begin(user) or not user.check_password(evidence.get(Factor.PASSWORD, "")):
            raise NotProven(
                "That is not the signer's password.",
                Problem(
                    "proof.password", "another", "the signer's own", "After five wrong ones wait a quarter of an hour."
                ),
            )
        return Proof(user.pk, now, SignatureMethod.PASSWORD, digest)


def lacks_factor(member: StaffMember | None, user: User, now: datetime) -> bool:
    """Return whether somebody must add a second factor before they go on: their role needs one, and the grace is over."""
    due_at = None if member is None else member.factor_due_at
    return due_at is not None and due_at <= now and not person_proof().has_second_factor(user)


def person_proof() -> PersonProof:
    """Return the site's implementation."""
    implementation: PersonProof = import_string(conf().person_proof)()
    return implementation


def prove(
    request: HttpRequest, user: User, digest: str, evidence: Mapping[str, str], *, by: Actor, now: datetime
) -> Proof:
    """Return the proof that `user`, who signs as `by`, was there for what has this digest.

    Call it outside of the transaction of what is signed: wrong proofs are counted and in the log. Raises `NotProven`, and `SignatureLocked` after five.
    """
    proofs = person_proof()
    missing = [
        Problem(f"proof.{factor}", "nothing", "the signer's own")
        for factor in sorted(proofs.begin(user))
        if not evidence.get(Factor.PASSKEY) and not evidence.get(factor)
    ]
    if missing:
        raise NotProven("Something is missing with which the signer proves to be there.", *missing)
    member = StaffMember.objects.filter(user_id=by.user_id, pharmacy_id=by.pharmacy_id).first() if by.user_id else None
    if lacks_factor(member, user, now):
        problem = Problem("signer", "a person without a second factor", "one with a second factor", "Add one first.")
        raise NotProven("The time to add a second factor is over.", problem)
    signatures.count_attempt(by=by, now=now)
    try:
        proof = proofs.verify(request, user, digest, evidence, now)
    except NotProven:
        signatures.record_refusal(by=by, now=now)
        raise
    signatures.forget_attempts(signer=by.name)
    return proof
