"""The daily dose falls too soon after the last change.

Finds: an override when a fall comes after fewer days at the level before it than the interval.
Errs: on the side of asking: each phase counts by its own length; whether a course with an end then stops is not guessed.
Source: the French medicines agency, 10 or 15 mg every 2 days.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import HISTORY_FACT, STOP_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import count_days


@dataclass(frozen=True, slots=True)
class Limits:
    min_days: Decimal = number("days", 1, 60, words="least days between two steps down")


def check(t: Terms, limits: Limits) -> Answer:
    least, shortest = limits.min_days, t.shortest_before_fall
    if shortest is not None and shortest < least:
        return (Found(Severity.OVERRIDE, _describe, t, limits, shortest),)
    lacking = [HISTORY_FACT] if t.history_unknown else []
    lacking += [f"prescription.phases[{len(t.phases) - 1}].days" for fall in t.falls if fall.held_days is None]
    if t.may_stop and (t.phases[-1].days or least) < least:
        lacking.append(STOP_FACT)
    return (Missing(tuple(lacking)),) if lacking else CLEAR


def _describe(t: Terms, limits: Limits, shortest: int) -> Words:
    least = limits.min_days
    timed = [(fall, fall.held_days) for fall in t.falls if fall.held_days is not None]
    soon = [f"{fall}, after {count_days(days)}" for fall, days in timed if days < least]
    return Words(
        f"A fall after {count_days(shortest)} is sooner than {format_amount(least)} days at one dose",
        f"{'; '.join(soon)}. Shortest time at a dose before a fall: {format_amount(least)} days.",
        observed={"days": str(shortest), "steps": soon},
        limit={"days": format_amount(least)},
        dur=Dur.REGIMEN,
        detected_issue=DetectedIssue.INTERVAL,
    )


def explain(t: Terms, limits: Limits) -> str:
    falls = "; ".join(f"{fall}, after {fall.held_days} days" for fall in t.falls) or "no fall"
    return f"Seen: {falls}; shortest time: {format_amount(limits.min_days)} days."


RULE = Rule(
    code="taper-interval",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5",),
    needs_dose=True,
    clears=("{days} or more between two steps",),
)
