"""A dose that cannot be made of whole tablets, or of halves where the tablet halves evenly.

Finds: a stop when a dose is not a whole number of tablets, nor of half tablets of a strength that may be halved.
Errs: on the side of stopping; the 25 mg tablet is not halved, because its labels disagree on what the line is for.
Source: the profile's list of strengths that may be halved.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import numbers
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import FORM_FACT, STRENGTH_FACT, Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    halvable_mg: tuple[Decimal, ...] = numbers("mg", 1, 100, words="strengths whose tablets may be halved")


def check(t: Terms, limits: Limits) -> Answer:
    order = t.order
    if order is None or order.strength_mg is None:
        return (Missing((STRENGTH_FACT,)),)
    strength = order.strength_mg
    smallest = strength / 2 if strength in limits.halvable_mg else strength
    for number, phase in enumerate(t.phases, start=1):
        for dose in phase.doses[:1] if phase.is_even else phase.doses:
            if dose % smallest:
                return (Found(Severity.STOP, _describe, number, dose, strength, smallest),)
    return CLEAR if order.form is not None else (Missing((FORM_FACT,)),)


def _describe(number: int, dose: Decimal, strength: Decimal, smallest: Decimal) -> Words:
    part = "halves" if smallest < strength else "whole tablets"
    count = format_amount(round(dose / strength, 3))
    return Words(
        f"{format_amount(dose)} mg cannot be made of {part} of the {format_amount(strength)} mg tablet",
        f"Phase {number}: {format_amount(dose)} mg / {format_amount(strength)} mg = {count} tablets; this tablet gives {part} only.",
        observed={"dose_mg": format_amount(dose), "tablets": count},
        limit={"strength_mg": format_amount(strength), "smallest_mg": format_amount(smallest)},
        dur=Dur.DOSAGE_FORM,
        detected_issue=DetectedIssue.DOSE,
    )


def explain(t: Terms, limits: Limits) -> str:
    strength = None if t.order is None else t.order.strength_mg
    halves = "may be halved" if strength in limits.halvable_mg else "is taken whole"
    return f"Every dose can be made of the {format_amount(strength or Decimal(0))} mg tablet, which {halves}."


RULE = Rule(
    code="measurable-dose",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    is_about_product=True,
    answers=("5",),
    needs_dose=True,
    clears=("Doses of whole or half tablets: multiples of {smallest_mg}, or tablets of another strength",),
)
