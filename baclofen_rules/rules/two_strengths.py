"""Two tablet strengths of one prescriber, written on one day.

Finds: an acknowledgement when both are fixed doses: they are taken for one regimen, and added up.
Errs: on the side of the sum: who takes one only takes less.
Source: design.
"""

from baclofen_rules.course_words import describe_dose_beside, describe_mg
from baclofen_rules.findings import CLEAR, Answer, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.therapy import How
from baclofen_rules.words import CHOICE_AT_THE_COUNTER


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.relation is None or t.relation.how is not How.TWO_STRENGTHS:
        return CLEAR
    return (Found(Severity.ACKNOWLEDGE, _describe, t),)


def _describe(t: Terms) -> Words:
    return describe_dose_beside(
        t, lambda before, now, both: f"{describe_mg(before)} and {now} mg: {both} mg a day together"
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No second strength of the same prescriber and day runs."


RULE = Rule(
    code="two-strengths",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_record=True,
    answers=("5", "7"),
    needs_dose=True,
    clears=(CHOICE_AT_THE_COUNTER,),
)
