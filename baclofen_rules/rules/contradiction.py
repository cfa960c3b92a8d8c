"""A coded condition says what the recorded facts do not.

Finds: an override where a code says kidney disease of a stage, dialysis or pregnancy, and the record says otherwise or does
not know: an eGFR above the stage, no dialysis, no pregnancy.
Errs: on the side of asking: every other rule reads the facts alone, so the wrong one of the two may hide a stop. Unknown
conditions may hold such a code.
Source: design; the stages are those of KDIGO.
"""

from collections.abc import Iterator

from baclofen_rules.conditions import Statement, statement_of
from baclofen_rules.facts import FACTS, CodedCondition
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import CONDITIONS_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import clip


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.patient.conditions is None:
        return (Missing((CONDITIONS_FACT,)),)
    contradictions = tuple(_find_contradictions(t))
    return (Found(Severity.OVERRIDE, _describe, contradictions),) if contradictions else CLEAR


def _find_contradictions(t: Terms) -> Iterator[tuple[str, Statement, str, str | None]]:
    """Yield code, statement, and the fact that says otherwise with its value."""
    for coded in t.patient.conditions or ():
        statement = statement_of(coded) if isinstance(coded, CodedCondition) else None
        if statement is None or not isinstance(coded, CodedCondition):
            continue
        if statement.fact:
            is_so = getattr(t.patient, statement.fact)
            if not is_so:
                yield coded.code, statement, FACTS[statement.fact].words, None if is_so is None else "no"
        elif not t.patient.dialysis:
            egfr, below = t.patient.egfr, statement.below_egfr
            if egfr is None or (below is not None and egfr >= below):
                yield coded.code, statement, FACTS["egfr"].words, None if egfr is None else format_amount(egfr)


def _describe(contradictions: tuple[tuple[str, Statement, str, str | None], ...]) -> Words:
    texts = [
        f"{clip(code, 20)} says {statement.words}, the record says {fact} {'not known' if value is None else value}"
        for code, statement, fact, value in contradictions
    ]
    return Words(
        texts[0],
        f"{'; '.join(texts)}. Find out which is right and correct the record: every other rule reads the facts alone.",
        observed={"conditions": [code for code, *_ in contradictions]},
        limit={"conditions": []},
        dur=Dur.MISSING_INFORMATION,
        detected_issue=DetectedIssue.CONDITION,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No coded condition says other than the facts."


RULE = Rule(
    code="contradiction",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("2", "4", "5"),
    clears=("A corrected record: the facts cannot all hold",),
)
