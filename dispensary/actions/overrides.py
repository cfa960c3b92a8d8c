"""A pharmacist's answers to findings: signed, used by a dispense, or withdrawn."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from uuid import UUID

from django.db import transaction

from dispensary import audit, policies
from dispensary.actions import signatures
from dispensary.actions.decisions import FRESH, PROOF_NEEDED, Decided, check_answers
from dispensary.actions.locks import lock, lock_patient
from dispensary.actions.reviews import name_subject
from dispensary.actions.summaries import follow_therapy
from dispensary.actors import Actor
from dispensary.assessment import Assessment, assess, rules_of_two
from dispensary.audit import Event
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.models import (
    UNUSED_STATES,
    FindingSeverity,
    Mitigation,
    Override,
    OverrideState,
    Pharmacy,
    Prescription,
    PrescriptionStatus,
    SignatureMethod,
)
from dispensary.models.review import Reviewed
from dispensary.questions import Question
from dispensary.statements import list_rows
from dispensary.text import clean_line, clean_words

EMERGENCY = "emergency-supply"


def needs_second(question: Question, pharmacy: Pharmacy, on: date) -> bool:
    """Return whether an override of this finding needs a second pharmacist's signature on a day."""
    return question.severity == FindingSeverity.OVERRIDE and question.code in rules_of_two(pharmacy, on)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a finding. `finding` is its rule code, or its fingerprint where a code occurs twice."""

    finding: str
    mitigation: str = ""
    words: str = ""
    asked: str = ""
    asked_at: datetime | None = None
    agreed: str = ""
    signature: SignatureMethod = SignatureMethod.SIGNED_IN
    digest: str = ""
    """Of the answers that were signed together, as the signer was shown them; "" where they were not asked for before."""
    nonce: UUID | None = None
    """Of the signature that was begun for them, to be used once; None where a request carried password and answers at once."""
    shown: str = ""
    """Digest of the page that the signer was shown: the case and its findings; "" over REST."""
    seconds: int | None = None
    """Seconds between the first showing of the page and the signature; None where it was not signed on a page."""
    offered: tuple[str, ...] = ()
    """Codes of the reasons that the page offered, in its order; none where it was not signed on a page."""


@audit.retrying
@transaction.atomic
def sign(
    *,
    prescription: Prescription,
    answers: Sequence[Answer],
    decisions: Sequence[Decided] = (),
    by: Actor,
    now: datetime,
) -> list[Override]:
    """Answer findings that the rule book raises today, before the hand-over; one signature for all.

    `decisions` are those that the hand-over is to come with: the rule book is asked as if they were made. Raises `InvalidInput` when there is no such finding or the reason is incomplete, `Conflict` for a stop, for a
    finding that is answered already, or an order that has ended, `NotAllowed` for who may not, `Stale` where something else was to be signed.
    """
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    locked = lock(prescription)
    if locked.status != PrescriptionStatus.ACTIVE:
        raise Conflict(f"The prescription is {locked.get_status_display().lower()}: nothing on it can be answered.")
    assessment = assess_under(decisions, prescription=locked, by=by, now=now)
    signed = sign_answers(subject=locked, assessment=assessment, answers=answers, by=by, now=now)
    follow_therapy(patient_id=locked.patient_id, by=by, now=now)
    return signed


def assess_under(decisions: Sequence[Decided], *, prescription: Prescription, by: Actor, now: datetime) -> Assessment:
    """Return today's assessment as if the decisions were made."""
    assessment = assess(prescription, on=prescription.pharmacy.local_day(now))
    if not decisions:
        return assessment
    rows = check_answers(decisions, prescription=prescription, assessment=assessment, by=by, now=now)
    return assess(prescription, on=assessment.on, decisions=rows)


@transaction.atomic
def withdraw(*, override: Override, reason: str, by: Actor, now: datetime) -> Override:
    """Take an answer back that no dispense has used yet. A hand-over that leans on it meanwhile is waited for."""
    policies.require(policies.may_override(by), by, "withdraw an answer", "a pharmacist")
    patient = override.subject.patient
    policies.require_same_pharmacy(by, patient.pharmacy_id)
    lock_patient(patient)
    locked = Override.objects.get(pk=override.pk)
    if locked.state not in UNUSED_STATES:
        raise Conflict(f"The answer is {locked.get_state_display().lower()} already.")
    words = clean_line(reason, "reason", longest=250)
    locked.state = OverrideState.WITHDRAWN
    locked.save(update_fields=["state"])
    audit.record(
        Event.OVERRIDE_WITHDRAWN,
        pharmacy=patient.pharmacy,
        by=by,
        now=now,
        subject=locked,
        patient=patient,
        rule_codes=(locked.code,),
        body={"reason": words, **_subject_key(locked)},
    )
    follow_therapy(patient_id=patient.pk, by=by, now=now)
    return locked


