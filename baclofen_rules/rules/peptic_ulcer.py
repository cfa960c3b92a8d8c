"""An active peptic ulcer is recorded.

Finds: a recorded peptic ulcer, as severely as the profile says.
Errs: on the side of saying so: a coded condition that nobody has mapped is reported as not assessed.
Source: the contraindication of the British label.
"""

from dataclasses import dataclass

from baclofen_rules.facts import Condition
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.profiles.limits import severity
from baclofen_rules.rule import OnContinuing, Rule
from baclofen_rules.terms import Terms


@dataclass(frozen=True, slots=True)
class Limits:
    severity: Severity = severity()


def check(t: Terms, limits: Limits) -> Answer:
    lacking: Answer = (Missing(t.unmapped_conditions),) if t.unmapped_conditions else CLEAR
    if Condition.PEPTIC_ULCER not in t.conditions:
        return lacking
    return (Found(limits.severity, _describe), *lacking)


def _describe() -> Words:
    return Words(
        "A peptic ulcer is recorded; baclofen can stimulate gastric acid",
        "Peptic ulcer recorded. The British label names it as a contraindication.",
        observed={"conditions": [str(Condition.PEPTIC_ULCER)]},
        limit={"conditions": []},
        dur=Dur.DISEASE_REPORTED,
        detected_issue=DetectedIssue.CONDITION,
    )


def explain(t: Terms, limits: Limits) -> str:
    return "No peptic ulcer is recorded."


RULE = Rule(
    code="peptic-ulcer",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    answers=("2", "5", "9"),
    on_continuing=OnContinuing.INFORMATION,
    rests_on=("conditions",),
    clears=("A corrected record, where the condition is recorded wrongly",),
)
