"""The patient has an intrathecal baclofen pump.

Finds: an override when a pump is recorded.
Errs: on the side of asking: with pump and tablets there is overdose, and withdrawal as soon as either stops.
Source: the boxed warning of the intrathecal label.
"""

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import NoLimits, Rule
from baclofen_rules.terms import Terms

PUMP_FACT = "patient.intrathecal_pump"


def check(t: Terms, limits: NoLimits) -> Answer:
    pump = t.patient.intrathecal_pump
    if pump is None:
        return (Missing((PUMP_FACT,)),)
    if not pump:
        return CLEAR
    return (Found(Severity.OVERRIDE, _describe),)


def _describe() -> Words:
    return Words(
        "An intrathecal baclofen pump is recorded; ask whether tablets are meant as well",
        "A pump delivers baclofen all day; tablets add to it, and stopping either can cause withdrawal.",
        observed={"intrathecal_pump": True},
        limit={"intrathecal_pump": False},
        dur=Dur.INGREDIENT_DUPLICATION,
        detected_issue=DetectedIssue.DUPLICATE_INGREDIENT,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No intrathecal pump is recorded."


RULE = Rule(
    code="intrathecal-pump",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    answers=("5", "9"),
)
