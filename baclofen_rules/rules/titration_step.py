"""A rise of the daily dose that is too large.

Finds: an override when a rise, from the previous dose when continuing or from one phase to the next, is above the step.
Errs: on the side of asking. The default profile reads "the daily dosage is increased by 5 mg" to the letter.
Source: the profile's label.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import Bands, by_age
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import HISTORY_FACT, Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    max_rise_mg_per_day: Bands[Decimal] = by_age("mg/day", 1, 100, words="largest rise of the daily dose in one step")


def check(t: Terms, limits: Limits) -> Answer:
    if t.rises:
        limit = limits.max_rise_mg_per_day.over(t.steepest_rise_mg, t.age)
        if isinstance(limit, Missing):
            return (Missing((*limit.facts, HISTORY_FACT)),) if t.history_unknown else (limit,)
        if limit is not None:
            return (Found(Severity.OVERRIDE, _describe, t, limit),)
    return (Missing((HISTORY_FACT,)),) if t.history_unknown else CLEAR


def _describe(t: Terms, limit: Decimal) -> Words:
    steepest, most = format_amount(t.steepest_rise_mg), format_amount(limit)
    over = [str(rise) for rise in t.rises if rise.change > limit]
    return Words(
        f"A rise of {steepest} mg a day is above the {most} mg step",
        f"{'; '.join(over)}. Largest step: {most} mg a day.",
        observed={"mg_per_day": steepest, "steps": over},
        limit={"mg_per_day": most},
        dur=Dur.HIGH_DOSE,
        detected_issue=DetectedIssue.INTERVAL,
    )


def explain(t: Terms, limits: Limits) -> str:
    steps = "; ".join(str(rise) for rise in t.rises) or "no rise"
    return f"Seen: {steps}; largest step: {limits.max_rise_mg_per_day} mg a day."


RULE = Rule(
    code="titration-step",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5",),
    needs_dose=True,
    clears=("Rises of at most {mg_per_day}",),
)
