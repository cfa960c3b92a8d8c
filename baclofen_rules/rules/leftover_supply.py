"""Tablets of another dose are still at home.

Finds: for information, a continuing patient with days left whose phase 1 has another daily dose than the last supply.
Errs: on the side of a word too many: tell the patient what to do with the old tablets.
Source: design.
"""

from baclofen_rules.findings import CLEAR, Answer, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import NoLimits, Rule
from baclofen_rules.terms import HISTORY_FACT, Terms
from baclofen_rules.text import format_amount


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.history_unknown:
        return (Missing((HISTORY_FACT,)),)
    if not t.left_days or not t.is_continuing or t.first_mg == t.previous_mg:
        return CLEAR
    return (Found(Severity.INFORMATION, _describe, t),)


def _describe(t: Terms) -> Words:
    left = "1 day" if t.left_days == 1 else f"{t.left_days} days"
    before, now = format_amount(t.previous_mg), format_amount(t.first_mg)
    return Words(
        f"{left} of {before} mg a day are left and the dose is now {now} mg; say what to do with the old tablets",
        f"Earlier supplies cover the days before {t.cover_end}; the daily dose changes from {before} to {now} mg.",
        observed={"days_left": str(t.left_days), "mg_per_day": now},
        limit={"mg_per_day": before},
        dur=Dur.EDUCATION,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return f"{t.left_days} days left; previous dose {format_amount(t.previous_mg)} mg a day, now {format_amount(t.first_mg)} mg."


RULE = Rule(
    code="leftover-supply",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    needs_dose=True,
)
