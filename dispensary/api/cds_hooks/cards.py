"""Cards: one for each finding, each question about an order, and what was not assessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from baclofen_rules.findings import Finding
from dispensary.api.cds_hooks.calls import Draft
from dispensary.api.fhir.instructions import render_phases
from dispensary.api.fhir.issue import MITIGATION
from dispensary.api.fhir.values import ACT_CODE, json_number
from dispensary.assessment import ANSWERED_BY_THE_SCAN, Assessment
from dispensary.errors import Problem
from dispensary.fhir.order import COURSES
from dispensary.models import FindingSeverity, Mitigation
from dispensary.models.keys import uuid7
from dispensary.questions import NOT_ASSESSED

LONGEST_SUMMARY: Final = 139
"""CDS Hooks wants less than 140 characters."""
QUESTION, NOTES = "question", "notes"
"""Codes of cards that are about no rule."""
_INDICATORS: Final = {
    FindingSeverity.STOP: "critical",
    FindingSeverity.OVERRIDE: "critical",
    FindingSeverity.ACKNOWLEDGE: "warning",
    FindingSeverity.INFORMATION: "info",
}
_REASONS: Final = [
    {"system": MITIGATION, "code": str(reason.value), "display": str(reason.label)} for reason in Mitigation
]
TOO_FAST: Final = frozenset({"starting-dose", "titration-interval", "titration-step"})
"""The findings that a planned titration answers."""
_ASKS: Final = frozenset({FindingSeverity.OVERRIDE, FindingSeverity.ACKNOWLEDGE})


class Link(NamedTuple):
    """A page of ours, for whoever may sign in here."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Card:
    """A card, and what is kept of it."""

    code: str
    """The rule, or `question`, `notes`, `not-assessed`."""
    summary: str
    indicator: str
    detail: str = ""
    severity: str = ""
    topic: str = ""
    """A code of v3-ActCode."""
    suggestions: Sequence[Mapping[str, Any]] = ()
    link: Link | None = None
    id: UUID = field(default_factory=uuid7)

    def to_json(self, profile: str) -> dict[str, Any]:
        """Return the card as CDS Hooks has it, without anything empty."""
        source: dict[str, Any] = {"label": f"Dispensary, profile {profile}"}
        if self.topic:
            source["topic"] = {"system": ACT_CODE, "code": self.topic}
        card: dict[str, Any] = {
            "uuid": str(self.id),
            "summary": _cut(self.summary),
            "indicator": self.indicator,
            "source": source,
            "detail": _escape(self.detail),
            "suggestions": list(self.suggestions),
            "links": [] if self.link is None else [self.link._asdict() | {"type": "absolute"}],
        }
        if self.suggestions:
            card["selectionBehavior"] = "at-most-one"
        if self.severity in _ASKS:
            card["overrideReasons"] = _REASONS
        return {name: value for name, value in card.items() if value}


def cards_of_draft(
    draft: Draft, assessment: Assessment | None, plan_rise: Callable[[Assessment], Mapping[str, Any] | None]
) -> list[Card]:
    """Return the cards of one order, gravest first. `assessment` is None where the order could not be reviewed at all.

    `plan_rise` returns a titration that keeps the rules, as JSON; it is asked where a rise is too fast.
    """
    cards = [question_card(problem) for problem in draft.order.problems]
    if assessment is not None:
        findings = assessment.review.findings
        titration = plan_rise(assessment) if any(finding.code in TOO_FAST for finding in findings) else None
        proposals: list[Mapping[str, Any] | None] = []
        for finding in findings:
            proposed = {"titration": titration} if titration and finding.code in TOO_FAST else finding.suggestion
            # The same order in two cards could be created twice.
            cards.append(_finding_card(finding, None if proposed in proposals else proposed, draft.resource))
            proposals.append(proposed)
        missing = [rule for rule in assessment.review.not_assessed if set(rule.missing) != ANSWERED_BY_THE_SCAN]
        if missing:
            codes_by_facts: dict[str, list[str]] = {}
            for rule in missing:
                codes_by_facts.setdefault(", ".join(rule.missing), []).append(rule.code)
            lines = "\n".join(f"- {facts} not known: {', '.join(codes)}" for facts, codes in codes_by_facts.items())
            count = f"{len(missing)} rules were" if len(missing) > 1 else "1 rule was"
            cards.append(Card(NOT_ASSESSED, f"{count} not assessed: a fact is missing", "warning", lines))
    return cards


