"""An older patient starts, or takes more than before.

Finds: an acknowledgement from 65 years for everybody who is not continuing, and for who continues where the daily dose rises. A rise
is information where it is slow: by no more than the slow step, or after the slow interval at each level.
Errs: on the side of asking: who has no recorded history is looked at as not continuing.
Source: the British text on small doses and slow steps.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.profiles.limits import AGE_FACT, number
from baclofen_rules.rule import OnContinuing, Rule
from baclofen_rules.terms import PHASES_FACT, Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    from_years: Decimal = number("years", 40, 100, words="age from which it is asked")
    slow_rise_mg_per_day: Decimal | None = number(
        "mg/day", 1, 100, none=True, words="rise of the daily dose up to which a step is slow"
    )
    """Half of the usual step; none where tablets do not give it."""
    slow_interval_days: Decimal = number("days", 1, 90, words="days at each level from which a rise is slow")
    """Twice the usual interval."""


def check(t: Terms, limits: Limits) -> Answer:
    if t.age is None:
        return (Missing((AGE_FACT,)),)
    if t.age < limits.from_years:
        return CLEAR
    if t.is_continuing and not t.phases:
        return (Missing((PHASES_FACT,)),)
    is_slow = t.is_continuing and _is_slow(t, limits)
    return (Found(Severity.INFORMATION if is_slow else Severity.ACKNOWLEDGE, _describe, t.age, limits, t),)


def _is_slow(t: Terms, limits: Limits) -> bool:
    """Return whether no rise is above the slow step, or each comes after the slow interval."""
    if limits.slow_rise_mg_per_day is not None and t.steepest_rise_mg <= limits.slow_rise_mg_per_day:
        return True
    return t.shortest_before_rise is not None and t.shortest_before_rise >= limits.slow_interval_days


def _describe(age: Decimal, limits: Limits, t: Terms) -> Words:
    years, least = format_amount(age), format_amount(limits.from_years)
    why = "not continuing"
    if t.is_continuing:
        step = limits.slow_rise_mg_per_day
        slow = "" if step is None else f"by {format_amount(step)} mg a day or less, or "
        slow += f"after {format_amount(limits.slow_interval_days)} days or more at a level"
        why = f"continuing; {'; '.join(map(str, t.rises))}; a slow rise: {slow}"
    return Words(
        f"The patient is {years}; from {least} years start low and go up slowly",
        f"Age {years} years, {why}; limit: {least} years.",
        observed={"age_years": years},
        limit={"age_years": least},
        dur=Dur.AGE,
        detected_issue=DetectedIssue.GERIATRIC,
    )


def explain(t: Terms, limits: Limits) -> str:
    if t.goes_on:
        return "The patient is continuing, and the daily dose does not rise."
    return f"Age {format_amount(t.age) if t.age is not None else 'unknown'}, below {format_amount(limits.from_years)} years."


RULE = Rule(
    code="older-adult",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    answers=("5", "2", "9", "10"),
    on_continuing=OnContinuing.SILENT,
    why_continuing="at an unchanged dose there is nothing to decide",
    nothing_clears="the age stays as it is",
)
