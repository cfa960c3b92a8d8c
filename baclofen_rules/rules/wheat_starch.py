"""A wheat allergy meets a tablet with wheat starch.

Finds: a recorded wheat allergy and a product of a brand that holds wheat starch, ordered or picked, as severely as the profile says (nothing where
the brand is not sold). The brand of the scanned pack goes before that of the order. Coeliac disease is another matter and is not
looked for.
Errs: on the side of saying so: with a wheat allergy and no stated brand it is not assessed.
Source: the Austrian and Belgian product texts: 61 and 83 mg wheat starch a tablet.
"""

from dataclasses import dataclass

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import holds_allergen, names_allergen
from baclofen_rules.profiles.limits import severity
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import ALLERGY_FACT, Terms
from baclofen_rules.words import clip

BRAND_FACT = "prescription.brand"


@dataclass(frozen=True, slots=True)
class Limits:
    severity: Severity | None = severity(none=True)


def check(t: Terms, limits: Limits) -> Answer:
    if limits.severity is None:
        return CLEAR
    allergies = t.patient.allergies
    if allergies is not None and not allergies:
        return CLEAR
    ordered, picked = None if t.order is None else t.order.brand, t.case.picked
    brand = ordered if picked is None or picked.brand is None else picked.brand
    if brand is not None and not holds_allergen(brand, t.case.medicine):
        return CLEAR
    if allergies is None:
        return (Missing((ALLERGY_FACT,) if brand is not None else (ALLERGY_FACT, BRAND_FACT)),)
    named = [clip(allergy) for allergy in allergies if names_allergen(allergy, t.case.medicine)]
    if not named:
        return CLEAR
    if brand is None:
        return (Missing((BRAND_FACT,)),)
    return (Found(limits.severity, _describe, named, brand),)


def _describe(named: list[str], brand: str) -> Words:
    return Words(
        f"A wheat allergy is recorded ({named[0]}) and {clip(brand)} tablets hold wheat starch",
        f"Allergies: {', '.join(named)}; brand: {clip(brand)}. Generic tablets usually hold lactose instead.",
        observed={"allergies": named, "brand": brand},
        limit={"allergies": []},
        dur=Dur.ALLERGY,
        detected_issue=DetectedIssue.ALLERGY,
    )


def explain(t: Terms, limits: Limits) -> str:
    return "No wheat allergy, or no tablet with wheat starch."


RULE = Rule(
    code="wheat-starch",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    is_about_product=True,
    answers=("2", "3", "19"),
    clears=("A brand without wheat starch",),
)
