"""Fresh proof of a person for one signature: what a site implements, and the implementation by password.

A site names its own class in the setting `person_proof`; `begin` says what a person is asked for, `verify` takes it. A proof is for one request: it is
bound to the digest of what is signed, and nothing keeps it for a later one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from django.contrib.auth import authenticate
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.module_loading import import_string

from dispensary.conf import conf
from dispensary.errors import DispensaryError, Problem
from dispensary.models import SignatureMethod

User = AbstractBaseUser | AnonymousUser


class Factor(StrEnum):
    """The parts of a proof, as they are named in a request."""

    PASSWORD = "password"  # noqa: S105  (the name of a field)
    CODE = "code"
    """Of an authenticator app, or a recovery code."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A person who proved to be there: who, when, by which factor, for what."""

    user_id: int | str
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

    def verify(
        self, request: HttpRequest, user: User, digest: str, evidence: Mapping[str, str], now: datetime
    ) -> Proof:
        """Return the proof for what has this digest. Raises `NotProven`; a wrong answer counts towards a lock-out."""


class PasswordProof:
    """Proof by the person's password, which Django's authentication backends try."""

    def begin(self, user: User) -> frozenset[Factor]:
        """Return the password, where there is one."""
        has_password = isinstance(user, AbstractBaseUser) and user.has_usable_password()
        return frozenset({Factor.PASSWORD} if has_password else ())

    def verify(
        self, request: HttpRequest, user: User, digest: str, evidence: Mapping[str, str], now: datetime
    ) -> Proof:
        """Return the proof, after trying the password."""
        missing = [
            Problem(f"proof.{factor}", "nothing", "the signer's own")
            for factor in sorted(self.begin(user))
            if not evidence.get(factor)
        ]
        if missing:
            raise NotProven("Something is missing with which the signer proves to be there.", *missing)
        user_id = user.pk
        signer = authenticate(request=request, username=user.get_username(), password=evidence.get(Factor.PASSWORD, ""))
        if user_id is None or signer is None or signer.pk != user_id:
            raise NotProven(
                "That is not the signer's password.",
                Problem(
                    "proof.password", "another", "the signer's own", "After five wrong ones wait a quarter of an hour."
                ),
            )
        return Proof(user_id, now, SignatureMethod.PASSWORD, digest)


def person_proof() -> PersonProof:
    """Return the site's implementation."""
    implementation: PersonProof = import_string(conf().person_proof)()
    return implementation
