"""Decisions about what a patient takes: checked, stored, recorded with what they change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction

from baclofen_rules.therapy import Therapy
from dispensary import audit, policies
from dispensary.actions import reviews, signatures
from dispensary.actions.decisions import ALL_COURSES, Decided, new_decision, require_course
from dispensary.actions.locks import lock, lock_patient
from dispensary.actions.overrides import Answer, digest_to_sign, open_questions, sign_answers
from dispensary.actions.papers import open_work_on_decision
from dispensary.actions.prescriptions import end
from dispensary.actions.refusals import Refused, refuse
from dispensary.actions.summaries import follow_therapy
from dispensary.actors import Actor
from dispensary.assessment import Assessment, assess_stop, therapy_of
from dispensary.audit import Event
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.models import (
    BegunSignature,
    Decision,
    DecisionKind,
    Patient,
    Prescription,
    PrescriptionStatus,
    PriorSupply,
    ReviewReason,
    WorkKind,
)
from dispensary.models.reminders import Withdrawal
from dispensary.models.review import Reviewed
from dispensary.models.therapy import RELATIONS
from dispensary.reminders.work import close_patient_work
from dispensary.rows import group_orders
from dispensary.text import clean_line


def save_decisions(
    rows: Sequence[Decision],
    *,
    patient: Patient,
    question: str,
    before: Therapy,
    after: Therapy,
    on: date,
    by: Actor,
    now: datetime,
) -> None:
    """Store decisions, each with its audit entry: the question as shown, doses and first uncovered day before and after."""
    for row in rows:
        row.audit_entry = audit.record(
            Event.THERAPY_DECIDED,
            pharmacy=patient.pharmacy,
            by=by,
            now=now,
            subject=row,
            patient=patient,
            reason_code=row.mitigation or None,
            body={
                "kind": row.kind,
                "subject": row.order_id or row.prior_supply_id,
                "object": row.course,
                "on": row.on,
                "from": row.starts_on,
                "tablets": row.tablets,
                "mg": row.mg,
                "days": row.days,
                "corrects": row.corrects_id,
                "words": row.words,
                "asked": row.asked,
                "asked_at": row.asked_at,
                "question": question,
                "before": _summarize(before, on),
                "after": _summarize(after, on),
            },
        )
        row.save(force_insert=True)


_OF_WHAT_IS_TAKEN = (DecisionKind.COUNTED, DecisionKind.TAKES, DecisionKind.MOVED)
"""The kinds of decision about a course that is taken, or that tablets at home begin."""


@transaction.atomic
def record_decision(
    *,
    patient: Patient,
    decided: Decided,
    order: Prescription | None = None,
    prior_supply: PriorSupply | None = None,
    by: Actor,
    now: datetime,
) -> Decision:
    """Record a decision about what a patient takes, outside a hand-over.

    `order` or `prior_supply` is what replaces, continues or runs beside the course. To stop a course use
    `stop`, which asks the rules first. What was printed on another answer becomes work. Raises
    `InvalidInput` for what is not known or not believable, `Conflict` for a decision that was put right already.
    """
    policies.require(policies.may_override(by), by, "decide what a patient takes", "a pharmacist")
    policies.require_same_pharmacy(by, patient.pharmacy_id)
    if decided.kind is DecisionKind.STOPPED:
        raise InvalidInput(
            "A stop is asked of the rules first.",
            Problem(
                "kind", "stopped", "another kind", "Stop the prescription or the recorded supply that feeds the course."
            ),
        )
    locked = lock_patient(patient, None)
    subject = order or prior_supply
    if (subject is None) == (decided.kind in RELATIONS) or (order is not None and prior_supply is not None):
        raise InvalidInput(
            "The decision is about no order or supply, or about too many.",
            Problem("subject", "nothing" if subject is None else "a subject", f"what {decided.kind} needs"),
        )
    if subject is not None and subject.patient_id != locked.pk:
        raise InvalidInput(
            "The decision is about another patient's order.",
            Problem("subject", "another patient's", "an order or a recorded supply of this patient"),
        )
    return store_decision(decided, order=order, prior_supply=prior_supply, patient=locked, question="", by=by, now=now)


@transaction.atomic
def begin_stop(
    *, subject: Reviewed, reason: str, answers: Sequence[Answer], by: Actor, now: datetime
) -> BegunSignature:
    """Begin the signature of answers that come with a stop, for what the rule book asks about it now. Raises as `stop`."""
    policies.require(policies.may_end(by), by, "stop a medicine", "a pharmacist")
    pharmacy = subject.patient.pharmacy
    policies.require_same_pharmacy(by, pharmacy.pk)
    assessment = assess_stop(subject, on=pharmacy.local_day(now), reason=reason)
    digest = digest_to_sign(assessment=assessment, answers=answers, by=by, now=now)
    return signatures.begin(subject=subject, shown=digest, by=by, now=now)


@transaction.atomic
def stop(
    *,
    subject: Reviewed,
    reason: str,
    words: str,
    answers: tuple[Answer, ...] = (),
    by: Actor,
    now: datetime,
) -> Reviewed | Refused:
    """Stop the course that an order or a recorded supply feeds now, without a taper. `reason` is one of the case format's (or "").

    A course may be stopped whatever became of the order. The rule book is asked first: stopping a patient who takes more
    than a few milligrams a day is a finding, and without an answer to it the refusal is recorded and returned.
    """
    policies.require(policies.may_end(by), by, "stop a medicine", "a pharmacist")
    policies.require_same_pharmacy(by, subject.patient.pharmacy_id)
    reason_text = clean_line(words, "words", longest=250)
    locked = lock(subject) if isinstance(subject, Prescription) else _lock_recorded(subject)
    patient = locked.patient
    assessment = assess_stop(locked, on=patient.pharmacy.local_day(now), reason=reason)
    _require_taken(locked, assessment)
    review = reviews.freeze(subject=locked, assessment=assessment, reason=ReviewReason.STOP, by=by, now=now)
    unanswered = open_questions(locked, assessment, answers=answers)
    if unanswered:
        return refuse(
            subject=locked,
            review=review,
            unanswered=unanswered,
            what="Stopping the medicine",
            event=Event.PRESCRIPTION_STOP_REFUSED,
            by=by,
            now=now,
        )
    sign_answers(subject=locked, assessment=assessment, answers=answers, by=by, now=now)
    for product in _products_of(locked) if isinstance(locked, Prescription) else ():
        if product.status == PrescriptionStatus.ACTIVE:
            end(product, PrescriptionStatus.STOPPED, reason_text, now)
    decided = Decided(DecisionKind.STOPPED, assessment.ask.course or ALL_COURSES, words=reason_text)
    store_decision(
        decided,
        patient=patient,
        question=" ".join(f"{q.summary}." for q in assessment.questions()),
        by=by,
        now=now,
    )
    follow_therapy(patient_id=patient.pk, reason=Withdrawal.PRESCRIPTION_STOPPED, by=by, now=now)
    close_patient_work(patient_id=patient.pk, kinds=[WorkKind.ORDER_WITHDRAWN], by=by, now=now)
    audit.record(
        Event.PRESCRIPTION_STOPPED,
        pharmacy=patient.pharmacy,
        by=by,
        now=now,
        subject=locked,
        patient=patient,
        reason_code=reason or None,
        rule_codes=tuple(question.code for question in assessment.questions()),
        body={"words": reason_text, "review": review.pk},
    )
    return locked


def _lock_recorded(supply: PriorSupply) -> PriorSupply:
    locked = PriorSupply.objects.get(pk=supply.pk)
    locked.patient = lock_patient(supply.patient)
    return locked


def _require_taken(subject: Reviewed, assessment: Assessment) -> None:
    """Raise `Conflict` where nothing of an order that has ended, or of a recorded supply, is taken any more."""
    taken = assessment.therapy.relate_stop(assessment.ask.course).to
    if isinstance(subject, Prescription):
        if subject.status != PrescriptionStatus.ACTIVE and not taken:
            raise Conflict("Nothing of this prescription is taken any more: there is nothing to stop.")
    elif not any(assessment.therapy.course(name).source == str(subject.pk) for name in taken):
        raise Conflict(
            "Nothing of this supply is taken any more: there is nothing to stop.",
            Problem(
                "supply",
                "a supply of which no tablets are left",
                "the supply or prescription that feeds what the patient takes now",
                "Stop the prescription whose tablets are taken now.",
            ),
        )


def store_decision(
    decided: Decided,
    *,
    order: Prescription | None = None,
    prior_supply: PriorSupply | None = None,
    patient: Patient,
    question: str,
    by: Actor,
    now: datetime,
) -> Decision:
    """Store one decision with its audit entry, and open the work that it makes. Inside the caller's transaction."""
    on = patient.pharmacy.local_day(now)
    before = therapy_of(patient, on)
    require_course(decided.course, before, "")
    row = new_decision(decided, patient=patient, on=on, by=by, now=now, place="")
    row.order, row.prior_supply = order, prior_supply
    after = therapy_of(patient, on, [row])
    if decided.kind in _OF_WHAT_IS_TAKEN and row.on == on:
        name = None if row.course == ALL_COURSES else row.course
        if not (before.relate_stop(name).to or after.relate_stop(name).to):
            raise Conflict(
                "Nothing of this is taken today, so the decision would say nothing.",
                Problem(
                    "object", row.course, "a course that is taken today, or is planned", "Record it with the hand-over."
                ),
            )
    save_decisions([row], patient=patient, question=question, before=before, after=after, on=on, by=by, now=now)
    open_work_on_decision(row, before, after, by, now)
    if decided.kind is not DecisionKind.STOPPED:
        follow_therapy(patient_id=patient.pk, by=by, now=now)
    return row


def _products_of(locked: Prescription) -> list[Prescription]:
    """Return the prescriptions of the order that a locked one belongs to, all locked: it, and its other strengths."""
    orders = group_orders(locked.patient.prescriptions.prefetch_related("phases"))
    products = next(products for products in orders if locked in products)
    return [locked if row == locked else lock(row) for row in products]


def _summarize(therapy: Therapy, on: date) -> dict[str, Any]:
    day = therapy.day(on)
    uncovered = [thread.first_uncovered for thread in therapy.threads if thread.first_uncovered is not None]
    return {
        "low": day.low,
        "mg": day.mg,
        "high": day.high,
        "first_uncovered": min(uncovered, default=None),
    }
