"""The plan has ended, and nobody said what follows.

Finds: an acknowledgement when a supply goes on past the planned days of an order that does not say whether the medicine then ends.
Errs: on the side of going on: an end that was not meant brings withdrawal.
Source: design.
"""

from datetime import timedelta

from baclofen_rules.course_words import is_own_order
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import HAND_OVER
from baclofen_rules.words import count_days


def check(t: Terms, limits: NoLimits) -> Answer:
    regimen = None if t.order is None else t.order.regimen
    if regimen is None or regimen.then_stop is not None or t.after is None or not is_own_order(t):
        return CLEAR
    if regimen.total_days is None or t.position <= regimen.total_days:
        return CLEAR
    return (Found(Severity.ACKNOWLEDGE, _describe, t, regimen.total_days),)


def _describe(t: Terms, total_days: int) -> Words:
    days = t.position - total_days - 1
    assert t.after is not None
    ended_on = t.after.supply(HAND_OVER).starts_on - timedelta(days=days + 1)
    mg = format_amount(t.first_mg)
    return Words(
        f"The plan ends at {mg} mg a day on {ended_on} and nobody said what follows; this supply goes on with it",
        f"The plan has {count_days(total_days)}; this supply begins on day {t.position} with {mg} mg a day.",
        observed={"day": str(t.position), "mg_per_day": mg},
        limit={"days": str(total_days)},
        dur=Dur.REGIMEN,
        detected_issue=DetectedIssue.TIMING,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "The supply stays inside the planned days, or it is said what follows them."


RULE = Rule(
    code="course-goes-on",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_record=True,
    answers=("5", "2"),
    needs_dose=True,
    clears=("An order that says what follows after {days}",),
)