def question_card(problem: Problem) -> Card:
    """Return the card that asks about an element of the call."""
    words = f"Cannot be read without doubt: {problem.given}"
    detail = f"{problem.field}: expected {problem.expected}. {problem.next}".strip()
    return Card(QUESTION, words, "warning", detail)


def notes_card(notes: Sequence[str]) -> Card:
    """Return the card that says how unusual elements were read."""
    words = f"{len(notes)} notes on how this was read" if len(notes) > 1 else "A note on how this was read"
    return Card(NOTES, words, "info", "\n".join(f"- {note}" for note in notes))


def _finding_card(finding: Finding, proposed: Mapping[str, Any] | None, request: Mapping[str, Any]) -> Card:
    severity = FindingSeverity(finding.severity.value)
    sources = "; ".join(dict.fromkeys(f"[{source.mark}] {source.title}" for source in finding.sources))
    return Card(
        code=finding.code,
        summary=finding.summary,
        indicator=_INDICATORS[severity],
        detail="\n\n".join(
            filter(None, [finding.detail, f"Rule: {finding.code}.", sources and f"Sources: {sources}."])
        ),
        severity=severity.value,
        topic=finding.detected_issue.value if finding.detected_issue else "",
        suggestions=[] if proposed is None else _render_suggestions(proposed, request),
    )


def _render_suggestions(suggestion: Mapping[str, Any], request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the changed order as an action, or the proposed taper or titration as a new order."""
    if "quantity" in suggestion:
        tablets = {"value": json_number(Decimal(suggestion["quantity"])), "unit": "tablet"}
        changed = dict(request) | {
            "dispenseRequest": dict(request.get("dispenseRequest") or {}) | {"quantity": tablets}
        }
        return [_suggest(f"Order {suggestion['quantity']} tablets", "update", changed)]
    if taper := suggestion.get("taper"):
        return [_suggest_plan(f"Taper over {taper['days']} days", taper["phases"], "acute", request)]
    if titration := suggestion.get("titration"):
        days = sum(phase["days"] or 0 for phase in titration["phases"][:-1])
        return [_suggest_plan(f"Titration over {days} days", titration["phases"], "continuous", request)]
    return []


def _suggest_plan(
    label: str, phases: Sequence[Mapping[str, Any]], course: str, request: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a planned course as a new order in the place of the one that was sent."""
    order = {name: value for name, value in request.items() if name not in {"id", "identifier", "dispenseRequest"}}
    order |= {"dosageInstruction": render_phases(phases)}
    order |= {"courseOfTherapyType": {"coding": [{"system": COURSES, "code": course}]}}
    suggestion = _suggest(label, "create", order)
    if request.get("id"):  # both orders together would be a double dose
        replaced = {"type": "delete", "description": "Leave out the order that this one replaces",
                    "resourceId": f"MedicationRequest/{request['id']}"}  # fmt: skip
        suggestion["actions"].insert(0, replaced)
    return suggestion


def _suggest(label: str, kind: str, resource: Mapping[str, Any]) -> dict[str, Any]:
    action = {"type": kind, "description": label, "resource": dict(resource)}
    return {"label": label, "uuid": str(uuid7()), "actions": [action]}


def _escape(words: str) -> str:
    """Return words as Markdown without markup: parts of them were sent with the order."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace("](", "]\\(")


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST_SUMMARY else f"{words[: LONGEST_SUMMARY - 1]}…"
