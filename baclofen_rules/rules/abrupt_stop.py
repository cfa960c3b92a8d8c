"""The medicine is stopped without a taper.

Finds: for a stop order, an override when the patient is continuing and the previous daily dose is above the amount that may
be stopped at once; an acknowledgement when the reason is a serious adverse reaction or an overdose.
Errs: on the side of asking: any other reason, or none, or one spelt otherwise, is no exception.
Source: every label warns of withdrawal; the amount is a design default.
"""

from baclofen_rules.case import Action
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import HISTORY_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import clip

EXCEPTIONS = frozenset({"serious-adverse-reaction", "overdose"})


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.history_unknown:
        return (Missing((HISTORY_FACT,)),)
    if not t.is_continuing or t.previous_mg <= t.limits.stop_free_mg_per_day:
        return CLEAR
    excepted = t.case.reason in EXCEPTIONS
    return (Found(Severity.ACKNOWLEDGE if excepted else Severity.OVERRIDE, _describe, t),)


def _describe(t: Terms) -> Words:
    level, most, reason = format_amount(t.previous_mg), format_amount(t.limits.stop_free_mg_per_day), t.case.reason
    why = f" Reason given: {clip(reason)}." if reason else " No reason given."
    return Words(
        f"Stopping {level} mg a day at once risks withdrawal; without a taper at most {most} mg a day is stopped",
        f"Previous dose: {level} mg a day; limit for a stop without taper: {most} mg a day.{why}",
        observed={"mg_per_day": level, "reason": reason},
        limit={"mg_per_day": most},
        dur=Dur.REGIMEN,
        detected_issue=DetectedIssue.DURATION_LOW,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    if not t.is_continuing:
        return f"Nothing to withdraw from: the patient is not continuing ({t.standing or 'not known'})."
    return f"Previous dose {format_amount(t.previous_mg)} mg a day, not above {format_amount(t.limits.stop_free_mg_per_day)} mg a day."


RULE = Rule(
    code="abrupt-stop",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5",),
    terms=("stop_free_mg_per_day",),
    actions=(Action.DISCONTINUE,),
    clears=("A taper first, down to {mg_per_day} or less",),
)
