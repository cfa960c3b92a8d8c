"""The tablet that was picked is not the tablet that was prescribed.

Finds: a stop when the scanned strength differs from the strength on the prescription.
Errs: on the side of stopping; even where the doses could be made up of the other strength, the directions would be wrong.
Source: design.
"""

from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import STRENGTH_FACT, Terms
from baclofen_rules.text import format_amount

PICKED_FACT = "picked.strength_mg"


def check(t: Terms, limits: NoLimits) -> Answer:
    picked = None if t.case.picked is None else t.case.picked.strength_mg
    prescribed = None if t.order is None else t.order.strength_mg
    if picked is None or prescribed is None:
        facts = (PICKED_FACT,) if picked is None else ()
        return (Missing((*facts, STRENGTH_FACT) if prescribed is None else facts),)
    if picked == prescribed:
        return CLEAR
    return (Found(Severity.STOP, _describe, picked, prescribed),)


def _describe(picked: Decimal, prescribed: Decimal) -> Words:
    return Words(
        f"{format_amount(picked)} mg tablets were picked, {format_amount(prescribed)} mg tablets are prescribed",
        f"Scanned: {format_amount(picked)} mg; prescription: {format_amount(prescribed)} mg. Put the pack back and pick again.",
        observed={"strength_mg": format_amount(picked)},
        limit={"strength_mg": format_amount(prescribed)},
        dur=Dur.MISSING_INFORMATION,
        detected_issue=DetectedIssue.NOT_EQUIVALENT,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "The scanned strength is the prescribed one."


RULE = Rule(
    code="pick",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    is_about_product=True,
    answers=("19",),
    clears=("A pack of {strength_mg}",),
)
