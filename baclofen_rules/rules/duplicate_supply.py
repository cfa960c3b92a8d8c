"""Another supply of baclofen is running.

Finds: an override when a supply marked concurrent covers today.
Errs: on the side of asking: an early concurrent supply runs on after its own days.
Source: design.
"""

from typing import Any

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.regimen import plain
from baclofen_rules.terms import HISTORY_FACT, Terms
from baclofen_rules.topics import Topic

CODE = "duplicate-supply"
ASKED_ABOUT = Topic.OTHER_SUPPLY
ANSWERS = ("7", "5")


def check(t: Terms, limits: Any) -> Answer:
    if t.history_unknown:
        return (Missing((HISTORY_FACT,)),)
    if not t.concurrent_mg:
        return CLEAR
    return (Found(Severity.OVERRIDE, _words, t),)


def _words(t: Terms) -> Words:
    other = plain(t.concurrent_mg)
    return Words(
        f"Another supply of baclofen, {other} mg a day, covers today",
        f"Concurrent supplies that cover {t.case.on}: {other} mg a day together.",
        observed={"mg_per_day": other},
        limit={"mg_per_day": "0"},
        dur=Dur.INGREDIENT_DUPLICATION,
        detected_issue=DetectedIssue.DUPLICATE_INGREDIENT,
    )


def explain(t: Terms, limits: Any) -> str:
    return "No concurrent supply covers today."
