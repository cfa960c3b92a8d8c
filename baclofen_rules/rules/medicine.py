"""The order or the pack is of another medicine than the one of the rules.

Finds: a stop when the medicine or the brand of the order or of the scanned pack names anything but that medicine: another one,
a relative of it, a modified-release form, or a name without it as a whole word.
Errs: on the side of stopping; a brand alone may be a maker's name and stops only where it names another medicine. An order
or a pack that names nothing is not assessed.
Source: design; every number of the rule book is one of its medicine.
"""

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import OwnMedicine
from baclofen_rules.products import Identity, OrderedMedicine, identify
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.words import clip

ORDERED, PICKED = "prescription", "picked"


def check(t: Terms, limits: NoLimits) -> Answer:
    order, picked = t.order, t.case.picked
    answer = CLEAR if order is None else _check_product(ORDERED, order.medicine, order.brand, t.case.medicine)
    return answer if picked is None else answer + _check_product(PICKED, picked.medicine, picked.brand, t.case.medicine)


def _check_product(place: str, medicine: OrderedMedicine | None, brand: str | None, own: OwnMedicine) -> Answer:
    identity, text = identify(medicine, brand, own)
    if identity is Identity.OWN:
        return CLEAR
    if identity is Identity.UNKNOWN:
        return (Missing((f"{place}.medicine", f"{place}.brand") if brand is None else (f"{place}.medicine",)),)
    return (Found(Severity.STOP, _describe, place, text, own.name),)


def _describe(place: str, text: str, own: str) -> Words:
    is_picked = place == PICKED
    thing = "The pack that was picked" if is_picked else "The order"
    what_next = "Put the pack back and pick again." if is_picked else f"Ask the prescriber for an order of {own}."
    return Words(
        f"{thing} is of {clip(text)}; only plain {own} is dispensed by these rules",
        f"{thing} says {clip(text, 200)}, which is not plain {own}. No rule here holds for it. {what_next}",
        observed={"medicine": text},
        limit={"medicine": own},
        dur=Dur.PRODUCT_SELECTION,
        detected_issue=DetectedIssue.NOT_EQUIVALENT if is_picked else DetectedIssue.PRODUCT,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return f"Order and pack are of {t.case.medicine.name}."


RULE = Rule(
    code="medicine",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    is_about_product=True,
    answers=("5", "19"),
    clears=("An order for {medicine}",),
)
