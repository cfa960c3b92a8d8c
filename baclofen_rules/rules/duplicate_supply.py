"""Another supply of baclofen is running.

Finds: an override when a supply marked concurrent covers today.
Errs: on the side of asking: an early concurrent supply runs on after its own days.
Source: design.
"""

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import NoLimits, Rule
from baclofen_rules.terms import HISTORY_FACT, Terms
from baclofen_rules.text import format_amount


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.history_unknown:
        return (Missing((HISTORY_FACT,)),)
    if not t.concurrent_mg:
        return CLEAR
    return (Found(Severity.OVERRIDE, _describe, t),)


def _describe(t: Terms) -> Words:
    other = format_amount(t.concurrent_mg)
    return Words(
        f"Another supply of baclofen, {other} mg a day, covers today",
        f"Concurrent supplies that cover {t.case.on}: {other} mg a day together.",
        observed={"mg_per_day": other},
        limit={"mg_per_day": "0"},
        dur=Dur.INGREDIENT_DUPLICATION,
        detected_issue=DetectedIssue.DUPLICATE_INGREDIENT,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No concurrent supply covers today."


RULE = Rule(
    code="duplicate-supply",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    answers=("7", "5"),
)
