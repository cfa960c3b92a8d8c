"""A weight or an eGFR that nobody of this age has.

Finds: an override when the weight lies outside of the plausible range of the age, or the eGFR above it.
Errs: on the side of asking; with an unknown age it says so where a value is implausible at some age only.
Source: design; the ranges are far outside of growth charts and of normal kidney function.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import Bands, by_age, number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    least_weight_kg: Bands[Decimal] = by_age("kg", 0.3, 100, none=False, words="lightest plausible weight")
    most_weight_kg: Bands[Decimal] = by_age("kg", 1, 700, none=False, words="heaviest plausible weight")
    most_egfr: Bands[Decimal] = by_age("mL/min/1.73m2", 50, 300, none=False, words="highest plausible eGFR")
    least_possible_share: Decimal = number(
        "fraction", 0.1, 1, words="share of the lightest plausible weight under which a weight is impossible"
    )


def possible_weights(age: Decimal | None, limits: Limits) -> tuple[Decimal, Decimal] | None:
    """Return the kg between which a weight can be recorded at an age; None where the age is unknown.

    Below the least plausible weight an ill person may still be: from a share of it on a weight is taken, and asked about.
    """
    least, most = limits.least_weight_kg.at(age), limits.most_weight_kg.at(age)
    return None if least is None or most is None else (least * limits.least_possible_share, most)


def check(t: Terms, limits: Limits) -> Answer:
    return tuple(_check_facts(t, limits))


def _check_facts(t: Terms, limits: Limits) -> Iterator[Found | Missing]:
    weight, egfr = t.patient.weight_kg, t.patient.egfr
    verdicts = []
    if weight is not None:
        verdicts.append(("a weight of", weight, "kg", limits.least_weight_kg.under(weight, t.age)))
        verdicts.append(("a weight of", weight, "kg", limits.most_weight_kg.over(weight, t.age)))
    if egfr is not None:
        verdicts.append(("an eGFR of", egfr, "mL/min/1.73 m2", limits.most_egfr.over(egfr, t.age)))
    for name, value, unit, verdict in verdicts:
        if isinstance(verdict, Missing):
            yield verdict
        elif verdict is not None:
            yield Found(Severity.OVERRIDE, _describe, t, name, value, unit, verdict)


def _describe(t: Terms, name: str, value: Decimal, unit: str, bound: Decimal) -> Words:
    amount, most = format_amount(value), format_amount(bound)
    side = "above" if value > bound else "below"
    return Words(
        f"{name[0].upper()}{name[1:]} {amount} {unit} {t.age_words} is not plausible",
        f"Recorded: {name} {amount} {unit} {t.age_words}, {side} {most} {unit}. Look at the unit and the digits, and correct the record.",
        observed={"value": amount, "unit": unit},
        limit={"value": most},
        dur=Dur.MISSING_INFORMATION,
        detected_issue=DetectedIssue.WEIGHT if unit == "kg" else DetectedIssue.LAB,
    )


def explain(t: Terms, limits: Limits) -> str:
    return f"The recorded weight and eGFR are plausible {t.age_words}, or are not known."


RULE = Rule(
    code="implausible-fact",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("2", "4"),
    clears=("A corrected value in the patient\u2019s record",),
)
