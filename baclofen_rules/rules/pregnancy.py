"""The patient is pregnant.

Finds: as severely as the profile says, one severity for a patient who is continuing and another for everybody else (a new
start, a restart, or an unknown history). The Lioresal documents forbid it: a stop, but not for a woman who already takes
it, because she must not stop suddenly.
Errs: on the side of asking: an unknown pregnancy is never taken for none, whatever the sex.
Source: the profile's label.
"""

from dataclasses import dataclass

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.profiles.limits import severity
from baclofen_rules.rule import Rule
from baclofen_rules.terms import Terms

PREGNANCY_FACT = "patient.pregnant"


@dataclass(frozen=True, slots=True)
class Limits:
    severity_otherwise: Severity = severity(words="how severe at a start or after a pause")
    severity_continuing: Severity = severity(words="how severe for who goes on")


def check(t: Terms, limits: Limits) -> Answer:
    pregnant = t.patient.pregnant
    if pregnant is None:
        return (Missing((PREGNANCY_FACT,)),)
    if not pregnant:
        return CLEAR
    return (Found(limits.severity_continuing if t.is_continuing else limits.severity_otherwise, _describe, t),)


def _describe(t: Terms) -> Words:
    standing = "unknown" if t.standing is None else str(t.standing)
    return Words(
        "The patient is pregnant and must not stop suddenly; ask the prescriber"
        if t.is_continuing
        else "The patient is pregnant; baclofen is not to be started without need, ask the prescriber",
        f"Pregnancy recorded; standing: {standing}. A newborn can show withdrawal; a taper before delivery is considered.",
        observed={"pregnant": True, "standing": standing},
        limit={"pregnant": False},
        dur=Dur.PREGNANCY,
        detected_issue=DetectedIssue.PREGNANCY,
    )


def explain(t: Terms, limits: Limits) -> str:
    return "Recorded as not pregnant."


RULE = Rule(
    code="pregnancy",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    answers=("5", "9"),
    why_continuing="it protects two",
    clears=("A corrected record, where the pregnancy is recorded wrongly or has ended",),
)
