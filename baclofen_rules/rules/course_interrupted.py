"""Days without tablets inside a plan that still changes.

Finds: a question to a pharmacist when the tablets ran out inside a plan whose dose still changes: an acknowledgement, an override
from as many days as call for a restart. The plan's dates stay until a person moves them.
Errs: on the side of asking: nothing repeats a higher or a lower phase unasked.
Source: design.
"""

from baclofen_rules.course_words import is_own_order
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import CHOICE_AT_THE_COUNTER, count_days


def check(t: Terms, limits: NoLimits) -> Answer:
    if not t.gap_days or t.after is None or not is_own_order(t):
        return CLEAR
    last_covered = t.position - t.gap_days - 1
    plan = None if t.order is None or t.order.regimen is None else t.order.regimen.from_day(last_covered)
    if plan is None or not (len({phase.mg_per_day for phase in plan.phases}) > 1 or plan.then_stop):
        return CLEAR
    is_pause = t.gap_days < t.limits.restart_after_days
    return (Found(Severity.ACKNOWLEDGE if is_pause else Severity.OVERRIDE, _describe, t),)


def _describe(t: Terms) -> Words:
    days, today = count_days(t.gap_days), format_amount(t.first_mg)
    return Words(
        f"{days} without tablets inside a plan that changes; by its dates {today} mg a day is due today",
        f"Tablets covered the days before {t.cover_end}; today is day {t.position} of the plan: {today} mg a day. "
        f"The dates stay, or move by {days}; ask the prescriber where that is not plain.",
        observed={"gap_days": str(t.gap_days), "mg_per_day": today},
        limit={"gap_days": format_amount(t.limits.restart_after_days)},
        dur=Dur.UNDERUSE,
        detected_issue=DetectedIssue.TIMING,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return f"A gap of {t.gap_days} days; no plan that still changes is interrupted."


RULE = Rule(
    code="course-interrupted",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_record=True,
    answers=("5", "2"),
    needs_dose=True,
    terms=("restart_after_days",),
    is_for_pharmacist=True,
    clears=(CHOICE_AT_THE_COUNTER,),
)
