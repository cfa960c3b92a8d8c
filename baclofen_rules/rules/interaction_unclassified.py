"""A medicine that nobody can classify.

Finds: one acknowledgement that lists the medicines whose ATC code and name the rule book does not know.
Errs: on the side of asking: an unknown medicine is never dropped; a code is believed only in a well-formed, existing group.
Source: design.
"""

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, OnContinuing, Rule
from baclofen_rules.terms import MEDICINES_FACT, Terms
from baclofen_rules.words import clip

MOST_NAMED = 2


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.interacting is None:
        return (Missing((MEDICINES_FACT,)),)
    return (Found(Severity.ACKNOWLEDGE, _describe, t.unclassified),) if t.unclassified else CLEAR


def _describe(names: tuple[str, ...]) -> Words:
    first_names = ", ".join(clip(name, 30) for name in names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return Words(
        f"{first_names}{more}: not known to the rule book; look up interactions by hand",
        f"Neither ATC code nor name could be classified: {', '.join(clip(name) for name in names)}.",
        observed={"medicines": [clip(name) for name in names]},
        limit={"medicines": []},
        dur=Dur.INTERACTION,
        detected_issue=DetectedIssue.DRUG,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "Every recorded medicine could be classified."


RULE = Rule(
    code="interaction-unclassified",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("2", "4"),
    group="interaction-*",
    on_continuing=OnContinuing.INFORMATION,
    rests_on=("medicines",),
    clears=("The medicine on the patient\u2019s list by a name or ATC code that is known here",),
)
