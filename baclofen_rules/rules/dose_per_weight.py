"""A daily dose above the maximum for the weight.

Finds: an override when the highest daily dose divided by the weight is above the limit of the age (children only).
Errs: on the side of saying so: without a weight it is not assessed.
Source: the British label for children.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import AGE_FACT, Bands, by_age
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import WEIGHT_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import format_doses, highest_phase


@dataclass(frozen=True, slots=True)
class Limits:
    max_mg_per_kg_per_day: Bands[Decimal] = by_age("mg/kg/day", 0.1, 20, words="most of the daily dose by weight")


def check(t: Terms, limits: Limits) -> Answer:
    bands, weight = limits.max_mg_per_kg_per_day, t.patient.weight_kg
    if weight is None:
        if t.age is not None:
            return CLEAR if bands.at(t.age) is None else (Missing((WEIGHT_FACT,)),)
        return CLEAR if all(limit is None for _, limit in bands.rows) else (Missing((AGE_FACT, WEIGHT_FACT)),)
    limit = bands.verdict(lambda most: t.highest_mg > most * weight, t.age)
    if limit is None:
        return CLEAR
    if isinstance(limit, Missing):
        return (limit,)
    return (Found(Severity.OVERRIDE, _describe, t, limit, weight),)


def _describe(t: Terms, limit: Decimal, weight: Decimal) -> Words:
    number, phase = highest_phase(t.phases)
    ratio = format_amount(round(t.highest_mg / weight, 2))
    return Words(
        f"{ratio} mg/kg a day is above the {format_amount(limit)} mg/kg maximum at this age",
        f"Phase {number}: {format_doses(phase)} / {format_amount(weight)} kg = {ratio} mg/kg a day; "
        f"{format_amount(limit)} mg/kg is {format_amount(limit * weight)} mg a day.",
        observed={"mg_per_kg_per_day": ratio},
        limit={"mg_per_kg_per_day": format_amount(limit), "mg_per_day": format_amount(limit * weight)},
        dur=Dur.HIGH_DOSE,
        detected_issue=DetectedIssue.DOSE_HIGH_FOR_WEIGHT,
    )


def explain(t: Terms, limits: Limits) -> str:
    weight = "unknown" if t.patient.weight_kg is None else f"{format_amount(t.patient.weight_kg)} kg"
    return (
        f"{format_amount(t.highest_mg)} mg a day, weight {weight}; limits: {limits.max_mg_per_kg_per_day} mg/kg a day."
    )


RULE = Rule(
    code="dose-per-weight",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5", "6", "22"),
    needs_dose=True,
    why_continuing="no answer makes a dose above the limit an ordinary one",
    clears=("{mg_per_day} or less, which is {mg_per_kg_per_day}",),
)
