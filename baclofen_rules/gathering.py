"""A rise that asks again what was answered before: one finding for several."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from baclofen_rules.continuing import stands_since
from baclofen_rules.findings import Finding, Severity
from baclofen_rules.rule import OnContinuing
from baclofen_rules.rulebook import BoundRule
from baclofen_rules.terms import Terms


def gather_answered(findings: list[Finding], asked: Sequence[BoundRule[Any]], terms: Terms) -> list[Finding]:
    """Return the findings of a rise: several that are acknowledged and were answered before as information, with one that asks for all."""
    if not terms.case.answered or not (terms.is_continuing and terms.rises):
        return findings
    bound_rules = {bound.rule.code: bound for bound in asked}
    gatherer = next((bound for bound in asked if bound.rule.gather is not None), None)
    answered_on = {answer.fingerprint: answer.on for answer in terms.case.answered}
    repeated: dict[str, date] = {}
    for finding in findings:
        rule = bound_rules[finding.code].rule
        if finding.severity is Severity.ACKNOWLEDGE and rule.on_continuing in (
            OnContinuing.INFORMATION,
            OnContinuing.TOLD,
        ):
            day = answered_on.get(finding.fingerprint)
            if day is not None and stands_since(day, rule.rests_on, terms):
                repeated[finding.code] = day
    if gatherer is None or gatherer.rule.gather is None or len(repeated) < 2:
        return findings
    part = gatherer.rule.gather(tuple(repeated))
    code = gatherer.rule.code
    return [
        finding.at_most(Severity.INFORMATION, f"Answered on {repeated[finding.code]}; counted in {code}.")
        if finding.code in repeated
        else finding
        for finding in findings
    ] + [Finding(code, part.severity, (part,), gatherer.sources)]
