"""The medicine is not to be taken by mouth.

Finds: a stop when the route is anything but oral, or is not stated.
Errs: on the side of stopping; a missing route is not taken for oral, because the pump's doses look like the tablets'.
Source: design; oral and intrathecal amounts differ a hundredfold and more, with the same digits.
"""

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.rule import NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.words import clip


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.is_oral:
        return CLEAR
    return (Found(Severity.STOP, _describe, t),)


def _describe(t: Terms) -> Words:
    route = "" if t.order is None else t.order.route or ""
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


def explain(t: Terms, limits: NoLimits) -> str:
    return "The route is oral."


RULE = Rule(
    code="route",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    answers=("5",),
    switches_off=True,
)
