"""The pack that was picked is out of date, or does not say until when it may be used.

Finds: a stop when the last day of use of the scanned pack is over.
Errs: on the side of asking: a pack that states no expiry date is not assessed. Before the scan there is no pack to look at.
Source: design; an expired medicine is not supplied.
"""

from datetime import date

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms

EXPIRY_FACT = "picked.expires_on"


def check(t: Terms, limits: NoLimits) -> Answer:
    picked, on = t.case.picked, t.case.on
    if picked is None:
        return CLEAR
    if picked.expires_on is None:
        return (Missing((EXPIRY_FACT,)),)
    return (Found(Severity.STOP, _describe, picked.expires_on, on),) if picked.expires_on < on else CLEAR


def _describe(expires_on: date, on: date) -> Words:
    return Words(
        f"The pack that was picked expired on {expires_on}",
        f"Last day of use: {expires_on}; today: {on}. Take the pack off the shelf and pick another.",
        observed={"expires_on": str(expires_on)},
        limit={"expires_on": str(on)},
        dur=Dur.PRODUCT_SELECTION,
        detected_issue=DetectedIssue.PRODUCT,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No pack was picked yet." if t.case.picked is None else "The pack that was picked is in date."


RULE = Rule(
    code="pack-expiry",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    is_about_product=True,
    answers=("19",),
    clears=("A pack that expires on {expires_on} or later",),
)
