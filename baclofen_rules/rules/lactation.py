"""The patient is breast-feeding.

Finds: breast-feeding, as severely as the profile says.
Errs: on the side of asking: unknown is never taken for no.
Source: the profile's label.
"""

from dataclasses import dataclass

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.profiles.limits import severity
from baclofen_rules.rule import Rule
from baclofen_rules.terms import Terms

FEEDING_FACT = "patient.breastfeeding"


@dataclass(frozen=True, slots=True)
class Limits:
    severity: Severity = severity()


def check(t: Terms, limits: Limits) -> Answer:
    breastfeeding = t.patient.breastfeeding
    if breastfeeding is None:
        return (Missing((FEEDING_FACT,)),)
    if not breastfeeding:
        return CLEAR
    return (Found(limits.severity, _describe),)


def _describe() -> Words:
    return Words(
        "The patient is breast-feeding; baclofen passes into the milk in small amounts",
        "Breast-feeding recorded. The Lioresal documents want it suspended; other labels ask for care.",
        observed={"breastfeeding": True},
        limit={"breastfeeding": False},
        dur=Dur.LACTATION,
        detected_issue=DetectedIssue.LACTATION,
    )


def explain(t: Terms, limits: Limits) -> str:
    return "Recorded as not breast-feeding."


RULE = Rule(
    code="lactation",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    answers=("2", "5", "9", "10"),
    why_continuing="it protects two",
    clears=("A corrected record, where breastfeeding is recorded wrongly or has ended",),
)
