"""More than one instalment at once.

Finds: an acknowledgement when a hand-over of an order in instalments lasts up to the profile's days longer than one instalment, an
override when longer. An order with repeats names the distance between its fills, of which each may last longer.
Errs: on the side of asking: instalments are ordered so that little is at home, also before days on which the pharmacy is closed.
Source: design.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import HAND_OVER
from baclofen_rules.words import count_days


@dataclass(frozen=True, slots=True)
class Limits:
    acknowledge_up_to_days: Decimal = number(
        "days", 0, 14, words="most days beyond one instalment for an acknowledgement; more are an override"
    )


def check(t: Terms, limits: Limits) -> Answer:
    ask = t.case.ask
    if t.therapy is None or t.after is None or ask is None or ask.order is None:
        return CLEAR
    interval = next((o.interval_days for o in t.therapy.facts.orders if o.id == ask.order and not o.repeats), None)
    days = t.after.supply(HAND_OVER).days
    if interval is None or days <= interval:
        return CLEAR
    severity = Severity.ACKNOWLEDGE if days - interval <= limits.acknowledge_up_to_days else Severity.OVERRIDE
    return (Found(severity, _describe, days, interval, limits),)


def _describe(days: int, interval: int, limits: Limits) -> Words:
    more = format_amount(limits.acknowledge_up_to_days)
    return Words(
        f"These tablets last {count_days(days)}, one instalment is for {count_days(interval)}",
        f"{days} - {interval} = {count_days(days - interval)} more than one instalment; a tick up to {more} days more.",
        observed={"days": str(days)},
        limit={"days": str(interval)},
        dur=Dur.EXCESSIVE_QUANTITY,
        detected_issue=DetectedIssue.FULFILMENT,
    )


def explain(t: Terms, limits: Limits) -> str:
    return "No hand-over lasts longer than one instalment."


RULE = Rule(
    code="instalment-size",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_record=True,
    answers=("14", "16", "5"),
    needs_dose=True,
    clears=("Tablets for at most {days}",),
)
