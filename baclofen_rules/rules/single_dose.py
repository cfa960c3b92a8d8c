"""A single dose that is too large.

Finds: an override when any one dose of any phase is above the single-dose limit; uneven doses count by their largest.
Errs: on the side of asking: a night dose is no exception.
Source: the profile's daily maximum divided into its usual doses.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import format_doses


@dataclass(frozen=True, slots=True)
class Limits:
    max_mg: Decimal = number("mg", 5, 200, words="largest single dose")


def check(t: Terms, limits: Limits) -> Answer:
    if t.largest_dose_mg <= limits.max_mg:
        return CLEAR
    return (Found(Severity.OVERRIDE, _describe, t, limits),)


def _describe(t: Terms, limits: Limits) -> Words:
    number_, phase = max(enumerate(t.phases, start=1), key=lambda numbered: numbered[1].largest_dose)
    largest, most = format_amount(phase.largest_dose), format_amount(limits.max_mg)
    return Words(
        f"{largest} mg at one time is above the {most} mg single dose",
        f"Phase {number_}: {format_doses(phase)}; the largest dose is {largest} mg, limit: {most} mg.",
        observed={"dose_mg": largest},
        limit={"dose_mg": most},
        dur=Dur.HIGH_DOSE,
        detected_issue=DetectedIssue.DOSE_HIGH,
    )


def explain(t: Terms, limits: Limits) -> str:
    largest = max(phase.largest_dose for phase in t.phases)
    return f"The largest single dose is {format_amount(largest)} mg, not above {format_amount(limits.max_mg)} mg."


RULE = Rule(
    code="single-dose",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5", "6", "22"),
    needs_dose=True,
    clears=("At most {dose_mg}",),
)