def find(questions: Iterable[Question], name: str) -> Question:
    """Return the question that a code or a fingerprint names. Raises `InvalidInput` for none or several."""
    all_questions = tuple(questions)
    matching = [question for question in all_questions if name in (question.code, question.fingerprint)]
    if not matching:
        codes = ", ".join(sorted({question.code for question in all_questions})) or "none"
        raise InvalidInput(
            f"There is no finding {name[:64]!r} on this prescription today.",
            Problem("finding", name[:64], f"one of the findings there are: {codes}", "Load the prescription again."),
        )
    if len(matching) > 1:
        raise InvalidInput(
            f"{name} was found {len(matching)} times; each needs its own answer.",
            Problem(
                "finding", name, "the id of one of them: " + ", ".join(question.fingerprint for question in matching)
            ),
        )
    return matching[0]


def open_questions(
    subject: Reviewed, assessment: Assessment, *, answers: Sequence[Answer] = ()
) -> tuple[Question, ...]:
    """Return the unanswered questions: all stops, and those above information without an open answer or one of `answers`."""
    signed = {row.fingerprint for row in list_rows(subject, "overrides") if row.state == OverrideState.OPEN}
    asked = [question for question in assessment.questions() if question.severity != FindingSeverity.INFORMATION]
    answered = {find(assessment.questions(), answer.finding).fingerprint for answer in answers}
    return tuple(
        question
        for question in asked
        if question.severity == FindingSeverity.STOP or question.fingerprint not in signed | answered
    )


def sign_answers(
    *, subject: Reviewed, assessment: Assessment, answers: Sequence[Answer], by: Actor, now: datetime
) -> list[Override]:
    """Write answers to findings of an assessment. Raises as `sign` does; the same finding twice is refused."""
    if not answers:
        return []
    asked: list[tuple[Question, Answer]] = []
    answered = {row.fingerprint: row for row in list_rows(subject, "overrides") if row.state in UNUSED_STATES}
    for answer in answers:
        question = find(assessment.questions(), answer.finding)
        if question.fingerprint in {other.fingerprint for other, _ in asked}:
            raise Conflict(f"{question.code} has two answers here; one answer for a finding.")
        if existing := answered.get(question.fingerprint):
            raise Conflict(
                f"{question.code} was answered already by {existing.signer_name} at {existing.signed_at:%Y-%m-%d %H:%M} UTC.",
                Problem(
                    "finding",
                    "a finding that has an answer",
                    "a finding without one",
                    "Withdraw that answer to sign another.",
                ),
            )
        asked.append((question, answer))
    return _sign_together(subject, asked, by, now)


def _sign_together(
    subject: Reviewed, asked: Sequence[tuple[Question, Answer]], by: Actor, now: datetime
) -> list[Override]:
    """Store answers that one request signs. Raises `Stale` where the signer was shown others than these."""
    answers = [(question, _check(answer, question, by, now)) for question, answer in asked]
    digest = _digest_answers(answers)
    for _, answer in answers:
        if answer.digest:
            signatures.require_digest(answer.digest, digest)
    for nonce in {answer.nonce for _, answer in answers if answer.nonce is not None}:
        signatures.use(nonce=nonce, by=by, now=now)
    return [_store(subject, question, replace(answer, digest=digest), by, now) for question, answer in answers]


def digest_to_sign(*, assessment: Assessment, answers: Sequence[Answer], by: Actor, now: datetime) -> str:
    """Return the digest of answers that are to be signed, as the findings of an assessment stand. Raises as `sign` does; stores nothing."""
    policies.require(policies.may_override(by), by, "sign an override", "a pharmacist")
    questions = assessment.questions()
    asked = [
        (find(questions, answer.finding), replace(answer, signature=SignatureMethod.PASSWORD)) for answer in answers
    ]
    return _digest_answers([(question, _check(answer, question, by, now)) for question, answer in asked])


def _digest_answers(answers: Sequence[tuple[Question, Answer]]) -> str:
    """Return the SHA-256 of the overrides among findings with their answers, in any order, as hexadecimal text."""
    rows = sorted(
        [
            question.code, question.severity, question.fingerprint, question.summary, question.detail, answer.mitigation,
            answer.words, answer.asked, answer.asked_at.isoformat() if answer.asked_at else "", answer.agreed,
        ]
        for question, answer in answers
        if question.severity == FindingSeverity.OVERRIDE
    )  # fmt: skip
    return sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()


