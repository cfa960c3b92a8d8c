"""Answers to how an order stands to what is taken: the choices of the page, and the words of the button that gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from baclofen_rules.course_words import sum_mg
from baclofen_rules.findings import Finding
from baclofen_rules.therapy import HAND_OVER, CourseView, How, OrderRelation, Relation
from baclofen_rules.words import count_days
from dispensary import policies
from dispensary.actions.decisions import Decided, is_for_pharmacist
from dispensary.actors import Actor
from dispensary.assessment import Assessment
from dispensary.counter.drafts import Draft
from dispensary.documents.words import NB, mg, short_day
from dispensary.models import DecisionKind
from dispensary.questions import Question

PROPOSED = ""
"""The choice that the main button stands for where nothing was chosen."""
GIVEN_BY_THE_BUTTON = frozenset(
    {
        *("dose-change", "two-strengths", "as-needed-beside", "other-strength", "duplicate-supply"),
        *("starts-later", "starts-late", "cover-gap", "course-interrupted", "course-goes-on"),
        *("instalment-early", "instalment-size"),
    }
)
"""The acknowledgements about what is taken, which the main button says in its words."""


class Choice(NamedTuple):
    """One answer, as a button."""

    value: str
    """A kind of decision, with its first day or number of days behind a blank; empty for what is proposed."""
    words: str


@dataclass(frozen=True, slots=True)
class Choices:
    """The answers that a person may give about one order, and the one that was chosen."""

    question: str
    offered: Sequence[Choice]
    chosen: str | None
    """None where nothing is proposed and nothing was chosen."""
    is_for_pharmacist: bool
    """Say whether only a pharmacist chooses, with a reason."""

    @property
    def is_open(self) -> bool:
        return self.chosen is None


def choices_of(asked: Assessment, draft: Draft, by: Actor) -> Choices | None:
    """Return what can be chosen about an order; None where there is one answer only.

    `asked` is the assessment before any choice. What was chosen on other facts and is no longer offered does not count.
    """
    relation = relation_of(asked)
    if relation is None or not relation.to:
        return None
    may_decide = policies.may_override(by)
    is_unknown = relation.relation is Relation.UNKNOWN
    offered = [
        choice for choice in _offered(asked, relation) if may_decide or not _needs_pharmacist(choice.value, relation)
    ]
    proposed = [] if is_unknown else [PROPOSED]
    if not is_unknown and [choice.value for choice in offered] in (proposed, []):
        return None
    values = {choice.value for choice in offered}
    chosen = draft.choice if draft.choice in values else None if is_unknown else PROPOSED
    return Choices(
        question=_question(asked, relation),
        offered=offered,
        chosen=chosen,
        is_for_pharmacist=is_unknown and relation.how is not How.LOWER,
    )


def decided(choices: Choices | None, asked: Assessment, draft: Draft) -> list[Decided]:
    """Return the decisions that a choice stands for, one for each course in question; none for what is proposed."""
    relation = relation_of(asked)
    if choices is None or not choices.chosen or relation is None:
        return []
    kind, starts_on, days = _parse(choices.chosen)
    courses = relation.to
    if kind is DecisionKind.CONTINUES:
        courses = tuple(course.name for course in _equal_courses(asked, relation))[:1]
    elif kind is DecisionKind.MOVED:
        courses = relation.to[:1]
    return [
        Decided(
            kind,
            course,
            starts_on=starts_on,
            days=days,
            words=draft.reason.get("words", ""),
            mitigation=draft.reason.get("mitigation", ""),
            asked=draft.reason.get("asked", ""),
        )
        for course in courses
    ]


def needs_reason(choices: Choices | None, asked: Assessment, draft: Draft) -> bool:
    """Say whether the choice is one that a pharmacist gives a reason for, and none is given yet."""
    relation = relation_of(asked)
    if choices is None or relation is None or not choices.chosen:
        return False
    return _needs_words(choices.chosen, relation) and not draft.reason


def relation_of(assessment: Assessment) -> OrderRelation | None:
    """Return how the order in question stands to what is taken; None where it may not be handed over."""
    order = assessment.ask.order
    return None if order is None else assessment.therapy.relate(order)


def acknowledged_by_button(questions: Sequence[Question], by: Actor) -> list[Question]:
    """Return those of the open acknowledgements that `by` gives by pressing the main button."""
    return [q for q in questions if q.code in GIVEN_BY_THE_BUTTON and may_acknowledge(q, by)]


def may_acknowledge(question: Question, by: Actor) -> bool:
    """Say whether `by` may give this acknowledgement."""
    return policies.may_override(by) if question.is_for_pharmacist else policies.may_dispense(by)


def button_deeds(assessment: Assessment, questions: Sequence[Question]) -> str:
    """Return what pressing the main button settles: `Replaces 30 mg a day, starts Tue 1 Dec`; empty for nothing.

    `assessment` is that under the choice, `questions` are the acknowledgements that the button gives.
    """
    deeds = [_relation_deed(assessment)]
    deeds += [_deed(question.finding) for question in questions if question.finding is not None]
    text = ", ".join(dict.fromkeys(filter(None, deeds)))
    return text[:1].upper() + text[1:]


def _relation_deed(assessment: Assessment) -> str:
    relation = relation_of(assessment)
    if relation is None or not relation.to or relation.how is How.AFTER_GAP:
        return ""
    before = _before(assessment, relation)
    if relation.relation is Relation.CHANGES:
        after = assessment.after_hand_over()
        starts_on = None if after is None else after.supply(HAND_OVER).starts_on
        from_day = f" from {short_day(starts_on)}" if starts_on is not None and starts_on > assessment.on else ""
        return f"replaces {before}{from_day}"
    if relation.relation is Relation.BESIDE:
        return f"beside {before}"
    if relation.decided_beside:
        return f"beside {describe_courses(assessment, relation.decided_beside)}"
    return ""


def _deed(finding: Finding) -> str:
    observed, limit = finding.observed, finding.limit
    match finding.code:
        case "instalment-early":
            return f"{count_days(int(observed['days_early']))} early"
        case "instalment-size":
            return f"{count_days(int(observed['days']))} at once"
        case "course-goes-on":
            return f"goes on with {mg(Decimal(observed['mg_per_day']))} a day"
        case "starts-late":
            return "starts today"
        case "starts-later":
            return f"starts {short_day(date.fromisoformat(limit['starts_on']))}"
        case "other-strength":
            return "old tablets first"
        case "cover-gap":
            return f"{count_days(int(observed['gap_days']))} without tablets"
        case "course-interrupted":
            return "the dates stay"
    return ""


def _offered(asked: Assessment, relation: OrderRelation) -> list[Choice]:
    """Return every answer that the question has, the proposed one first."""
    codes = {finding.code for finding in asked.review.findings}
    before = _before(asked, relation)
    match relation.how:
        case How.SAME_PRESCRIBER:
            return [
                Choice(PROPOSED, f"Replaces {before}"),
                *_later(asked, relation),
                Choice("beside", "Beside it"),
            ]
        case How.LOWER:
            return [
                Choice("replaces", f"Replaces {before}"),
                *_later(asked, relation),
                Choice("beside", "Beside it"),
            ]
        case How.TWO_STRENGTHS:
            return [Choice(PROPOSED, "Together"), Choice("replaces", f"Replaces {before}")]
        case How.AS_NEEDED:
            return [Choice(PROPOSED, f"Beside {before}"), Choice("replaces", f"Replaces {before}")]
    if relation.relation is Relation.UNKNOWN:
        goes_on = [Choice("continues", "Goes on with it")] if _equal_courses(asked, relation) else []
        return [Choice("replaces", f"Replaces {before}"), *goes_on, Choice("beside", "Beside it")]
    if relation.relation is Relation.CHANGES and codes & {"cover-gap", "starts-later"}:
        return [Choice(PROPOSED, "As planned"), *_later(asked, relation)]
    if "other-strength" in codes:
        return [Choice(PROPOSED, "Old tablets first"), Choice("replaces", "New ones from today, the old ones back")]
    if "course-interrupted" in codes:
        days = count_days(relation.gap_days)
        return [Choice(PROPOSED, "The dates stay"), Choice(f"moved {relation.gap_days}", f"The dates move by {days}")]
    return []


def _question(asked: Assessment, relation: OrderRelation) -> str:
    codes = {finding.code for finding in asked.review.findings}
    if "other-strength" in codes:
        return "Which tablets first?"
    if "course-interrupted" in codes:
        return f"{count_days(relation.gap_days)} without tablets:"
    if relation.relation is Relation.CHANGES and relation.how is not How.SAME_PRESCRIBER:
        return "From when?"
    return f"Beside or instead of {_before(asked, relation)}?"


def _later(asked: Assessment, relation: OrderRelation) -> list[Choice]:
    """Return the first days of the new dose that can be chosen instead of the day of the hand-over."""
    tomorrow, end = asked.on + timedelta(days=1), relation.uncovered_on
    days = [Choice(f"replaces {tomorrow}", "From tomorrow")]
    if end is not None and end > tomorrow:
        days.append(Choice(f"replaces {end}", f"When the old tablets end, {short_day(end)}"))
    return days


def _parse(value: str) -> tuple[DecisionKind, date | None, int | None]:
    kind, _, rest = value.partition(" ")
    if kind == DecisionKind.MOVED:
        return DecisionKind.MOVED, None, int(rest)
    return DecisionKind(kind), date.fromisoformat(rest) if rest else None, None


def _needs_words(value: str, relation: OrderRelation) -> bool:
    """Say whether a choice is a pharmacist's, with a reason."""
    return bool(value) and is_for_pharmacist(_parse(value)[0], relation)


def _needs_pharmacist(value: str, relation: OrderRelation) -> bool:
    return value.startswith(DecisionKind.MOVED) or _needs_words(value, relation)


def _equal_courses(asked: Assessment, relation: OrderRelation) -> list[CourseView]:
    phases = asked.plan.phases
    courses = [asked.therapy.course(name) for name in relation.to]
    return [course for course in courses if phases and course.mg == phases[0].mg]


def describe_courses(assessment: Assessment, names: Sequence[str]) -> str:
    """Return `30 mg a day` of some courses together."""
    return _amount([assessment.therapy.course(name) for name in names])


def _before(assessment: Assessment, relation: OrderRelation) -> str:
    return describe_courses(assessment, relation.to)


def _amount(courses: Sequence[CourseView]) -> str:
    """Return `30 mg a day` of some courses together; up to, where one is as needed."""
    if any(course.mg is None for course in courses):
        return "what is taken"
    most = f"up to{NB}" if any(course.as_needed for course in courses) else ""
    return f"{most}{mg(sum_mg(courses))} a day"
