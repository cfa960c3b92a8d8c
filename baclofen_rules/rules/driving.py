"""The patient drives or works with machines.

Finds: recorded driving or work with machines, as severely as the profile says; where the dose does not rise, as information, and so where nobody recorded it.
Errs: on the side of a word too many; the warning on the label is printed whether or not this rule speaks.
Source: the profile's label.
"""

from dataclasses import dataclass

from baclofen_rules.findings import CLEAR, Answer, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.profiles.limits import severity
from baclofen_rules.rule import OnContinuing, Rule
from baclofen_rules.terms import Terms

DRIVING_FACT = "patient.drives"


@dataclass(frozen=True, slots=True)
class Limits:
    severity: Severity = severity()


def check(t: Terms, limits: Limits) -> Answer:
    drives = t.patient.drives
    if drives is None:
        return (Found(Severity.INFORMATION, _describe_unknown),) if t.goes_on else (Missing((DRIVING_FACT,)),)
    if not drives:
        return CLEAR
    return (Found(limits.severity, _describe),)


def _describe() -> Words:
    return Words(
        "The patient drives or works with machines; baclofen makes drowsy",
        "Driving recorded. Lioresal documents: no driving during treatment; other labels: not while affected.",
        observed={"drives": True},
        limit={"drives": False},
        dur=Dur.EDUCATION,
    )


def _describe_unknown() -> Words:
    return Words(
        "Not known: does the patient drive or work with machines",
        "Nothing recorded about driving. The dose does not rise; asked when it does.",
        observed={"drives": None},
        limit={"drives": False},
        dur=Dur.EDUCATION,
    )


def explain(t: Terms, limits: Limits) -> str:
    return "Recorded as not driving."


RULE = Rule(
    code="driving",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    answers=("3", "10"),
    on_continuing=OnContinuing.TOLD,
    why_continuing="who takes the same dose as before knows its effect; the warning is on each label, and a rise asks",
    rests_on=("drives",),
    clears=("A corrected record, where driving is recorded wrongly",),
)
