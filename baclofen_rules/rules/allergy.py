"""The patient is allergic to the medicine.

Finds: a stop when an allergy names the medicine or one of its brands, in any case or accent, or misspelt by a letter or two.
Errs: on the side of stopping: a near miss of the name is taken for the name; correct the record if it is another substance.
Source: the contraindication of every label.
"""

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import names_own_medicine
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import ALLERGY_FACT, Terms
from baclofen_rules.words import clip


def check(t: Terms, limits: NoLimits) -> Answer:
    allergies = t.patient.allergies
    if allergies is None:
        return (Missing((ALLERGY_FACT,)),)
    named = [allergy for allergy in allergies if names_own_medicine(allergy, t.case.medicine)]
    if not named:
        return CLEAR
    return (Found(Severity.STOP, _describe, named, t.case.medicine.name),)


def _describe(named: list[str], own: str) -> Words:
    return Words(
        f"An allergy is recorded that names {own}: {clip(named[0])}",
        f"Recorded allergies that name {own}: {', '.join(clip(allergy) for allergy in named)}.",
        observed={"allergies": [clip(allergy) for allergy in named]},
        limit={"allergies": []},
        dur=Dur.ALLERGY,
        detected_issue=DetectedIssue.ALLERGY,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return f"No recorded allergy names {t.case.medicine.name}."


RULE = Rule(
    code="allergy",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    why_continuing="it protects: a wrong record is corrected",
    clears=("A corrected record, where the allergy is recorded wrongly",),
)
