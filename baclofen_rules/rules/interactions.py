"""A medicine that interacts with baclofen, one code a class.

Finds: a medicine of the class, by ATC code and by name, as severely as the profile says for the class; one finding a class
that lists its medicines. Baclofen itself on the list of a patient with earlier supplies is this course, not another muscle
relaxant. Information beside `depressant-count`, where that asks and is graver.
Errs: on the side of finding: a code and a name that disagree count for both; an unknown list of medicines is not assessed.
Source: the classes and their citations stand in medicines/classes.toml.
"""

from dataclasses import dataclass
from functools import partial

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN, interaction_classes
from baclofen_rules.profiles.limits import severity
from baclofen_rules.rule import OnContinuing, Rule
from baclofen_rules.terms import MEDICINES_FACT, Terms
from baclofen_rules.words import clip

MOST_NAMED = 2
SEEN_AGAIN = {
    "interaction-sodium-oxybate": "the label of sodium oxybate speaks against sedatives: seen again at every third supply"
}


@dataclass(frozen=True, slots=True)
class Limits:
    severity: Severity = severity()


def check(code: str, t: Terms, limits: Limits) -> Answer:
    if t.interacting is None:
        return (Missing((MEDICINES_FACT,)),)
    names = t.interacting.get(code)
    if names is None:
        return CLEAR
    return (Found(limits.severity, _describe, code, names),)


def _describe(code: str, names: tuple[str, ...]) -> Words:
    medicine_class = interaction_classes()[code]
    first_names = ", ".join(clip(name, 30) for name in names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return Words(
        f"{first_names}{more}: {medicine_class.effect}",
        f"{medicine_class.title}: {', '.join(clip(name) for name in names)}. {medicine_class.mechanism}. {medicine_class.advice}.",
        observed={"medicines": [clip(name) for name in names]},
        limit={"medicines": []},
        dur=Dur(medicine_class.dur),
        detected_issue=DetectedIssue(medicine_class.detected_issue),
    )


def explain(code: str, t: Terms, limits: Limits) -> str:
    return f"No medicine of the class is recorded: {interaction_classes()[code].title.lower()}."


RULES = tuple(
    Rule(
        code=code,
        limits=Limits,
        check=partial(check, code),
        explain=partial(explain, code),
        text=__doc__,
        serves=(BACLOFEN,),
        clears=("The other medicine stopped, and taken off the patient\u2019s list",),
        answers=("1", "2", "5", "9", "10"),
        on_continuing=OnContinuing.MILDER if code in SEEN_AGAIN else OnContinuing.INFORMATION,
        why_continuing=SEEN_AGAIN.get(code, ""),
        rests_on=("medicines",),
        group="interaction-*",
    )
    for code in interaction_classes()
)
