"""Decisions about what a patient takes, as they come in: checked for who decides, amounts and courses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from baclofen_rules.therapy import How, OrderRelation, Relation, Therapy
from dispensary import policies
from dispensary.actors import Actor
from dispensary.assessment import Assessment
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.models import Decision, DecisionKind, Mitigation, Patient, Prescription, SignatureMethod
from dispensary.models.therapy import RELATIONS
from dispensary.rows import decisions_of
from dispensary.text import clean_line

ALL_COURSES = "all"
MOST_DAYS_MOVED = 999
MOST_MG = 1000
_FURTHEST = timedelta(days=365)
_SETTLED_BESIDE = (How.TWO_STRENGTHS, How.AS_NEEDED, How.GROUP)


@dataclass(frozen=True, slots=True)
class Decided:
    """A person's statement about what a patient takes, as it comes in."""

    kind: DecisionKind
    course: str
    """The course it is about: the id of the order or recorded supply that opened it, or `all` for a stop."""
    on: date | None = None
    """The day it is about; None: today."""
    starts_on: date | None = None
    """The first day of the new dose, where it is not the hand-over."""
    tablets: tuple[Decimal, ...] = ()
    mg: Decimal | None = None
    days: int | None = None
    words: str = ""
    mitigation: str = ""
    asked: str = ""
    asked_at: datetime | None = None
    corrects: UUID | None = None
    signature: SignatureMethod = SignatureMethod.PASSWORD
    """How the person proved to be there; the counter asks for the password before it hands over."""


FRESH = frozenset({SignatureMethod.PASSWORD, SignatureMethod.SECOND_FACTOR, SignatureMethod.PASSKEY})
"""The proofs that sign an override or a decision: of a person, for this signature alone."""
PROOF_NEEDED = Problem(
    "proof", "none", "the signer's password, and a code where they have a second factor", "Send them with this request."
)


def check_answers(
    decided: Sequence[Decided], *, prescription: Prescription, assessment: Assessment, by: Actor, now: datetime
) -> list[Decision]:
    """Return the decisions that come with a hand-over, not stored yet: each answers an open question about the order.

    Raises `InvalidInput` for a course that is not in question, `NotAllowed` where only a pharmacist may decide.
    """
    rows = []
    for index, answer in enumerate(decided):
        place = f"decisions[{index}]"
        row = new_decision(answer, patient=prescription.patient, on=assessment.on, by=by, now=now, place=place)
        if answer.kind in RELATIONS:
            relation = assessment.therapy.relate(str(assessment.ask.order))
            _require_in_question(answer, relation, place)
            _require_decider(answer, relation, by, place)
            row.order = prescription
        else:
            policies.require(policies.may_override(by), by, "decide what a patient takes", "a pharmacist")
            require_course(answer.course, assessment.therapy, place)
        rows.append(row)
    return rows


def new_decision(decided: Decided, *, patient: Patient, on: date, by: Actor, now: datetime, place: str) -> Decision:
    """Return a decision row, checked and not stored."""
    at = f"{place}." if place else ""
    _require_amounts(decided, at)
    day = decided.on or on
    if day > on and decided.kind is not DecisionKind.STOPPED:
        raise InvalidInput(
            "The day lies in the future.", Problem(f"{at}on", day.isoformat(), f"a day up to today, {on}")
        )
    if decided.starts_on is not None and not on - _FURTHEST <= decided.starts_on <= on + _FURTHEST:
        raise InvalidInput(
            "The first day of the dose is not believable.",
            Problem(f"{at}from", decided.starts_on.isoformat(), "a day within a year of today"),
        )
    if decided.mitigation and decided.mitigation not in Mitigation.values:
        raise InvalidInput(
            "There is no such reason code.",
            Problem(f"{at}mitigation", decided.mitigation[:16], f"one of {', '.join(Mitigation.values)}"),
        )
    if decided.asked_at is not None and decided.asked_at > now:
        raise InvalidInput(
            "The call lies in the future.", Problem(f"{at}asked_at", decided.asked_at.isoformat(), "a time up to now")
        )
    return Decision(
        patient=patient,
        kind=decided.kind,
        course=decided.course[:64],
        on=day,
        starts_on=decided.starts_on,
        tablets=list(decided.tablets) if decided.kind is DecisionKind.COUNTED else None,
        mg=decided.mg,
        days=decided.days,
        words=clean_line(decided.words, f"{at}words", longest=500, required=False),
        mitigation=decided.mitigation,
        asked=clean_line(decided.asked, f"{at}asked", longest=120, required=False),
        asked_at=decided.asked_at,
        corrects=_find_corrected(decided.corrects, patient, at),
        decided_by=by.name,
        decider_name=by.display,
        decided_at=now,
    )


