"""A plan of several doses begins later than it was planned.

Finds: an acknowledgement when an order whose dose changes, or that stops, is first handed over after its planned start: it begins
today, and all its dates move.
Errs: on the side of asking: dates that the prescriber told the patient no longer hold.
Source: design.
"""

from datetime import date

from baclofen_rules.course_words import find_planned_start
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.words import count_days


def check(t: Terms, limits: NoLimits) -> Answer:
    starts_on = find_planned_start(t)
    if starts_on is None or starts_on >= t.case.on or not (len(t.phases) > 1 or t.stops):
        return CLEAR
    return (Found(Severity.ACKNOWLEDGE, _describe, t, starts_on),)


def _describe(t: Terms, starts_on: date) -> Words:
    days = count_days((t.case.on - starts_on).days)
    return Words(
        f"The plan was to begin on {starts_on}; it begins today, and all its dates move by {days}",
        f"Planned start: {starts_on}; today is {t.case.on}: {days} later. No phase is left out.",
        observed={"on": t.case.on.isoformat()},
        limit={"starts_on": starts_on.isoformat()},
        dur=Dur.REGIMEN,
        detected_issue=DetectedIssue.TIMING,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No plan begins later than it was planned."


RULE = Rule(
    code="starts-late",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_record=True,
    answers=("5", "2"),
    needs_dose=True,
    nothing_clears="the planned day has passed",
)
