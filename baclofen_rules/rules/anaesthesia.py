"""An operation or anaesthesia is planned.

Finds: an acknowledgement where one is recorded.
Errs: on the side of silence: where nobody recorded one, nothing is said.
Source: baclofen adds to anaesthetics and muscle relaxants; stopped for an operation it brings on withdrawal.
"""

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.rule import NoLimits, OnContinuing, Rule
from baclofen_rules.terms import Terms


def check(t: Terms, limits: NoLimits) -> Answer:
    if not t.patient.anaesthesia_planned:
        return CLEAR
    return (Found(Severity.ACKNOWLEDGE, _describe),)


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
    serves=(BACLOFEN,),
    answers=("3", "4"),
    on_continuing=OnContinuing.INFORMATION,
    rests_on=("anaesthesia_planned",),
    clears=("A corrected record, where the planned anaesthesia is recorded wrongly or is over",),
)
