"""A step up so large that a decimal point has probably slipped.

Finds: a stop when a rise is to 8 times the dose before it or more: from the previous dose when continuing, and from one phase
to the next for everybody. Who is not continuing is stopped as well when phase 1 is 8 times the start limit or more.
Errs: on the side of stopping: the slip is looked for between phases of a new course too, and who has no recorded history,
or takes nothing for sure because it is ordered as needed, is looked at as new.
Source: design; 8 rather than 10 catches a slip that was rounded to tablets.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import HISTORY_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.transition import Transition
from baclofen_rules.words import format_doses


@dataclass(frozen=True, slots=True)
class Limits:
    factor: Decimal = number(
        "times",
        2,
        10,
        words="times the dose before, or the start limit, from which the decimal point has probably slipped",
    )


def check(t: Terms, limits: Limits) -> Answer:
    for rise in t.rises:
        if rise.before and rise.after >= rise.before * limits.factor:
            return (Found(Severity.STOP, _risen, rise, limits),)
    if t.is_continuing and all(rise.before for rise in t.rises):
        return CLEAR
    broken = t.above_start(limits.factor)
    if isinstance(broken, Decimal):
        return (Found(Severity.STOP, _started, t, limits, broken),)
    facts = broken.facts if isinstance(broken, Missing) else ()
    if t.history_unknown:
        facts = (*facts, HISTORY_FACT)
    return (Missing(facts),) if facts else CLEAR


def _risen(rise: Transition, limits: Limits) -> Words:
    before, after, most = format_amount(rise.before), format_amount(rise.after), format_amount(limits.factor)
    times = format_amount(round(rise.after / rise.before, 1))
    return Words(
        f"{before} to {after} mg a day is {times} times as much; check for a tenfold slip",
        f"{rise}, {times} times as much; stopped from {most} times.",
        observed={"mg_per_day": after, "from_mg_per_day": before, "times": times},
        limit={"times": most},
        dur=Dur.HIGH_DOSE,
        detected_issue=DetectedIssue.DOSE_HIGH,
    )


def _started(t: Terms, limits: Limits, start: Decimal) -> Words:
    first, most = format_amount(t.first_mg), format_amount(limits.factor)
    return Words(
        f"{first} mg a day to start is {most} times the {format_amount(start)} mg start or more",
        f"Phase 1: {format_doses(t.phases[0])}; {most} x {format_amount(start)} mg = {format_amount(limits.factor * start)} mg a day.",
        observed={"mg_per_day": first, "start_mg_per_day": format_amount(start)},
        limit={"times": most},
        dur=Dur.HIGH_DOSE,
        detected_issue=DetectedIssue.DOSE_HIGH,
    )


def explain(t: Terms, limits: Limits) -> str:
    rises = [rise for rise in t.rises if rise.before]
    if rises:
        largest = max(rises, key=lambda rise: rise.after / rise.before)
        return f"Largest rise, {largest}: below {format_amount(limits.factor)} times."
    return f"No rise to {format_amount(limits.factor)} times."


RULE = Rule(
    code="tenfold",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    terms=("start_mg_per_day", "start_mg_per_kg_per_day", "start_rounding"),
    answers=("5",),
    needs_dose=True,
    clears=("Less than {times} as much",),
)
