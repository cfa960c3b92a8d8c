"""The order is planned to begin on a day to come.

Finds: an acknowledgement when an order that was not taken before is handed over ahead of its planned start: every day of it is
counted from there, and where its tablets last until then today's dose goes on.
Errs: on the side of the plan: it is not begun early unless a person says so.
Source: design.
"""

from datetime import date

from baclofen_rules.course_words import count_days_without, find_planned_start
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Facts, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.words import count_days


def check(t: Terms, limits: NoLimits) -> Answer:
    starts_on = find_planned_start(t)
    if starts_on is None or starts_on <= t.case.on:
        return CLEAR
    return (Found(Severity.ACKNOWLEDGE, _describe, t, starts_on),)


def _describe(t: Terms, starts_on: date) -> Words:
    days = count_days((starts_on - t.case.on).days)
    goes_on = t.is_continuing and count_days_without(t, starts_on) == 0
    until_then = "until then today's dose goes on" if goes_on else "nothing of it is taken until then"
    return Words(
        f"The order begins on {starts_on}, {days} from today; {until_then}",
        f"Planned start: {starts_on}; today is {t.case.on}. All days of the plan are counted from its start.",
        observed={"on": t.case.on.isoformat()},
        limit={"starts_on": starts_on.isoformat()},
        dur=Dur.REGIMEN,
        detected_issue=DetectedIssue.TIMING,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No planned start lies ahead."


def clears_on(observed: Facts, limit: Facts, on: date) -> date:
    return date.fromisoformat(limit["starts_on"])


RULE = Rule(
    code="starts-later",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_record=True,
    answers=("5", "2"),
    needs_dose=True,
    clears_on=clears_on,
)
