"""The age is outside of what the profile's documents allow, or is not known.

Finds: as severely as the profile says for the age: the Lioresal documents forbid it under 4 (a stop) and ask for close
supervision from 4 to under 12; the American label has no experience under 12. An unknown age is an override everywhere.
The withdrawal guard turns the stop into an override for a continuing patient whose dose does not rise.
Errs: on the side of asking; the guard needs a recorded supply.
Source: the profile's label.
"""

from dataclasses import dataclass

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity
from baclofen_rules.profiles.limits import Bands, severity_by_age
from baclofen_rules.regimen import plain
from baclofen_rules.terms import Terms
from baclofen_rules.words import GUARD

CODE = "age"
ANSWERS = ("5", "2")


@dataclass(frozen=True, slots=True)
class Limits:
    severity: Bands[Severity] = severity_by_age()


def check(t: Terms, limits: Limits) -> Answer:
    if t.age is None:
        return (
            _found(
                Severity.OVERRIDE,
                "The age is not known; limits by age cannot be applied",
                "Neither birth_date nor age_years is recorded.",
                (None, None),
            ),
        )
    severity = limits.severity.at(t.age)
    if severity is None:
        return CLEAR
    years = plain(t.age)
    band = next(str(ages) for ages, _ in limits.severity.rows if ages.holds(t.age))
    guarded = severity is Severity.STOP and t.is_guarded
    advice = "not to be given" if severity is Severity.STOP else "only under close supervision"
    return (
        _found(
            Severity.OVERRIDE if guarded else severity,
            f"The patient is {years} years old; {band}: {advice}",
            f"Age {years} years falls in the band {band}.{' ' + GUARD if guarded else ''}",
            (years, band),
        ),
    )


def _found(severity: Severity, summary: str, detail: str, seen: tuple[str | None, str | None]) -> Found:
    years, band = seen
    child = DetectedIssue.AGE if years is None or severity is Severity.STOP else DetectedIssue.PAEDIATRIC
    return Found(severity, summary, detail, {"age_years": years}, {"ages": band}, Dur.AGE, child)


def explain(t: Terms, limits: Limits) -> str:
    return f"The patient is {'unknown' if t.age is None else plain(t.age)} years old; no limit at this age."
