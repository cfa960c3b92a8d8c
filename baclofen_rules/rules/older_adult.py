"""An older patient starts, or takes more than before.

Finds: an acknowledgement from 65 years for everybody who is not continuing, and for who continues where the daily dose rises.
Errs: on the side of asking: who has no recorded history is looked at as not continuing.
Source: the British text on small doses and slow steps.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import AGE_FACT, number
from baclofen_rules.rule import Rule
from baclofen_rules.terms import PHASES_FACT, Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    from_years: Decimal = number("years", 40, 100)


def check(t: Terms, limits: Limits) -> Answer:
    if t.is_continuing and t.phases and not t.rises:
        return CLEAR
    if t.age is None:
        return (Missing((AGE_FACT,)),)
    if t.age < limits.from_years:
        return CLEAR
    if t.is_continuing and not t.phases:
        return (Missing((PHASES_FACT,)),)
    return (Found(Severity.ACKNOWLEDGE, _describe, t.age, limits, t),)


def _describe(age: Decimal, limits: Limits, t: Terms) -> Words:
    years, least = format_amount(age), format_amount(limits.from_years)
    why = f"continuing; {'; '.join(map(str, t.rises))}" if t.is_continuing else "not continuing"
    return Words(
        f"The patient is {years}; from {least} years start low and go up slowly",
        f"Age {years} years, {why}; limit: {least} years.",
        observed={"age_years": years},
        limit={"age_years": least},
        dur=Dur.AGE,
        detected_issue=DetectedIssue.GERIATRIC,
    )


def explain(t: Terms, limits: Limits) -> str:
    if t.is_continuing and not t.rises:
        return "The patient is continuing, and the daily dose does not rise."
    return f"Age {format_amount(t.age) if t.age is not None else 'unknown'}, below {format_amount(limits.from_years)} years."


RULE = Rule(
    code="older-adult",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    answers=("5", "2", "9", "10"),
)
