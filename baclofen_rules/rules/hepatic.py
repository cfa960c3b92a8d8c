"""A liver disease is recorded.

Finds: for information, a recorded liver disease.
Errs: on the side of quiet: the liver plays little part in clearing baclofen.
Source: the Swiss and British texts.
"""

from baclofen_rules.facts import Condition
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.rule import NoLimits, Rule
from baclofen_rules.terms import Terms


def check(t: Terms, limits: NoLimits) -> Answer:
    lacking: Answer = (Missing(t.unmapped_conditions),) if t.unmapped_conditions else CLEAR
    if Condition.LIVER_DISEASE not in t.conditions:
        return lacking
    return (Found(Severity.INFORMATION, _describe), *lacking)


def _describe() -> Words:
    return Words(
        "A liver disease is recorded; liver tests are checked from time to time",
        "Liver disease recorded. The liver plays little part in clearing baclofen; labels ask for periodic tests.",
        observed={"conditions": [str(Condition.LIVER_DISEASE)]},
        limit={"conditions": []},
        dur=Dur.DISEASE_REPORTED,
        detected_issue=DetectedIssue.CONDITION,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No liver disease is recorded."


RULE = Rule(
    code="hepatic",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    clears=("A corrected record, where the liver disease is recorded wrongly",),
)
