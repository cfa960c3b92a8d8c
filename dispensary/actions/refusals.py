"""Refusals: what stands in the way of a hand-over or a stop, recorded and returned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dispensary import audit
from dispensary.actors import Actor
from dispensary.audit import Event
from dispensary.errors import Problem
from dispensary.models import FindingSeverity, Review
from dispensary.models.review import Reviewed
from dispensary.questions import Question


@dataclass(frozen=True, slots=True)
class Refused:
    """The problems of a refused hand-over. Returned, not raised: the refusal's audit entry must not be rolled back."""

    detail: str
    problems: tuple[Problem, ...]
    unanswered: tuple[Question, ...] = ()
    review: Review | None = None


def refuse(
    *,
    subject: Reviewed,
    review: Review | None,
    unanswered: Sequence[Question] = (),
    problems: Sequence[Problem] = (),
    what: str,
    event: Event,
    by: Actor,
    now: datetime,
) -> Refused:
    """Record a refusal with its reasons and return it for the interface to show."""
    reasons = tuple(problems) or tuple(_as_problem(question) for question in unanswered)
    audit.record(
        event,
        pharmacy=subject.patient.pharmacy,
        by=by,
        now=now,
        subject=subject,
        outcome="refused",
        patient=subject.patient,
        rule_codes=tuple(question.code for question in unanswered),
        body={
            "review": None if review is None else review.pk,
            "reasons": [f"{problem.given}: {problem.expected}" for problem in reasons],
        },
    )
    count = len(reasons)
    return Refused(
        f"{what} is refused: {reasons[0].given}." if count == 1 else f"{what} is refused for {count} reasons.",
        reasons,
        tuple(unanswered),
        review,
    )


def _as_problem(question: Question) -> Problem:
    expected = {
        FindingSeverity.STOP.value: "a corrected prescription, pack or patient record; a stop cannot be overridden",
        FindingSeverity.OVERRIDE.value: "a pharmacist's override with a reason",
        FindingSeverity.ACKNOWLEDGE.value: "an acknowledgement",
    }[question.severity]
    return Problem(question.code, question.summary, expected, question.detail)
