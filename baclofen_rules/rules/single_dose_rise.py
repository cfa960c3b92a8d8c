"""A single dose that rises while the day's total does not.

Finds: an acknowledgement for who continues, when the largest single dose of a phase is at least the profile's multiple of
the largest before it and the day's total stays or falls: from the previous dose to phase 1, and from phase to phase.
Errs: on the side of asking: fewer and larger doses may be meant. A rise of the day's total is left to the titration step.
Source: design; "30 mg daily" is written for one dose and for the total of a day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from baclofen_rules.case import Fill
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import HISTORY_FACT, Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    factor: Decimal = number("times", 1, 10, words="times the largest single dose before from which it is asked")


class DoseChange(NamedTuple):
    """The largest single dose before and after a change, in milligrams, and its name."""

    before: Decimal
    after: Decimal
    name: str


def check(t: Terms, limits: Limits) -> Answer:
    if t.history_unknown:
        return (Missing((HISTORY_FACT,)),)
    if not t.is_continuing or t.latest is None:
        return CLEAR
    over = [change for change in _changes(t, t.latest) if change.after >= change.before * limits.factor]
    return (Found(Severity.ACKNOWLEDGE, _describe, over),) if over else CLEAR


def _changes(t: Terms, latest: Fill) -> Iterator[DoseChange]:
    """Changes to a day's total that is the same or lower."""
    first = t.phases[0]
    if first.mg_per_day <= t.previous_mg:
        yield DoseChange(max(latest.doses), first.largest_dose, "Previous dose to phase 1")
    for number_, (phase, following) in enumerate(pairwise(t.phases), start=1):
        if following.mg_per_day <= phase.mg_per_day:
            name = f"Phase {number_} to phase {number_ + 1}"
            yield DoseChange(phase.largest_dose, following.largest_dose, name)


def _describe(over: list[DoseChange]) -> Words:
    before, after = format_amount(over[0].before), format_amount(over[0].after)
    changes = [f"{change.name}: {format_amount(change.before)} to {format_amount(change.after)} mg" for change in over]
    return Words(
        f"{after} mg at one time instead of {before} mg, while the day's total does not rise",
        f"Largest single dose. {'; '.join(changes)}.",
        observed={"dose_mg": after, "steps": changes},
        limit={"dose_mg": before},
        dur=Dur.REGIMEN,
        detected_issue=DetectedIssue.INTERVAL,
    )


def explain(t: Terms, limits: Limits) -> str:
    largest = format_amount(max(phase.largest_dose for phase in t.phases))
    return f"Standing: {t.standing}; no single dose rises {format_amount(limits.factor)} times at the same daily total; largest: {largest} mg."


RULE = Rule(
    code="single-dose-rise",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5", "6"),
    needs_dose=True,
    clears=("Doses as before, of {dose_mg} or little more",),
)
