"""The patient has an intrathecal baclofen pump.

Finds: an override when a pump is recorded, or when a medicine of the patient is baclofen from a pump or by injection, also where
the record says that there is no pump.
Errs: on the side of asking: with pump and tablets there is overdose, and withdrawal as soon as either stops. An unknown list of
medicines may hold such a medicine.
Source: the boxed warning of the intrathecal label.
"""

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.rule import NoLimits, Rule
from baclofen_rules.terms import MEDICINES_FACT, Terms
from baclofen_rules.words import clip

PUMP_FACT = "patient.intrathecal_pump"


def check(t: Terms, limits: NoLimits) -> Answer:
    pump = t.patient.intrathecal_pump
    if t.injected_products:
        return (Found(Severity.OVERRIDE, _describe_medicine, t.injected_products[0], pump),)
    if pump:
        return (Found(Severity.OVERRIDE, _describe),)
    facts = ((PUMP_FACT,) if pump is None else ()) + ((MEDICINES_FACT,) if t.patient.medicines is None else ())
    return (Missing(facts),) if facts else CLEAR


def _describe_medicine(name: str, pump: bool | None) -> Words:
    recorded = {None: "is not known", True: "is recorded", False: "is recorded as none"}[pump]
    contradiction = "; the record says that there is no pump" if pump is False else ""
    return Words(
        f"{clip(name)} is baclofen from a pump{contradiction}; ask whether tablets are meant as well",
        f"Medicine of the patient: {clip(name, 200)}; an intrathecal pump {recorded}. A pump delivers baclofen all day; tablets add to "
        "it, and stopping either can cause withdrawal. Correct the record or the list.",
        observed={"intrathecal_pump": pump, "medicine": name},
        limit={"intrathecal_pump": False},
        dur=Dur.INGREDIENT_DUPLICATION,
        detected_issue=DetectedIssue.DUPLICATE_INGREDIENT,
    )


def _describe() -> Words:
    return Words(
        "An intrathecal baclofen pump is recorded; ask whether tablets are meant as well",
        "A pump delivers baclofen all day; tablets add to it, and stopping either can cause withdrawal.",
        observed={"intrathecal_pump": True},
        limit={"intrathecal_pump": False},
        dur=Dur.INGREDIENT_DUPLICATION,
        detected_issue=DetectedIssue.DUPLICATE_INGREDIENT,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No intrathecal pump is recorded, nor a medicine for one."


RULE = Rule(
    code="intrathecal-pump",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    answers=("5", "9"),
    why_continuing="two baclofens at once: seen at each supply",
    clears=("A corrected record, where the pump is recorded wrongly",),
)