def _check(answer: Answer, question: Question, by: Actor, now: datetime) -> Answer:
    """Return the answer, cleaned and complete for its finding. Raises where `by` may not sign it."""
    if question.severity == FindingSeverity.STOP:
        raise Conflict(
            f"{question.code} is a stop and cannot be overridden.",
            Problem("finding", question.code, "a corrected prescription, pack or patient record", question.summary),
        )
    if question.severity == FindingSeverity.INFORMATION:
        raise InvalidInput(
            f"{question.code} is information and needs no answer.",
            Problem("finding", question.code, "a finding that asks for one"),
        )
    cleaned = replace(
        answer,
        words=clean_words(answer.words, "words", longest=2000, required=False),
        asked=clean_line(answer.asked, "asked", longest=120, required=False),
        agreed=clean_line(answer.agreed, "agreed", longest=500, required=False),
    )
    if cleaned.mitigation and cleaned.mitigation not in Mitigation.values:
        raise InvalidInput(
            "There is no such reason code.",
            Problem("mitigation", cleaned.mitigation[:16], f"one of {', '.join(Mitigation.values)}"),
        )
    if cleaned.asked_at is not None and cleaned.asked_at > now:
        raise InvalidInput(
            "The call lies in the future.", Problem("asked_at", cleaned.asked_at.isoformat(), "a time up to now")
        )
    if question.severity == FindingSeverity.OVERRIDE:
        _require_complete(cleaned, question, by)
    elif question.is_for_pharmacist:
        policies.require(policies.may_override(by), by, f"acknowledge {question.code}", "a pharmacist")
    else:
        policies.require(policies.may_dispense(by), by, f"acknowledge {question.code}", "a technician or pharmacist")
    return cleaned


def _require_complete(answer: Answer, question: Question, by: Actor) -> None:
    policies.require(policies.may_override(by), by, f"override {question.code}", "a pharmacist")
    problems = []
    if not answer.mitigation:
        problems.append(Problem("mitigation", "nothing", "a reason code", "Choose what was done about the finding."))
    if len(answer.words) < 3:
        problems.append(Problem("words", "nothing" if not answer.words else "too little", "the reason in words"))
    if answer.signature not in FRESH:
        problems.append(PROOF_NEEDED)
    if question.code == EMERGENCY and not answer.asked:
        problems.append(
            Problem("asked", "nobody", "who was asked, or tried to reach", "No prescriber has ordered the tablets.")
        )
    if question.is_dose_above_limit and not answer.asked and answer.mitigation != Mitigation.EMERGENCY:
        problems.append(
            Problem("asked", "nobody", "the name of the prescriber who was asked", "The dose is above a limit.")
        )
    if problems:
        raise InvalidInput(f"The answer to {question.code} is not complete.", *problems)


def _store(subject: Reviewed, question: Question, answer: Answer, by: Actor, now: datetime) -> Override:
    pharmacy = subject.patient.pharmacy
    observed = None
    if question.finding is not None:  # of what could not be assessed nothing was observed, and the entry says nothing
        observed = {name: value for name, value in question.finding.observed.items() if value is not None}
    is_waiting = needs_second(question, pharmacy, pharmacy.local_day(now))
    override = Override.objects.create(
        **name_subject(subject),
        code=question.code,
        severity=question.severity,
        summary=question.summary,
        detail=question.detail,
        fingerprint=question.fingerprint,
        observed=observed,
        mitigation=answer.mitigation,
        words=answer.words,
        asked=answer.asked,
        asked_at=answer.asked_at,
        agreed=answer.agreed,
        signed_by=by.name,
        signer_name=by.display,
        signer_role=by.role.value,
        signature=answer.signature,
        signed_at=now,
        state=OverrideState.WAITING if is_waiting else OverrideState.OPEN,
    )
    overrides = question.severity == FindingSeverity.OVERRIDE
    audit.record(
        Event.OVERRIDE_SIGNED if overrides else Event.FINDING_ACKNOWLEDGED,
        pharmacy=pharmacy,
        by=by,
        now=now,
        subject=override,
        patient=subject.patient,
        rule_codes=(question.code,),
        reason_code=answer.mitigation or None,
        body=_signature_block(override, question, answer) | (_signed_block(answer) if overrides else {}),
    )
    return override


def _signature_block(override: Override, question: Question, answer: Answer) -> dict[str, object]:
    return {
        **_subject_key(override),
        "finding": question.finding.to_json()
        if question.finding
        else {"code": question.code, "detail": question.detail},
        "summary": override.summary,
        "severity": override.severity,
        "fingerprint": override.fingerprint,
        "words": override.words,
        "asked": override.asked,
        "asked_at": override.asked_at,
        "agreed": override.agreed,
        "signer": override.signer_name,
        "meaning": "I take responsibility for supplying in spite of this finding."
        if override.severity == FindingSeverity.OVERRIDE
        else "I have seen this.",
        "method": override.signature,
        "at": override.signed_at,
        "seconds": answer.seconds,
    }


def _signed_block(answer: Answer) -> dict[str, object]:
    block: dict[str, object] = {
        "signed": answer.digest, "nonce": answer.nonce, "shown": answer.shown, "offered": list(answer.offered),
    }  # fmt: skip
    return {name: value for name, value in block.items() if value or name == "signed"}


def _subject_key(override: Override) -> dict[str, object]:
    return {name: row.pk for name, row in name_subject(override.subject).items()}
