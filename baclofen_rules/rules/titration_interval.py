"""The daily dose rises too soon.

Finds: an override when a rise comes after fewer days at the level before it than the interval. A day count is whole days:
a dose begun on the 1st has been held for 3 days on the 4th.
Errs: on the side of asking: each phase counts by its own length, even where the phase before it had the same dose.
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
    min_days: Bands[Decimal] = by_age("days", 1, 60, none=False, words="least days between two steps up")


def check(t: Terms, limits: Limits) -> Answer:
    shortest = t.shortest_before_rise
    if shortest is not None:
        limit = limits.min_days.under(shortest, t.age)
        if isinstance(limit, Missing):
            return (Missing((*limit.facts, HISTORY_FACT)),) if t.history_unknown else (limit,)
        if limit is not None:
            return (Found(Severity.OVERRIDE, _describe, t, shortest, limit),)
    return (Missing((HISTORY_FACT,)),) if t.history_unknown else CLEAR


def _describe(t: Terms, shortest: int, limit: Decimal) -> Words:
    soon = [rise for rise in t.rises if rise.held_days is not None and rise.held_days < limit]
    steps = [f"{rise}, after {rise.held_days} days" for rise in soon]
    return Words(
        f"A rise after {shortest} days is sooner than {format_amount(limit)} days at one dose",
        f"{'; '.join(steps)}. Shortest time at a dose before a rise: {format_amount(limit)} days.",
        observed={"days": str(shortest), "steps": steps},
        limit={"days": format_amount(limit)},
        dur=Dur.REGIMEN,
        detected_issue=DetectedIssue.INTERVAL,
    )


def explain(t: Terms, limits: Limits) -> str:
    steps = "; ".join(f"{rise}, after {rise.held_days} days" for rise in t.rises) or "no rise"
    return f"Seen: {steps}; shortest time: {limits.min_days} days."


RULE = Rule(
    code="titration-interval",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5",),
    needs_dose=True,
    clears=("{days} or more between two rises",),
)
