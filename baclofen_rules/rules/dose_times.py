"""The words of an order name other times of day for its doses than its structure.

Finds: an acknowledgement when both name the time of every dose of a day and a dose is at another time: 20 mg at bedtime in the words,
in the morning in the structure. Evening and bedtime may be one time, and a clock time is compared with the part of the day in
which it lies. Where only one of the two names times, those count.
Errs: on the side of asking: the label says the times of the structure, and by day the sleepiness is another risk than by night.
Source: design.
"""

from collections.abc import Sequence
from decimal import Decimal

from baclofen_rules.directions import Reading
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.regimen import Phase
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.times_of_day import parts_of_day, write_time


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.order is None:
        return CLEAR
    for part in t.products if t.order.has_own_words else (t,):
        order = part.order
        if order is None or order.structured is None or not isinstance(order.reading, Reading):
            continue
        written, ordered = order.reading.phases, order.structured.phases
        for number, (words, structure) in enumerate(zip(written, ordered, strict=False), start=1):
            if len(written) == len(ordered) and _differ(_timed(words), _timed(structure)):
                return (Found(Severity.ACKNOWLEDGE, _describe, number, words, structure),)
    return CLEAR


def _timed(phase: Phase) -> list[tuple[Decimal, str]]:
    """Return the doses of a day with their times; none where the time of one of them is not named."""
    times = [time for time in phase.times or () if time is not None]
    return list(zip(phase.doses, times, strict=True)) if len(times) == len(phase.doses) else []


def _differ(words: Sequence[tuple[Decimal, str]], structure: Sequence[tuple[Decimal, str]]) -> bool:
    if not words or len(words) != len(structure):
        return False
    pairs = zip(sorted(words, key=_order_in_day), sorted(structure, key=_order_in_day), strict=True)
    return any(dose != other or not parts_of_day(time) & parts_of_day(at) for (dose, time), (other, at) in pairs)


def _order_in_day(dose: tuple[Decimal, str]) -> tuple[int, Decimal]:
    return min(parts_of_day(dose[1])), dose[0]


def _describe(number: int, words: Phase, structure: Phase) -> Words:
    written, ordered = _say(words), _say(structure)
    return Words(
        f"The directions say {written}, the structure {ordered}",
        f"Phase {number}. Directions: {written}. Structure: {ordered}. The label says the times of the structure.",
        observed={"phase": str(number), "times": ordered},
        limit={"times": written},
        dur=Dur.MISSING_INFORMATION,
        detected_issue=DetectedIssue.DOSE,
    )


def _say(phase: Phase) -> str:
    return ", ".join(f"{format_amount(dose)} mg {write_time(time)}" for dose, time in _timed(phase))


def explain(t: Terms, limits: NoLimits) -> str:
    return "The directions and the structure name no different times of day."


RULE = Rule(
    code="dose-times",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("14", "5"),
    clears=("An order whose words and doses name the same times",),
)
