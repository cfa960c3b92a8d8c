"""The product is not a plain tablet.

Finds: a stop when the form that is ordered or picked is anything but a plain tablet, or when a name or brand tells such a form
(an oral solution, granules, ampoules).
Errs: on the side of stopping; a form in words that are not known is no tablet. An order that states no form is not assessed.
Source: design; doses are checked in tablets, which a liquid, a capsule or a coated tablet cannot be measured in.
"""

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import OwnMedicine
from baclofen_rules.products import other_form, read_product_name
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import FORM_FACT, Terms
from baclofen_rules.words import clip


def check(t: Terms, limits: NoLimits) -> Answer:
    order, picked = t.order, t.case.picked
    answer: Answer = CLEAR
    if order is not None:
        name = None if order.medicine is None else order.medicine.name
        answer = _check_form("The order", t.case.medicine, order.form, name, order.brand)
        if order.form is None:
            answer = (*answer, Missing((FORM_FACT,)))
    if picked is None:
        return answer
    name = None if picked.medicine is None else picked.medicine.name
    return answer + _check_form("The pack that was picked", t.case.medicine, picked.form, name, picked.brand)


def _check_form(thing: str, own: OwnMedicine, form: str | None, *names: str | None) -> Answer:
    if form is not None:
        title = other_form(form, own)
        if title is not None:
            return (Found(Severity.STOP, _describe, thing, form, title),)
    for name in names:
        named = None if name is None else read_product_name(name, own).form
        if name is not None and named is not None:
            return (Found(Severity.STOP, _describe, thing, name, named.title),)
    return CLEAR


def _describe(thing: str, text: str, title: str) -> Words:
    return Words(
        f"{thing} says {clip(text)}: {title}, not a plain tablet",
        f"{thing} says {clip(text, 200)}, which is {title}. Doses are checked in plain tablets; ask which product is meant.",
        observed={"form": text},
        limit={"form": "tablet"},
        dur=Dur.DOSAGE_FORM,
        detected_issue=DetectedIssue.PRODUCT,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "A plain tablet is ordered."


RULE = Rule(
    code="form",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    is_about_product=True,
    answers=("5", "19"),
    clears=("An order for tablets",),
)
