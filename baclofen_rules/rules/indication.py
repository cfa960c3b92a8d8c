"""Baclofen is for something else than spasticity.

Finds: an acknowledgement where the record says that it is for alcohol dependence or another use, and the medicine is begun or the
dose rises; information for who goes on as before.
Errs: on the side of silence: without a recorded use nothing is said, since orders seldom name one.
Source: the labels name spasticity alone; the source documents mention other uses in passing.
"""

from baclofen_rules.facts import Indication
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.rule import NoLimits, OnContinuing, Rule
from baclofen_rules.terms import Terms


def check(t: Terms, limits: NoLimits) -> Answer:
    indication = t.patient.indication
    if indication in (None, Indication.SPASTICITY):
        return CLEAR
    return (Found(Severity.INFORMATION if t.goes_on else Severity.ACKNOWLEDGE, _describe, indication),)


def _describe(indication: Indication) -> Words:
    use = "alcohol dependence" if indication is Indication.ALCOHOL_DEPENDENCE else "another use than spasticity"
    return Words(
        f"Recorded as taken for {use}: the label does not name it",
        f"Recorded use: {indication.label.lower()}; the label: spasticity. The doses and limits here are those of spasticity: agree on "
        "dose, length and follow-up with the prescriber.",
        observed={"indication": str(indication)},
        limit={"indication": str(Indication.SPASTICITY)},
        dur=Dur.DISEASE_REPORTED,
        detected_issue=DetectedIssue.CONDITION,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No other use than spasticity is recorded."


RULE = Rule(
    code="indication",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    answers=("22", "5"),
    on_continuing=OnContinuing.INFORMATION,
    rests_on=("indication",),
    clears=("Spasticity as the indication in the patient\u2019s record, where that is what it is for",),
)
