"""A child too light for tablets.

Finds: an override when the weight is below the least weight of the age, or is not recorded at an age that has one.
Errs: on the side of asking: a missing weight is treated as too low.
Source: the British label: tablets are not suitable below 33 kg.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import AGE_FACT, Bands, by_age
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import WEIGHT_FACT, Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    min_kg: Bands[Decimal] = by_age("kg", 1, 100, words="least weight for tablets")


def check(t: Terms, limits: Limits) -> Answer:
    weight = t.patient.weight_kg
    limit = limits.min_kg.verdict(lambda least: weight is None or weight < least, t.age)
    if limit is None:
        return CLEAR
    if isinstance(limit, Missing):
        return (Missing((AGE_FACT, WEIGHT_FACT)) if weight is None else limit,)
    return (Found(Severity.OVERRIDE, _describe, t, limit, weight),)


def _describe(t: Terms, limit: Decimal, weight: Decimal | None) -> Words:
    least = format_amount(limit)
    actual = None if weight is None else format_amount(weight)
    return Words(
        f"{actual} kg is below the {least} kg from which tablets are suitable"
        if actual
        else f"The weight is not known; tablets are suitable from {least} kg",
        f"Weight: {actual or 'not recorded'}; tablets from {least} kg {t.age_words}.",
        observed={"weight_kg": actual},
        limit={"weight_kg": least},
        dur=Dur.AGE,
        detected_issue=DetectedIssue.WEIGHT,
    )


def explain(t: Terms, limits: Limits) -> str:
    actual = "unknown" if t.patient.weight_kg is None else f"{format_amount(t.patient.weight_kg)} kg"
    return f"Weight {actual}; least weight for tablets: {limits.min_kg} kg."


RULE = Rule(
    code="tablet-weight",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5",),
    why_continuing="a child grows: the weight is looked at each time",
    clears=("A weight of {weight_kg} or more in the patient\u2019s record, where that is right",),
)
