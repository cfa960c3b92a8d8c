"""Signatures: begun for what a person is shown, used once, and locked after wrong proofs."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from django.db import transaction

from dispensary import audit
from dispensary.actors import Actor
from dispensary.audit import Event, Subject
from dispensary.errors import DispensaryError, Problem, Stale
from dispensary.models import BegunSignature, Prescription, SignatureLock
from dispensary.models.review import Reviewed

OPEN_FOR = timedelta(hours=1)
"""A signature must be finished this long after it was begun [D]."""
MOST_FAILURES = 5
LOCKED_FOR = timedelta(minutes=15)


class SignatureLocked(DispensaryError):
    """Too many wrong proofs. The person goes on working; they sign nothing for a while."""

    code = "not-proven"
    title = "This is not signed"
    status = 403


@transaction.atomic
def begin(*, subject: Reviewed | None, shown: str, by: Actor, now: datetime) -> BegunSignature:
    """Begin a signature for what has the digest `shown`; the one that this person has begun for the same goes on."""
    begun = BegunSignature.objects.filter(
        prescription=_order_of(subject), signer=by.name, shown=shown, used_at=None, begun_at__gt=now - OPEN_FOR / 2
    ).first()
    return begun or BegunSignature.objects.create(
        prescription=_order_of(subject), signer=by.name, shown=shown, begun_at=now
    )


def find_begun(*, nonce: UUID | None, subject: Reviewed | None, shown: str, by: Actor, now: datetime) -> BegunSignature:
    """Return the open signature of this person for what has the digest `shown`. Raises `Stale` where there is none."""
    own = BegunSignature.objects.filter(prescription=_order_of(subject), signer=by.name)
    begun = _require_open(None if nonce is None else own.filter(pk=nonce).first(), now)
    require_digest(begun.shown, shown)
    return begun


def require_digest(digest: str, expected: str) -> None:
    """Raise `Stale` where a signature is for something else than what it is put under."""
    if digest != expected:
        problem = Problem("proof.digest", "that of others", "that of these answers", "Begin the signature again.")
        raise Stale("The findings or the answers are not those that were to be signed.", problem)


@transaction.atomic
def use(*, nonce: UUID, by: Actor, now: datetime) -> None:
    """Use a begun signature up, in the transaction of what it signs. Raises `Stale` where it was used already."""
    begun = _require_open(BegunSignature.objects.select_for_update().filter(pk=nonce, signer=by.name).first(), now)
    begun.used_at = now
    begun.save(update_fields=["used_at"])


def _order_of(subject: Reviewed | None) -> Prescription | None:
    """Return the order that a signature is about; None for limits and for a recorded supply, which the digest names."""
    return subject if isinstance(subject, Prescription) else None


def _require_open(begun: BegunSignature | None, now: datetime) -> BegunSignature:
    if begun is None or begun.used_at is not None or begun.begun_at <= now - OPEN_FOR:
        state_words = "none" if begun is None else "one that was used" if begun.used_at else "one that is too old"
        problem = Problem("proof.nonce", state_words, "that of a signature begun within the hour", "Begin it again.")
        raise Stale("This signature was not begun, was used already, or is too old.", problem)
    return begun


def seal(begun: BegunSignature, *parts: str) -> str:
    """Return the SHA-256 of a begun signature, what was shown, and what was typed, as hexadecimal text: what a proof is for."""
    return sha256("\n".join([str(begun.pk), begun.shown, *parts]).encode()).hexdigest()


@transaction.atomic
def count_attempt(*, by: Actor, now: datetime) -> None:
    """Count an attempt to sign before its proof is tried, so that many at once count, too. Raises `SignatureLocked`."""
    lock, _ = SignatureLock.objects.select_for_update().get_or_create(signer=by.name, defaults={"since": now})
    if now >= lock.since + LOCKED_FOR:
        lock.since, lock.failures = now, 0
    if lock.failures >= MOST_FAILURES:
        minutes = -((now - lock.since - LOCKED_FOR) // timedelta(minutes=1))
        problem = Problem("proof", "the sixth", "at most five wrong ones", f"Wait {minutes} min, or ask a manager.")
        raise SignatureLocked(f"Your signature is locked after {MOST_FAILURES} wrong proofs.", problem)
    lock.failures += 1
    lock.save()


def forget_attempts(*, signer: str) -> None:
    """Unlock a signature: after a right proof, and when a manager unlocks the person."""
    SignatureLock.objects.filter(signer=signer).delete()


@transaction.atomic
def record_refusal(*, by: Actor, now: datetime) -> None:
    """Record that a proof was wrong."""
    subject = Subject("account", by.name)
    audit.record(
        Event.SIGNATURE_REFUSED, pharmacy=by.pharmacy_id, by=by, now=now, subject=subject, outcome="refused", body={}
    )
