"""Reviews of a prescription, frozen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from dispensary import audit, policies
from dispensary.actors import Actor
from dispensary.assessment import Assessment, assess
from dispensary.audit import Event
from dispensary.models import Finding, Prescription, Review, ReviewReason
from dispensary.models.review import Reviewed
from dispensary.statements import insert, new_row, remember_related


@transaction.atomic
def record(
    *,
    prescription: Prescription,
    reason: ReviewReason = ReviewReason.CHECKED,
    picked_mg: Decimal | None = None,
    quantity: Decimal | None = None,
    by: Actor,
    now: datetime,
) -> Review:
    """Review a prescription and freeze case and answer. Returns the frozen review with its findings."""
    policies.require(policies.may_see_patients(by), by, "review a prescription", "a technician or pharmacist")
    policies.require_same_pharmacy(by, prescription.pharmacy_id)
    on = prescription.pharmacy.local_day(now)
    picked = None if picked_mg is None else {"strength_mg": str(picked_mg)}
    assessment = assess(prescription, on=on, picked=picked, quantity=quantity)
    return freeze(subject=prescription, assessment=assessment, reason=reason, by=by, now=now)


def freeze(*, subject: Reviewed, assessment: Assessment, reason: ReviewReason, by: Actor, now: datetime) -> Review:
    """Store an assessment, one row a finding, with its audit entry. Inside the caller's transaction."""
    frozen = build_review(subject=subject, assessment=assessment, reason=reason, by=by, now=now)
    store([frozen])
    return frozen.review


class Frozen(NamedTuple):
    """A review that is not stored yet: the caller stores its rows, with others, and its entry in the same transaction."""

    review: Review
    rows: Sequence[Review | Finding]
    entry: audit.Prepared


def build_review(
    *, subject: Reviewed, assessment: Assessment, reason: ReviewReason, by: Actor, now: datetime
) -> Frozen:
    """Return case and answer as rows, with their audit entry."""
    pharmacy = subject.patient.pharmacy
    review = new_row(
        Review,
        pharmacy=pharmacy,
        **name_subject(subject),
        reason=reason,
        case_text=assessment.case_text,
        result_text=assessment.result_text,
        outcome=assessment.outcome,
        profile_name=assessment.profile_name,
        profile_digest=assessment.profile_digest,
        rules_version=assessment.rules_version,
        reviewed_at=now,
        reviewed_by=by.name,
    )
    findings = [(question, question.finding) for question in assessment.questions() if question.finding]
    rows = [
        new_row(
            Finding,
            review=review,
            number=number,
            code=question.code,
            severity=question.severity,
            summary=question.summary,
            detail=question.detail,
            dur=finding.dur.value if finding.dur else "",
            detected_issue=finding.detected_issue.value if finding.detected_issue else "",
            fingerprint=question.fingerprint,
        )
        for number, (question, finding) in enumerate(findings, start=1)
    ]
    remember_related(review, "findings", rows)
    entry = audit.prepare(
        Event.REVIEW_RECORDED,
        pharmacy=pharmacy,
        by=by,
        now=now,
        subject=review,
        patient=subject.patient,
        reason_code=assessment.outcome,
        rule_codes=tuple(question.code for question, _ in findings),
        ruleset=assessment.profile_digest,
        engine=assessment.rules_version,
        body={
            **{name: row.pk for name, row in name_subject(subject).items()},
            "reason": reason.value,
            "profile": assessment.profile_name,
            "case": assessment.case_text,
            "review": assessment.result_text,
        },
    )
    return Frozen(review, [review, *rows], entry)


def store(frozen_reviews: Sequence[Frozen]) -> None:
    """Store reviews with their entries. Inside the caller's transaction."""
    insert([row for frozen in frozen_reviews for row in frozen.rows])
    audit.record_all(frozen.entry for frozen in frozen_reviews)


def name_subject(subject: Reviewed) -> dict[str, Reviewed]:
    """Return what a review or an answer is about under the name of its column, by which the log names it as well."""
    return {"prescription" if isinstance(subject, Prescription) else "prior_supply": subject}
