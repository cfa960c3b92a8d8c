"""The old tablets end before the planned start.

Finds: an acknowledgement, a pharmacist's, when the tablets at home end before the order's planned start: days without tablets.
Nothing where the order is taken beside what runs, or where that is taken as needed and not every day.
Errs: on the side of asking: a gap that is planned by nobody can bring withdrawal.
Source: design.
"""

from datetime import date

from baclofen_rules.course_words import count_days_without, find_planned_start
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.words import count_days


def check(t: Terms, limits: NoLimits) -> Answer:
    starts_on = find_planned_start(t)
    if starts_on is None:
        return CLEAR
    gap = count_days_without(t, starts_on)
    return (Found(Severity.ACKNOWLEDGE, _describe, t, starts_on, gap),) if gap > 0 else CLEAR


def _describe(t: Terms, starts_on: date, gap: int) -> Words:
    days = count_days(gap)
    return Words(
        f"The tablets end {days} before the planned start on {starts_on}; a pharmacist decides what covers them",
        f"Tablets cover the days before {t.cover_end}; planned start: {starts_on}: {days} without {t.case.medicine.name}.",
        observed={"gap_days": str(gap)},
        limit={"starts_on": starts_on.isoformat()},
        dur=Dur.UNDERUSE,
        detected_issue=DetectedIssue.TIMING,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No day lies between the last tablet and a planned start."


RULE = Rule(
    code="cover-gap",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_record=True,
    answers=("5", "2"),
    needs_dose=True,
    is_for_pharmacist=True,
    clears=("A start before the old tablets end, or more of the old tablets",),
)
