"""The numbers of a pharmacy's profile, read and signed line by line by a pharmacist."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from django.db import transaction

from dispensary import audit, policies
from dispensary.actions import signatures
from dispensary.actors import Actor
from dispensary.assessment import profile_of
from dispensary.audit import Event
from dispensary.errors import InvalidInput, Problem
from dispensary.models import Pharmacy, SignatureMethod, SignedLimit
from dispensary.profiles import LimitLine, limit_lines

LONGEST = timedelta(days=3 * 366)
"""A number is read again within about three years [D]."""


def lines_of(pharmacy: Pharmacy, on: date) -> tuple[LimitLine, ...]:
    """Return the numbers of the pharmacy's profile on a day."""
    return limit_lines(profile_of(pharmacy, on))


def signed_lines(pharmacy: Pharmacy, on: date) -> dict[str, SignedLimit]:
    """Return the newest signature under each line by the line's digest, without those that are to be read again."""
    rows = SignedLimit.objects.filter(pharmacy=pharmacy, review_on__gt=on).order_by("signed_at")
    return {row.digest: row for row in rows}


def digest_of(digests: Iterable[str], *further: str) -> str:
    """Return the SHA-256 of lines by their digests, and of what else a signature is for."""
    return sha256("\n".join([*digests, *further]).encode()).hexdigest()


def are_checked(pharmacy: Pharmacy, on: date) -> bool:
    """Return whether a pharmacist signed every number of the pharmacy's profile."""
    return signed_lines(pharmacy, on).keys() >= {line.digest for line in lines_of(pharmacy, on)}


@audit.retrying
@transaction.atomic
def sign_limits(
    *,
    pharmacy: Pharmacy,
    digests: Collection[str],
    review_on: date,
    method: SignatureMethod,
    nonce: UUID,
    by: Actor,
    now: datetime,
) -> int:
    """Sign lines of the pharmacy's profile by their digests; they stand in the log with their numbers. Returns how many.

    Raises `InvalidInput` for no line, for one that is not of today's profile, and for a day of review that is no day ahead.
    """
    policies.require(policies.may_override(by), by, "sign limits", "a pharmacist")
    policies.require_same_pharmacy(by, pharmacy.pk)
    today = pharmacy.local_day(now)
    chosen = [line for line in lines_of(pharmacy, today) if line.digest in digests]
    if not chosen or len(chosen) != len(set(digests)):
        problem = Problem("lines", "none, or others", "lines of the pharmacy's profile", "Load the page again.")
        raise InvalidInput("The limits are not those of the pharmacy's profile.", problem)
    if not today < review_on <= today + LONGEST:
        problem = Problem("review_on", review_on.isoformat(), "a day ahead, within three years")
        raise InvalidInput("The limits are to be read again on a day ahead.", problem)
    signatures.use(nonce=nonce, by=by, now=now)
    SignedLimit.objects.bulk_create(
        SignedLimit(pharmacy=pharmacy, digest=line.digest, signer_name=by.display, signed_at=now, review_on=review_on)
        for line in chosen
    )
    audit.record(
        Event.LIMITS_SIGNED,
        pharmacy=pharmacy,
        by=by,
        now=now,
        subject=pharmacy,
        body={
            "profile": pharmacy.profile,
            "review_on": review_on,
            "method": method,
            "nonce": nonce,
            "lines": [
                {"place": line.place, "value": line.value, "unit": line.unit, "ages": line.ages, "digest": line.digest}
                for line in chosen
            ],
        },
    )
    return len(chosen)
