"""The second pharmacist: signs an answer to a finding of the worst class, after the first; or the first alone, because nobody came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from django.db import transaction

from dispensary import audit, policies
from dispensary.actions import signatures
from dispensary.actions.decisions import FRESH
from dispensary.actions.locks import lock
from dispensary.actions.overrides import Answer, find, needs_second
from dispensary.actions.staff_alerts import open_alert
from dispensary.actions.summaries import follow_therapy
from dispensary.actors import Actor
from dispensary.assessment import Assessment, therapy_of
from dispensary.audit import Event
from dispensary.errors import Conflict, InvalidInput, NotAllowed, Problem
from dispensary.models import (
    AlertKind,
    Override,
    OverrideState,
    Pharmacy,
    Prescription,
    SecondSignature,
    SignatureMethod,
)
from dispensary.statements import list_rows
from dispensary.text import clean_line

MOST_DAYS_ALONE = 3
"""Days of supply that one pharmacist may hand over alone to a patient who goes on [D]."""
CONTINUING_WITHIN = timedelta(days=14)
"""A patient who took the medicine so lately goes on with it [D]."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A person's proof for a second signature, and what it is for."""

    method: SignatureMethod
    digest: str
    """As `digest_waiting` gave it when they were shown the answers."""
    nonce: UUID | None = None
    because: str = ""
    """Why alone; empty for a second person."""


def find_waiting(prescription: Prescription) -> list[Override]:
    """Return the answers on an order that wait for a second pharmacist, oldest first."""
    return list(prescription.overrides.filter(state=OverrideState.WAITING).order_by("signed_at", "pk"))


def digest_waiting(answers: Sequence[Override]) -> str:
    """Return the SHA-256 of answers as the second pharmacist is shown them, as hexadecimal text."""
    rows = [
        f"{a.pk} {a.fingerprint} {a.summary} {a.detail} {a.mitigation} {a.words} {a.asked} {a.agreed} {a.signed_by}"
        for a in answers
    ]
    return sha256("\n".join(rows).encode()).hexdigest()


@audit.retrying
@transaction.atomic
def sign_second(*, prescription: Prescription, signed: Signed, by: Actor, now: datetime) -> list[SecondSignature]:
    """Sign every answer on an order that waits, as second pharmacist.

    Raises `NotAllowed` for who may not sign and for who signed first, `Conflict` where nothing waits, `Stale` where others were shown.
    """
    locked, waiting = _lock_waiting(prescription, signed, by, now)
    if any(answer.signed_by == by.name for answer in waiting):
        raise NotAllowed(
            f"{by.display} signed first. Another pharmacist signs second.",
            Problem("signer", "the same person", "another pharmacist or manager of this pharmacy"),
        )
    return _store(locked, waiting, signed, by, now)


