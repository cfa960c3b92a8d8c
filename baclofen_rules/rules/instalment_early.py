"""An instalment before its day.

Finds: an acknowledgement when the next instalment of an ordered quantity is handed over up to the profile's days before it is due,
an override when earlier.
Errs: on the side of asking: instalments are ordered so that little is at home.
Source: design.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Facts, Found, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import QueueState
from baclofen_rules.words import count_days


@dataclass(frozen=True, slots=True)
class Limits:
    acknowledge_up_to_days: Decimal = number(
        "days", 0, 14, words="most days before its day for an acknowledgement; earlier is an override"
    )


def check(t: Terms, limits: Limits) -> Answer:
    ask = t.case.ask
    if t.therapy is None or ask is None or ask.order is None or t.relation is None:
        return CLEAR
    due = t.therapy.due(ask.order)
    if due.state is not QueueState.NOT_DUE or t.therapy.owed(ask.order) is None or due.due_on is None:
        return CLEAR
    early = (due.due_on - t.case.on).days
    severity = Severity.ACKNOWLEDGE if early <= limits.acknowledge_up_to_days else Severity.OVERRIDE
    return (Found(severity, _describe, t, due.due_on, early, limits),)


def _describe(t: Terms, due_on: date, early: int, limits: Limits) -> Words:
    most = format_amount(limits.acknowledge_up_to_days)
    return Words(
        f"The next instalment is for {due_on}, {count_days(early)} from today",
        f"Next instalment: {due_on}; today is {t.case.on}: {count_days(early)} early; a tick up to {most} days.",
        observed={"days_early": str(early)},
        limit={"due_on": due_on.isoformat(), "days_early": most},
        dur=Dur.OVERUSE,
        detected_issue=DetectedIssue.TOO_SOON,
    )


def explain(t: Terms, limits: Limits) -> str:
    return "No instalment is handed over before its day."


def clears_on(observed: Facts, limit: Facts, on: date) -> date:
    return date.fromisoformat(limit["due_on"]) - timedelta(days=int(limit["days_early"]))


RULE = Rule(
    code="instalment-early",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_record=True,
    answers=("14", "16", "5"),
    needs_dose=True,
    clears_on=clears_on,
)
