"""The prescribed tablet strength does not exist in the profile's documents.

Finds: a strength that is not in the profile's list, as severely as the profile says.
Errs: on the side of asking: a strength known elsewhere (20 mg in the United States) is still not one of this profile's.
Source: the profile's strengths.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import numbers, severity
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import STRENGTH_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import join_words


@dataclass(frozen=True, slots=True)
class Limits:
    strengths_mg: tuple[Decimal, ...] = numbers("mg", 1, 100, words="strengths that are dispensed")
    severity: Severity = severity()


def check(t: Terms, limits: Limits) -> Answer:
    strength = None if t.order is None else t.order.strength_mg
    if strength is None:
        return (Missing((STRENGTH_FACT,)),)
    if strength in limits.strengths_mg:
        return CLEAR
    return (Found(limits.severity, _describe, strength, limits),)


def _describe(strength: Decimal, limits: Limits) -> Words:
    strengths = [format_amount(strength_mg) for strength_mg in limits.strengths_mg]
    return Words(
        f"{format_amount(strength)} mg is no tablet strength of this profile, which knows {join_words(strengths)} mg",
        f"Prescribed strength: {format_amount(strength)} mg; strengths of the profile: {', '.join(strengths)} mg.",
        observed={"strength_mg": format_amount(strength)},
        limit={"strengths_mg": strengths},
        dur=Dur.PRODUCT_SELECTION,
        detected_issue=DetectedIssue.PRODUCT,
    )


def explain(t: Terms, limits: Limits) -> str:
    return (
        f"The strength is one of {join_words([format_amount(strength_mg) for strength_mg in limits.strengths_mg])} mg."
    )


RULE = Rule(
    code="strength",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    is_about_product=True,
    answers=("5", "19"),
    clears=(
        "An order for tablets of {strengths_mg}",
        "An order that names the strength of its tablets",
    ),
)
