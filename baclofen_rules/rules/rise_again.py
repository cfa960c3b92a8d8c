"""A rise of who answered the same questions before.

Finds: one acknowledgement that lists what a rise asks again although it was answered at an earlier supply, where that is two
findings or more that are acknowledged; each of them is information then. Overrides are asked one by one.
Errs: on the side of asking: an answer counts only for the same finding on the same facts.
Source: design.
"""

from baclofen_rules.findings import CLEAR, Answer, Dur, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms


def check(t: Terms, limits: NoLimits) -> Answer:
    return CLEAR  # it reads the findings of the other rules: ``gather``


def gather(codes: tuple[str, ...]) -> Found:
    return Found(Severity.ACKNOWLEDGE, _describe, codes)


def _describe(codes: tuple[str, ...]) -> Words:
    return Words(
        f"The dose rises: {len(codes)} answers of earlier supplies are asked again together",
        f"Answered before, for a smaller dose: {', '.join(codes)}. Look at each of them once more.",
        observed={"codes": list(codes)},
        limit={"codes": []},
        dur=Dur.EDUCATION,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No rise asks several answers of earlier supplies again."


RULE = Rule(
    code="rise-again",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    gather=gather,
    answers=("2", "3", "10"),
    nothing_clears="the dose is higher than it was when these were answered",
)
