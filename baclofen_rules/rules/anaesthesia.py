"""An operation or anaesthesia is planned.

Finds: an acknowledgement where one is recorded; information for a continuing patient whose dose does not rise, where it was on record
before the last supply.
Errs: on the side of silence: where nobody recorded one, nothing is said.
Source: baclofen adds to anaesthetics and muscle relaxants; stopped for an operation it brings on withdrawal.
"""

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.rule import NoLimits, Rule
from baclofen_rules.terms import Terms


def check(t: Terms, limits: NoLimits) -> Answer:
    if not t.patient.anaesthesia_planned:
        return CLEAR
    is_answered = t.goes_on_with("anaesthesia_planned")
    return (Found(Severity.INFORMATION if is_answered else Severity.ACKNOWLEDGE, _describe),)


def _describe() -> Words:
    return Words(
        "An anaesthesia is planned: the anaesthetist must know, and the tablets must not be stopped for it",
        "Planned operation or anaesthesia recorded. Baclofen adds to anaesthetics and muscle relaxants; left out before an operation it brings "
        "on withdrawal. See that the supply lasts beyond the day.",
        observed={"anaesthesia_planned": True},
        limit={"anaesthesia_planned": False},
        dur=Dur.EDUCATION,
        detected_issue=DetectedIssue.CONDITION,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No anaesthesia is recorded as planned."


RULE = Rule(
    code="anaesthesia",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    answers=("3", "4"),
)
