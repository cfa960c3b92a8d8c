"""The patient drinks alcohol.

Finds: recorded current alcohol use, as severely as the profile says. Information where baclofen is taken for alcohol dependence:
that is known, and treated.
Errs: on the side of asking; the warning on the label is printed whether or not this rule speaks.
Source: the profile's label.
"""

from dataclasses import dataclass

from baclofen_rules.facts import Indication
from baclofen_rules.findings import CLEAR, Answer, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.profiles.limits import severity
from baclofen_rules.rule import OnContinuing, Rule
from baclofen_rules.terms import Terms

ALCOHOL_FACT = "patient.alcohol_use"


@dataclass(frozen=True, slots=True)
class Limits:
    severity: Severity = severity()


def check(t: Terms, limits: Limits) -> Answer:
    drinks = t.patient.alcohol_use
    if drinks is None:
        return (Missing((ALCOHOL_FACT,)),)
    if not drinks:
        return CLEAR
    is_treated = t.patient.indication is Indication.ALCOHOL_DEPENDENCE
    return (Found(Severity.INFORMATION if is_treated else limits.severity, _describe),)


def _describe() -> Words:
    return Words(
        "Alcohol use is recorded; it adds to the sedation by baclofen in a way nobody can foresee",
        "Current alcohol use recorded. Advise against alcohol; ask about the amount.",
        observed={"alcohol_use": True},
        limit={"alcohol_use": False},
        dur=Dur.ALCOHOL,
    )


def explain(t: Terms, limits: Limits) -> str:
    return "No alcohol use is recorded."


RULE = Rule(
    code="alcohol",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    answers=("2", "3", "10"),
    on_continuing=OnContinuing.INFORMATION,
    rests_on=("alcohol_use",),
    clears=("A corrected record, where the use of alcohol is recorded wrongly",),
)
