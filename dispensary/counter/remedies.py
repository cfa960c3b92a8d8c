"""The remedy of a finding in words: what would clear it, as its rule has it, or why nothing can and what answers it then."""

from __future__ import annotations

from datetime import date
from string import Formatter
from typing import Any

from baclofen_rules import rule_by_code
from baclofen_rules.findings import Facts, Finding
from baclofen_rules.rule import Rule
from dispensary.counter.finding_words import UNITS, format_quantity
from dispensary.documents.words import long_day
from dispensary.questions import Question
from dispensary.templatetags.counter import dates

_ANSWERS = {
    "override": "a pharmacist\u2019s override with a reason",
    "acknowledge": "a tick at the hand-over",
}


def what_clears(question: Question, on: date) -> str:
    """Return what would clear a finding in one sentence, or why nothing does and what answers it; empty for information."""
    finding = question.finding
    if finding is None or question.severity == "information":
        return ""
    answer = _ANSWERS.get(question.severity, "")
    rule = rule_by_code(finding.code)
    remedy = _find_remedy(finding, rule, on)
    if remedy:
        return f"{remedy[:1].upper()}{remedy[1:]}{f', or {answer}' if answer else ''}."
    reason = rule.nothing_clears or "it follows from what is ordered and recorded"
    return f"Nothing: {reason}. {f'It is answered by {answer}' if answer else 'Ask the prescriber for another order'}."


def _find_remedy(finding: Finding, rule: Rule[Any], on: date) -> str:
    if rule.clears_on is not None:
        first_day = rule.clears_on(finding.observed, finding.limit, on)
        return f"On or after {long_day(first_day)}" if first_day > on else ""
    if rule.choose_clearing is not None:
        return _fill(rule.choose_clearing(finding.observed, finding.limit), finding.limit)
    if "least" in finding.limit and finding.limit["least"] == finding.limit.get("most"):
        return _format_bare("least", finding.limit["least"])
    has_value = {name for name, value in finding.limit.items() if value not in (None, "")}
    template = next((template for template in rule.clears if _names_in(template) <= has_value), "")
    return _fill(template, finding.limit)


def _names_in(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def _fill(template: str, limit: Facts) -> str:
    return template.format_map({name: _format_bare(name, limit[name]) for name in _names_in(template)})


def _format_bare(name: str, value: object) -> str:
    """Return a quantity with its unit and without the word before it: `14 tablets`, not `at least 14 tablets`."""
    if isinstance(value, list):
        return " or ".join(format_quantity("mg", item) for item in value)
    bare = {"least": "tablets", "most": "tablets", "low_mg_per_day": "mg_per_day", "high_mg_per_day": "mg_per_day"}
    name = {"smallest_mg": "mg", **bare}.get(name, name)
    is_day = name.endswith(("_on", "_until"))  # the sentence says what day it is
    return dates(str(value)) if is_day or name not in UNITS else format_quantity(name, value)
