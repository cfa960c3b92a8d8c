"""Conditions in which baclofen wants care.

Finds: one acknowledgement that lists the recorded conditions of epilepsy, psychotic disorder, stroke, parkinsonism,
respiratory impairment, autonomic dysreflexia, suicide risk, substance misuse and hypertonic bladder sphincter. Depression,
mania, sleep apnoea, porphyria and urinary retention want one where the medicine is begun or the dose rises, and alone are
information for who goes on as before; diabetes is information.
Errs: on the side of saying so: a coded condition that nobody has mapped is reported as not assessed.
Source: the cautions of the American and British labels.
"""

from baclofen_rules.facts import Condition
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.rule import NoLimits, OnContinuing, Rule
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
    is_asked = not t.goes_on or any(condition in t.conditions for condition in LOOKED_FOR)
    severity_of_asked = Severity.ACKNOWLEDGE if is_asked else Severity.INFORMATION
    findings = [
        Found(severity, _describe, named)
        for severity, looked_for in (
            (severity_of_asked, (*LOOKED_FOR, *AT_A_RISE)),
            (Severity.INFORMATION, INFORMATION_ONLY),
        )
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
    serves=(BACLOFEN,),
    answers=("2", "5", "9", "22"),
    on_continuing=OnContinuing.INFORMATION,
    rests_on=("conditions",),
    clears=("A corrected record, where the condition is recorded wrongly",),
)
