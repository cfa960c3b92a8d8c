"""A fall of the daily dose that is too large.

Finds: an override when any fall is above the step: from the previous dose when continuing, from one phase to the next, and
from the last phase to nothing when the medicine then stops; a taper or not.
Errs: on the side of asking; whether a course with an end then stops has to be said, it is not guessed.
Source: French guidance on steps of 10 or 15 mg.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import HISTORY_FACT, STOP_FACT, Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    max_fall_mg_per_day: Decimal = number("mg/day", 1, 100, words="largest fall of the daily dose in one step")


def check(t: Terms, limits: Limits) -> Answer:
    most = limits.max_fall_mg_per_day
    if t.steepest_fall_mg > most:
        return (Found(Severity.OVERRIDE, _describe, t, limits),)
    lacking = (HISTORY_FACT,) if t.history_unknown else ()
    if t.may_stop and t.phases[-1].mg_per_day > most:
        lacking = (*lacking, STOP_FACT)
    return (Missing(lacking),) if lacking else CLEAR


def _describe(t: Terms, limits: Limits) -> Words:
    steepest, most = format_amount(t.steepest_fall_mg), format_amount(limits.max_fall_mg_per_day)
    over = [str(fall) for fall in t.falls if -fall.change > limits.max_fall_mg_per_day]
    return Words(
        f"A fall of {steepest} mg a day is above the {most} mg step; withdrawal may follow",
        f"{'; '.join(over)}. Largest step down: {most} mg a day.",
        observed={"mg_per_day": steepest, "steps": over},
        limit={"mg_per_day": most},
        dur=Dur.REGIMEN,
        detected_issue=DetectedIssue.DOSE_LOW,
    )


def explain(t: Terms, limits: Limits) -> str:
    falls = "; ".join(str(fall) for fall in t.falls) or "no fall"
    return f"Seen: {falls}; largest step down: {format_amount(limits.max_fall_mg_per_day)} mg a day."


RULE = Rule(
    code="taper-step",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5",),
    needs_dose=True,
    clears=("Steps of at most {mg_per_day}",),
)
