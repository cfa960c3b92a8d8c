"""An opioid, baclofen, and a disease of breathing.

Finds: an override where an opioid stands on the list and respiratory impairment or sleep apnoea among the conditions.
Errs: on the side of asking: beside an opioid unknown conditions are not assessed.
Source: the Canadian warning on opioids names breathing; that a disease of breathing makes it graver is a design default.
"""

from baclofen_rules.facts import Condition
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.rule import NoLimits, OnContinuing, Rule
from baclofen_rules.terms import CONDITIONS_FACT, MEDICINES_FACT, Terms
from baclofen_rules.words import clip

OPIOID = "interaction-opioid"
OF_BREATHING = (Condition.RESPIRATORY_IMPAIRMENT, Condition.SLEEP_APNOEA)


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.interacting is None:
        return (Missing((MEDICINES_FACT,)),)
    opioids = t.interacting.get(OPIOID)
    if opioids is None:
        return CLEAR
    if t.patient.conditions is None:
        return (Missing((CONDITIONS_FACT,)),)
    diseases = tuple(condition for condition in OF_BREATHING if condition in t.conditions)
    if not diseases:
        return CLEAR
    return (Found(Severity.OVERRIDE, _describe, opioids, diseases),)


def _describe(opioids: tuple[str, ...], diseases: tuple[Condition, ...]) -> Words:
    named = " and ".join(str(disease).replace("-", " ") for disease in diseases)
    clipped_names = [clip(name) for name in opioids]
    return Words(
        f"An opioid and baclofen with {named}: breathing may fail in sleep",
        f"Opioids: {', '.join(clipped_names)}; recorded: {named}. Agree with the prescriber on the lowest doses, and on naloxone; tell those at home "
        "what to look for.",
        observed={"medicines": clipped_names, "conditions": [str(disease) for disease in diseases]},
        limit={"conditions": []},
        dur=Dur.ADDITIVE_TOXICITY,
        detected_issue=DetectedIssue.DRUG,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No opioid together with a disease of breathing is recorded."


RULE = Rule(
    code="opioid-breathing",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    answers=("1", "2", "5", "9", "10"),
    on_continuing=OnContinuing.MILDER,
    why_continuing="the combination that people die of: seen again at every third supply, overridden again twice a year",
    rests_on=("medicines", "conditions"),
    group="interaction-*",
    clears=("A corrected record, where a medicine or a condition is recorded wrongly",),
)
