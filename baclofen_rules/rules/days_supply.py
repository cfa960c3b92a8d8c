"""The supply lasts longer than the profile allows at one time.

Finds: an acknowledgement when the days of the course (with an open end: the days that the quantity lasts) are above the limit.
Errs: on the side of asking; a long course makes a dose error last longer.
Source: supply habits and payers' limits; no law.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import QUANTITY_FACT, STRENGTH_FACT, Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    max_days: Decimal = number("days", 1, 366, words="most days of one supply")


def check(t: Terms, limits: Limits) -> Answer:
    if t.fixed_days > limits.max_days:
        return (Found(Severity.ACKNOWLEDGE, _describe, t.fixed_days, limits),)
    if not t.is_open:
        return CLEAR
    if t.after is not None:
        days = t.supply_days or 0
        return (Found(Severity.ACKNOWLEDGE, _describe, days, limits),) if days > limits.max_days else CLEAR
    order = t.order
    lacking = () if order is not None and order.quantity is not None else (QUANTITY_FACT,)
    if order is None or order.strength_mg is None:
        lacking = (*lacking, STRENGTH_FACT)
    if lacking:
        return (Missing(lacking),)
    days = t.supply_days or 0
    return (Found(Severity.ACKNOWLEDGE, _describe, days, limits),) if days > limits.max_days else CLEAR


def _describe(days: int, limits: Limits) -> Words:
    most = format_amount(limits.max_days)
    return Words(
        f"{days} days' supply is above the {most} days given at one time",
        f"The prescription lasts {days} days; limit: {most} days.",
        observed={"days": str(days)},
        limit={"days": most},
        dur=Dur.EXCESSIVE_QUANTITY,
        detected_issue=DetectedIssue.DURATION_HIGH,
    )


def explain(t: Terms, limits: Limits) -> str:
    days = t.supply_days if t.is_open else t.fixed_days
    return f"{days} days' supply, not above {format_amount(limits.max_days)} days."


RULE = Rule(
    code="days-supply",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("14", "16", "5"),
    needs_dose=True,
    clears=("Tablets for at most {days}",),
)
