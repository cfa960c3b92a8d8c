"""Conditions in which baclofen wants care.

Finds: one acknowledgement that lists the recorded conditions of epilepsy, psychotic disorder, stroke, parkinsonism,
respiratory impairment, autonomic dysreflexia, suicide risk, substance misuse and hypertonic bladder sphincter. Depression,
mania, sleep apnoea, porphyria and urinary retention want an acknowledgement where the medicine is begun or the dose rises, and are information
for who goes on as before; diabetes is information. For who goes on as before the whole list is information, where it has stood as it is
since before the last supply.
Errs: on the side of saying so: a coded condition that nobody has mapped is reported as not assessed.
Source: the cautions of the American and British labels.
"""

from baclofen_rules.facts import Condition
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import NoLimits, Rule
from baclofen_rules.terms import Terms

LOOKED_FOR = (
    Condition.EPILEPSY,
    Condition.PSYCHOTIC_DISORDER,
    Condition.STROKE,
    Condition.PARKINSONISM,
    Condition.RESPIRATORY_IMPAIRMENT,
    Condition.AUTONOMIC_DYSREFLEXIA,
    Condition.SUICIDE_RISK,
    Condition.SUBSTANCE_MISUSE,
    Condition.HYPERTONIC_BLADDER_SPHINCTER,
)
AT_A_RISE = (
    Condition.DEPRESSION,
    Condition.MANIA,
    Condition.SLEEP_APNOEA,
    Condition.PORPHYRIA,
    Condition.URINARY_RETENTION,
)
INFORMATION_ONLY = (Condition.DIABETES,)
MOST_NAMED = 3


def check(t: Terms, limits: NoLimits) -> Answer:
    lacking: Answer = (Missing(t.unmapped_conditions),) if t.unmapped_conditions else CLEAR
    if not t.conditions:
        return lacking
    asked: tuple[Condition, ...] = (*LOOKED_FOR, *AT_A_RISE)
    informed_of: tuple[Condition, ...] = INFORMATION_ONLY
    if t.goes_on_with("conditions"):
        asked, informed_of = (), (*LOOKED_FOR, *AT_A_RISE, *INFORMATION_ONLY)
    elif t.goes_on:
        asked, informed_of = LOOKED_FOR, (*AT_A_RISE, *INFORMATION_ONLY)
    findings = [
        Found(severity, _describe, named)
        for severity, looked_for in ((Severity.ACKNOWLEDGE, asked), (Severity.INFORMATION, informed_of))
        if (named := tuple([condition for condition in looked_for if condition in t.conditions]))
    ]
    return (*findings, *lacking)


def _describe(named: tuple[Condition, ...]) -> Words:
    words = [str(condition).replace("-", " ") for condition in named]
    first_words = ", ".join(words[:MOST_NAMED]) + (
        f" and {len(words) - MOST_NAMED} more" if len(words) > MOST_NAMED else ""
    )
    return Words(
        f"Baclofen wants care with {first_words}",
        f"Recorded conditions that baclofen can make worse: {', '.join(words)}.",
        observed={"conditions": [str(condition) for condition in named]},
        limit={"conditions": []},
        dur=Dur.DISEASE_REPORTED,
        detected_issue=DetectedIssue.CONDITION,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No condition that is looked for is recorded."


RULE = Rule(
    code="condition",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    answers=("2", "5", "9", "22"),
)