@audit.retrying
@transaction.atomic
def sign_alone(
    *, prescription: Prescription, signed: Signed, because: str, by: Actor, now: datetime
) -> list[SecondSignature]:
    """Let answers stand with the first signature alone, for at most `MOST_DAYS_ALONE` days' supply of a patient who goes on; listed for review.

    Raises `Conflict` before the pharmacy's time to wait is over, and for a patient who does not take the medicine.
    """
    locked, waiting = _lock_waiting(prescription, signed, by, now)
    if any(answer.signed_by != by.name for answer in waiting):
        raise NotAllowed("Only who signed first goes on alone.")
    words = clean_line(because, "because", longest=250)
    if len(words) < 3:
        raise InvalidInput("Say why nobody else signs.", Problem("because", "too little", "the reason in words"))
    if (wait := alone_from(waiting, locked.pharmacy) - now) > timedelta():
        minutes = -(-wait // timedelta(minutes=1))
        raise Conflict(f"A second pharmacist may still answer: wait {minutes} min, or ask one at this counter.")
    if not goes_on(locked, now):
        raise Conflict(
            "The patient does not take baclofen now: nothing is handed over on one signature.",
            Problem("", "", "A second pharmacist's signature", "Ring one; they may sign from their own session."),
        )
    return _store(locked, waiting, replace(signed, because=words), by, now)


def alone_from(waiting: Sequence[Override], pharmacy: Pharmacy) -> datetime:
    """Return from when the first signer may go on alone."""
    return max(answer.signed_at for answer in waiting) + timedelta(minutes=pharmacy.second_signer_minutes)


def goes_on(prescription: Prescription, now: datetime) -> bool:
    """Return whether the patient took the medicine within the last days."""
    on = prescription.pharmacy.local_day(now)
    stretches = therapy_of(prescription.patient, on).stretches(on - CONTINUING_WITHIN, on)
    return any(stretch.day.mg for stretch in stretches)


def second_problems(
    prescription: Prescription, answers: Sequence[Answer], assessment: Assessment, days: int
) -> tuple[Problem, ...]:
    """Return what stands against handing over so many days' supply for want of a second signature.

    An answer of the worst class that comes with the hand-over has had no second signer; one signed alone is for few days.
    """
    questions = assessment.questions()
    asked = [find(questions, answer.finding) for answer in answers]
    lacking = [
        Problem(
            question.code,
            f"{question.summary}: one signature",
            "the signatures of two pharmacists",
            "Sign the answer before the hand-over; then another pharmacist signs it.",
        )
        for question in asked
        if needs_second(question, prescription.pharmacy, assessment.on)
    ]
    fingerprints = [question.fingerprint for question in questions]
    seconds = [
        getattr(answer, "second", None)
        for answer in list_rows(prescription, "overrides")
        if answer.state == OverrideState.OPEN and answer.fingerprint in fingerprints
    ]
    if days > MOST_DAYS_ALONE and any(second is not None and second.is_alone for second in seconds):
        lacking.append(
            Problem(
                "quantity",
                f"{days} days' supply on one signature",
                f"at most {MOST_DAYS_ALONE} days, or a second pharmacist's signature",
                "Hand over fewer tablets now.",
            )
        )
    return tuple(lacking)


def _lock_waiting(
    prescription: Prescription, signed: Signed, by: Actor, now: datetime
) -> tuple[Prescription, list[Override]]:
    policies.require(policies.may_override(by), by, "sign an override", "a pharmacist")
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    if signed.method not in FRESH:
        raise InvalidInput("A second signature needs a fresh proof.", Problem("proof", "none", "the signer's own"))
    locked = lock(prescription)
    waiting = find_waiting(locked)
    if not waiting:
        raise Conflict("Nothing on this prescription waits for a second pharmacist.")
    signatures.require_digest(signed.digest, digest_waiting(waiting))
    if signed.nonce is not None:
        signatures.use(nonce=signed.nonce, by=by, now=now)
    return locked, waiting


def _store(
    prescription: Prescription,
    waiting: Sequence[Override],
    signed: Signed,
    by: Actor,
    now: datetime,
) -> list[SecondSignature]:
    rows = []
    for answer in waiting:
        row = SecondSignature.objects.create(
            override=answer, signed_by=by.name, signer_name=by.display, signer_role=by.role.value,
            signature=signed.method, signed_at=now, is_alone=bool(signed.because), because=signed.because,
        )  # fmt: skip
        answer.state = OverrideState.OPEN
        answer.save(update_fields=["state"])
        audit.record(
            Event.OVERRIDE_ALONE if row.is_alone else Event.OVERRIDE_SECONDED,
            pharmacy=prescription.pharmacy,
            by=by,
            now=now,
            subject=row,
            patient=prescription.patient,
            rule_codes=(answer.code,),
            second_actor=answer.signed_by,
            body={
                "prescription": prescription.pk,
                "answer": answer.pk,
                "summary": answer.summary,
                "first": answer.signer_name,
                "signer": by.display,
                "method": signed.method,
                "at": now,
                "is_alone": row.is_alone,
                "because": row.because,
                "signed": signed.digest,
                "nonce": signed.nonce,
            },
        )
        rows.append(row)
    open_alert(kind=AlertKind.OVERRIDE, pharmacy=prescription.pharmacy, subject_id=str(rows[0].pk), by=by, now=now)
    follow_therapy(patient_id=prescription.patient_id, by=by, now=now)
    return rows
