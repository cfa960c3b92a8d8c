"""A supply without an order of a prescriber, so that the tablets do not run out.

Finds: an override for every emergency supply, a stop when it lasts longer than the profile allows.
Errs: on the side of asking; days are few, because nobody who prescribes has seen the patient.
Source: design.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import count_days


@dataclass(frozen=True, slots=True)
class Limits:
    max_days: Decimal = number("days", 1, 31, words="most days of a supply without an order")


def check(t: Terms, limits: Limits) -> Answer:
    ask, record = t.case.ask, t.case.record
    recorded = None if record is None or ask is None or ask.order is None else record.find(ask.order)
    if recorded is None or not recorded.is_emergency:
        return CLEAR
    days = t.supply_days or 0
    severity = Severity.STOP if days > limits.max_days else Severity.OVERRIDE
    return (Found(severity, _describe, days, limits),)


def _describe(days: int, limits: Limits) -> Words:
    most = format_amount(limits.max_days)
    return Words(
        f"Emergency supply of {count_days(days)} without an order; limit: {most} days",
        f"No prescriber has ordered these tablets. They last {count_days(days)}; limit: {most} days.",
        observed={"days": str(days)},
        limit={"days": most},
        dur=Dur.AUTHENTICATION,
        detected_issue=DetectedIssue.FULFILMENT,
    )


def explain(t: Terms, limits: Limits) -> str:
    return "A prescriber has ordered the tablets."


RULE = Rule(
    code="emergency-supply",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_record=True,
    answers=("5", "2", "17", "15"),
    needs_dose=True,
    clears=("An order of the prescriber",),
)
