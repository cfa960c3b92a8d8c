"""A dose as needed beside a regular one, of the same prescriber.

Finds: an acknowledgement when one of the two is as needed: both go on.
Errs: on the side of the sum for the most of a day, of nothing for withdrawal: what is taken cannot be known.
Source: design.
"""

from decimal import Decimal

from baclofen_rules.course_words import describe_dose_beside, describe_mg
from baclofen_rules.findings import CLEAR, Answer, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.therapy import How
from baclofen_rules.words import CHOICE_AT_THE_COUNTER


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.relation is None or t.relation.how is not How.AS_NEEDED:
        return CLEAR
    return (Found(Severity.ACKNOWLEDGE, _describe, t),)


def _describe(t: Terms) -> Words:
    is_new_as_needed = t.order is not None and t.order.as_needed

    def summarize(before: Decimal, now: str, both: str) -> str:
        regular, as_needed = (
            (describe_mg(before), f"{now} mg") if is_new_as_needed else (f"{now} mg", describe_mg(before))
        )
        return f"{regular} a day, and up to {as_needed} as needed: at most {both} mg a day"

    return describe_dose_beside(t, summarize)


def explain(t: Terms, limits: NoLimits) -> str:
    return "No dose as needed meets a regular one of the same prescriber."


RULE = Rule(
    code="as-needed-beside",
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