def _require_amounts(decided: Decided, at: str) -> None:
    """Raise `InvalidInput` unless the decision has the amount of its kind, and no other."""
    needed = {DecisionKind.COUNTED: "tablets", DecisionKind.TAKES: "mg", DecisionKind.MOVED: "days"}
    values = {"tablets": decided.tablets or None, "mg": decided.mg, "days": decided.days}
    for name, value in values.items():
        is_needed = needed.get(decided.kind) == name
        if is_needed and value is None:
            raise InvalidInput(
                f"The decision says no {name}.", Problem(f"{at}{name}", "nothing", f"a number: {decided.kind} needs it")
            )
        if not is_needed and value is not None:
            raise InvalidInput(
                f"A decision {decided.kind} says no {name}.", Problem(f"{at}{name}", "a value", "nothing")
            )
    if any(count < 0 or (count * 2) % 1 or count > 100000 for count in decided.tablets):
        raise InvalidInput(
            "The tablets were not counted.", Problem(f"{at}tablets", "no count", "whole or half tablets, from 0")
        )
    if decided.mg is not None and not 0 <= decided.mg <= MOST_MG:
        raise InvalidInput(
            "The amount is not believable.", Problem(f"{at}mg", f"{decided.mg:f}", f"mg a day, from 0 to {MOST_MG}")
        )
    if decided.days is not None and not 0 < abs(decided.days) <= MOST_DAYS_MOVED:
        raise InvalidInput(
            "The dates do not move.",
            Problem(f"{at}days", str(decided.days), f"days from -{MOST_DAYS_MOVED} to {MOST_DAYS_MOVED}, not 0"),
        )


def _find_corrected(key: UUID | None, patient: Patient, at: str) -> Decision | None:
    if key is None:
        return None
    corrected = next((row for row in decisions_of(patient) if row.pk == key), None)
    if corrected is None:
        raise InvalidInput(
            "There is no such decision.", Problem(f"{at}corrects", str(key), "the id of a decision about this patient")
        )
    if Decision.objects.filter(corrects=corrected).exists():
        raise Conflict("The decision was put right already. Correct the newer one.")
    return corrected


def _require_in_question(decided: Decided, relation: OrderRelation | None, place: str) -> None:
    courses = () if relation is None else dict.fromkeys((*relation.to, *relation.beside))
    if decided.course not in courses:
        raise InvalidInput(
            "Nothing about this course is in question.",
            Problem(
                f"{place}.object",
                decided.course[:64],
                f"one of the courses that run: {', '.join(courses) or 'none'}",
                "Load the prescription again.",
            ),
        )


def is_for_pharmacist(kind: DecisionKind, relation: OrderRelation | None) -> bool:
    """Say whether a pharmacist gives this answer, with a reason: to what nobody knows, and for a dose beside another."""
    how = None if relation is None else relation.how
    is_unknown = relation is not None and relation.relation is Relation.UNKNOWN and how is not How.LOWER
    return is_unknown or (kind is DecisionKind.BESIDE and how not in _SETTLED_BESIDE)


def _require_decider(decided: Decided, relation: OrderRelation | None, by: Actor, place: str) -> None:
    """Raise unless `by` may give this answer, and gives a reason where it needs one."""
    if not is_for_pharmacist(decided.kind, relation):
        return
    policies.require(policies.may_override(by), by, "decide how two supplies stand to each other", "a pharmacist")
    problems = []
    if not decided.mitigation:
        problems.append(Problem(f"{place}.mitigation", "nothing", "a reason code", "Choose what was done about it."))
    if len(decided.words.strip()) < 3:
        problems.append(Problem(f"{place}.words", "nothing", "the reason in words"))
    if decided.signature not in FRESH:
        problems.append(PROOF_NEEDED)
    if problems:
        raise InvalidInput("The decision is not complete.", *problems)


def require_course(name: str, therapy: Therapy, place: str) -> None:
    """Raise unless the patient has an order or a supply of that name."""
    orders = {order.id for order in therapy.facts.orders}
    supplies = {supply.id for supply in therapy.facts.supplies if supply.order is None}
    if name != ALL_COURSES and name.split("@", 1)[0] not in orders | supplies:
        raise InvalidInput(
            "There is no such course.",
            Problem(f"{place}.object" if place else "object", name[:64], "the id of an order or a recorded supply"),
        )
