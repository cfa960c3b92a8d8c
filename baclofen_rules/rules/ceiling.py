"""A daily dose so far above the maximum that it is an overdose.

Finds: a stop when the total daily dose is above twice the maximum of the age; exactly twice passes. The withdrawal guard
turns it into an override for a continuing patient whose dose is not above the last one supplied.
Errs: on the side of stopping where the history is unknown: the guard needs a recorded supply.
Source: design; severe poisoning was seen from 200 mg at one time.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import HISTORY_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import GUARD, format_doses, highest_phase


@dataclass(frozen=True, slots=True)
class Limits:
    factor: Decimal = number("times", 1, 5, words="times the daily maximum above which a dose is an overdose")


def check(t: Terms, limits: Limits) -> Answer:
    broken, total = t.above_maximum, t.total_mg
    if broken is not None:  # what keeps the maximum itself keeps a multiple of it
        broken = t.limits.max_mg_per_day.verdict(lambda most: total > most * limits.factor, t.age)
    if broken is None:
        return (Missing((HISTORY_FACT,)),) if t.history_unknown else CLEAR
    if isinstance(broken, Missing):
        return (Missing((*broken.facts, HISTORY_FACT)),) if t.history_unknown else (broken,)
    return (Found(Severity.OVERRIDE if t.is_guarded else Severity.STOP, _describe, t, limits, broken),)


def _describe(t: Terms, limits: Limits, broken: Decimal) -> Words:
    number, phase = highest_phase(t.phases)
    most, factor = broken * limits.factor, format_amount(limits.factor)
    others = f", and {format_amount(t.concurrent_mg)} mg a day from another supply" if t.concurrent_mg else ""
    guard = f" {GUARD}" if t.is_guarded else ""
    total = format_amount(t.total_mg)
    return Words(
        f"{total} mg a day is above {format_amount(most)} mg, {factor} times the {format_amount(broken)} mg daily maximum",
        f"Phase {number}: {format_doses(phase)}{others}; {factor} x {format_amount(broken)} mg = {format_amount(most)} mg a day.{guard}",
        observed={"mg_per_day": total},
        limit={"mg_per_day": format_amount(most), "times": factor},
        dur=Dur.HIGH_DOSE,
        detected_issue=DetectedIssue.MAXIMUM_DOSE,
    )


def explain(t: Terms, limits: Limits) -> str:
    return f"{format_amount(t.total_mg)} mg a day in all; {format_amount(limits.factor)} times the maximum ({t.limits.max_mg_per_day}) is not passed."


RULE = Rule(
    code="ceiling",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    terms=("max_mg_per_day",),
    answers=("5", "6", "22"),
    needs_dose=True,
    why_continuing="no answer makes a dose above the limit an ordinary one",
    clears=("At most {mg_per_day}",),
)
