"""A maintenance dose outside of the usual range.

Finds: for information, a continuing adult whose highest daily dose, in the second case format with other supplies, is below or
above the usual range; its ends pass.
Errs: on the side of quiet: it asks nothing, because many patients do well outside of it.
Source: the profile's label.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import AGE_FACT, number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import HISTORY_FACT, Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    low_mg_per_day: Decimal = number("mg/day", 1, 200, words="lowest usual daily dose")
    high_mg_per_day: Decimal = number("mg/day", 1, 200, words="highest usual daily dose")
    adult_from_years: Decimal = number("years", 0, 21, words="age from which somebody is an adult here")


def check(t: Terms, limits: Limits) -> Answer:
    day = t.highest_mg if t.relation is None else t.total_mg
    if limits.low_mg_per_day <= day <= limits.high_mg_per_day:
        return CLEAR
    if (t.age is not None and t.age < limits.adult_from_years) or not (t.is_continuing or t.history_unknown):
        return CLEAR
    lacking = () if t.age is not None else (AGE_FACT,)
    if t.history_unknown:
        lacking = (*lacking, HISTORY_FACT)
    if lacking:
        return (Missing(lacking),)
    return (Found(Severity.INFORMATION, _describe, day, limits),)


def _describe(day: Decimal, limits: Limits) -> Words:
    low, high = format_amount(limits.low_mg_per_day), format_amount(limits.high_mg_per_day)
    below = day < limits.low_mg_per_day
    return Words(
        f"{format_amount(day)} mg a day is {'below' if below else 'above'} the usual {low} to {high} mg a day",
        f"Highest daily dose: {format_amount(day)} mg; usual range: {low} to {high} mg a day.",
        observed={"mg_per_day": format_amount(day)},
        limit={"low_mg_per_day": low, "high_mg_per_day": high},
        dur=Dur.LOW_DOSE if below else Dur.DOSE_RANGE,
        detected_issue=DetectedIssue.DOSE_LOW if below else DetectedIssue.DOSE_HIGH,
    )


def explain(t: Terms, limits: Limits) -> str:
    low, high = format_amount(limits.low_mg_per_day), format_amount(limits.high_mg_per_day)
    return f"{format_amount(t.highest_mg)} mg a day; usual range of a continuing adult: {low} to {high} mg a day."


RULE = Rule(
    code="usual-range",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_dose=True,
    clears=("{low_mg_per_day} to {high_mg_per_day}",),
)
