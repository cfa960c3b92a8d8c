"""What a person answers before a hand-over: findings, facts that nobody knows, and what could not be assessed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from baclofen_rules.facts import FACTS
from baclofen_rules.findings import Dur, Finding, NotAssessed, Severity
from baclofen_rules.rules import all_rules
from baclofen_rules.words import join_words
from dispensary.answered import NOT_KNOWN

NOT_ASSESSED = "not-assessed"
"""The code under which everything that could not be assessed is acknowledged, in one step."""
_FOR_PHARMACISTS = {NOT_KNOWN, *(rule.code for rule in all_rules() if rule.is_for_pharmacist)}


@dataclass(frozen=True, slots=True)
class Question:
    """A finding, or all rules that could not be assessed, for a person to answer before a hand-over."""

    code: str
    severity: str
    summary: str
    detail: str
    fingerprint: str
    """The same finding on the same facts has the same one; an answer holds for exactly one."""
    finding: Finding | None

    @property
    def is_for_pharmacist(self) -> bool:
        """Say whether a pharmacist answers it, also where one step is enough."""
        return self.code in _FOR_PHARMACISTS

    @property
    def is_dose_above_limit(self) -> bool:
        return self.finding is not None and self.finding.dur is Dur.HIGH_DOSE


def ask_unknown(asked_on: Mapping[str, date]) -> Question:
    """Return the question about facts that nobody knows, with the days on which they were asked; asked again, another one."""
    days = ";".join(f"{name} {day.isoformat()}" for name, day in sorted(asked_on.items()))
    return Question(
        code=NOT_KNOWN,
        severity=Severity.ACKNOWLEDGE.value,
        summary=f"Not known: {join_words([FACTS[name].words for name in asked_on])}",
        detail="Another answer would stop this start or rise, or ask for an override. It was not assessed.",
        fingerprint=hashlib.sha256(days.encode()).hexdigest(),
        finding=None,
    )


def ask_unassessed(missing: Iterable[NotAssessed]) -> Question:
    """Return the question that stands for rules that could not be assessed."""
    missing_text = "; ".join(f"{rule.code} needs {', '.join(rule.missing)}" for rule in missing)
    return Question(
        code=NOT_ASSESSED,
        severity="acknowledge",
        summary="Some rules could not be assessed because a fact is missing",
        detail=missing_text,
        fingerprint=hashlib.sha256(missing_text.encode()).hexdigest(),
        finding=None,
    )
