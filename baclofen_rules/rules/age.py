"""The age is outside of what the profile's documents allow, or is not known.

Finds: as severely as the profile says for the age: the default documents forbid it under 4 (a stop) and ask for close
supervision from 4 to under 12; the American label has no experience under 12. An unknown age is an override everywhere.
The withdrawal guard turns the stop into an override for a continuing patient whose dose does not rise.
Errs: on the side of asking; the guard needs a recorded supply.
Source: the profile's label.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Facts, Found, Severity, Words
from baclofen_rules.profiles.limits import Bands, severity_by_age
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import GUARD


@dataclass(frozen=True, slots=True)
class Limits:
    severity: Bands[Severity] = severity_by_age()


def check(t: Terms, limits: Limits) -> Answer:
    if t.age is None:
        return (Found(Severity.OVERRIDE, _unknown),)
    severity = limits.severity.at(t.age)
    if severity is None:
        return CLEAR
    guarded = severity is Severity.STOP and t.is_guarded
    return (Found(Severity.OVERRIDE if guarded else severity, _describe, t.age, limits, severity, guarded),)


def _unknown() -> Words:
    return Words(
        "The age is not known; limits by age cannot be applied",
        "Neither birth_date nor age_years is recorded.",
        observed={"age_years": None},
        limit={"ages": None},
        dur=Dur.AGE,
        detected_issue=DetectedIssue.AGE,
    )


def _describe(age: Decimal, limits: Limits, severity: Severity, guarded: bool) -> Words:
    years = format_amount(age)
    band = next(str(ages) for ages, _ in limits.severity.rows if ages.holds(age))
    forbidden = severity is Severity.STOP
    advice = "not to be given" if forbidden else "only under close supervision"
    return Words(
        f"The patient is {years} years old; {band}: {advice}",
        f"Age {years} years falls in the band {band}.{' ' + GUARD if guarded else ''}",
        observed={"age_years": years},
        limit={"ages": band},
        dur=Dur.AGE,
        detected_issue=DetectedIssue.AGE if forbidden and not guarded else DetectedIssue.PAEDIATRIC,
    )


def explain(t: Terms, limits: Limits) -> str:
    return f"The patient is {'unknown' if t.age is None else format_amount(t.age)} years old; no limit at this age."


def choose_clearing(observed: Facts, limit: Facts) -> str:
    return "The date of birth in the patient\u2019s record" if limit["ages"] is None else ""


RULE = Rule(
    code="age",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5", "2"),
    why_continuing="a child wants close supervision at each supply",
    nothing_clears="the age stays as it is",
    choose_clearing=choose_clearing,
)
