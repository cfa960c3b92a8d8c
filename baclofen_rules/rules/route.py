"""The medicine is not to be taken by mouth.

Finds: a stop when the route is anything but oral, is not stated, or when the name of the ordered product is one for the spine.
Errs: on the side of stopping; a missing route is not taken for oral, because the pump's doses look like the tablets'.
Source: design; oral and intrathecal amounts differ a hundredfold and more, with the same digits.
"""

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.products import names_intrathecal
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.words import clip


def check(t: Terms, limits: NoLimits) -> Answer:
    order = t.order
    if not t.is_oral:
        return (Found(Severity.STOP, _describe, "" if order is None else order.route or ""),)
    names = () if order is None else (None if order.medicine is None else order.medicine.name, order.brand)
    named = next((name for name in names if name is not None and names_intrathecal(name, t.case.medicine)), None)
    return CLEAR if named is None else (Found(Severity.STOP, _describe_name, named),)


def _describe(route: str) -> Words:
    summary = (
        f"The route is {clip(route)}; these tablets are only for use by mouth"
        if route
        else "No route is stated; these tablets are only for use by mouth"
    )
    return Words(
        summary,
        f"Route on the prescription: {clip(route) or 'none'}; expected: oral. No dose can be believed until it is clear.",
        observed={"route": route or None},
        limit={"route": "oral"},
        dur=Dur.MISSING_INFORMATION,
        detected_issue=DetectedIssue.DOSE,
    )


def _describe_name(name: str) -> Words:
    return Words(
        f"{clip(name)} is for use by the intrathecal route; these tablets are only for use by mouth",
        f"Product on the prescription: {clip(name)}; route: oral. No dose can be believed until it is clear.",
        observed={"medicine": name},
        limit={"route": "oral"},
        dur=Dur.MISSING_INFORMATION,
        detected_issue=DetectedIssue.DOSE,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "The route is oral."


RULE = Rule(
    code="route",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5",),
    switches_off=True,
    clears=("An order to be taken by mouth",),
)
