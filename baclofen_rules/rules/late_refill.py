"""A refill that comes after the tablets ran out.

Finds: an acknowledgement for a gap of at least one day inside the look-back, where no restart is found; also where the medicine is to
be stopped: the patient may be in withdrawal already.
Errs: on the side of asking how the patient managed; cover assumes that every dose was taken.
Source: design.
"""

from decimal import Decimal

from baclofen_rules.case import Action
from baclofen_rules.fills import Standing
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import HISTORY_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import count_days


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.history_unknown:
        return (Missing((HISTORY_FACT,)),)
    if not 1 <= t.gap_days <= t.limits.new_after_days:
        return CLEAR
    if t.phases and t.standing is Standing.RESTART and isinstance(t.above_start(), Decimal):
        return CLEAR
    return (Found(Severity.ACKNOWLEDGE, _describe, t),)


def _describe(t: Terms) -> Words:
    days = count_days(t.gap_days)
    return Words(
        f"The last supply ran out {days} ago; ask how the patient managed",
        f"Earlier supplies cover the days before {t.cover_end}; today is {t.case.on}: a gap of {days}.",
        observed={"gap_days": str(t.gap_days)},
        limit={"gap_days": "0"},
        dur=Dur.UNDERUSE,
        detected_issue=DetectedIssue.TOO_LATE,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    if t.gap_days and t.standing is Standing.RESTART:
        return f"A gap of {t.gap_days} days: the rule restart speaks."
    return f"A gap of {t.gap_days} days; a late refill is 1 to {format_amount(t.limits.new_after_days)} days."


RULE = Rule(
    code="late-refill",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    terms=("restart_after_days", "new_after_days"),
    answers=("5", "2"),
    needs_dose=True,
    actions=(Action.DISPENSE, Action.DISCONTINUE),
    nothing_clears="the days without tablets have passed",
)
