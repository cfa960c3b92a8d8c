"""A taper to zero that is too short.

Finds: an override when the medicine stops after the last phase and the days from the first phase below the starting level
to zero are under the minimum of the age. The starting level is the previous dose when continuing, else phase 1. A
course that stops without any phase below its starting level has a taper of 0 days. A starting level that may end without a taper
needs none.
Errs: on the side of asking: without a history, what was taken before may be more, and is named as lacking.
Source: the profile's label, one to two weeks.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import Bands, by_age
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import HISTORY_FACT, STOP_FACT, Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    min_days: Bands[Decimal] = by_age("days", 1, 120, none=False, words="least days of a taper to nothing")


def check(t: Terms, limits: Limits) -> Answer:
    if not (t.stops or t.may_stop):
        return CLEAR
    if t.highest_mg <= t.limits.stop_free_mg_per_day >= t.previous_mg and not t.history_unknown:
        return CLEAR
    first, days = taper(t)
    if days is None:
        lacking = (f"prescription.phases[{len(t.phases) - 1}].days",)
        return (Missing((*lacking, HISTORY_FACT) if t.history_unknown else lacking),)
    limit = limits.min_days.under(days, t.age)
    if limit is None:
        # An earlier dose could put the starting level lower, and so the beginning of the taper later.
        return (Missing((HISTORY_FACT,)),) if t.history_unknown else CLEAR
    facts = limit.facts if isinstance(limit, Missing) else ()
    if t.may_stop:
        facts = (*facts, STOP_FACT)
    if facts:
        return (Missing((*facts, HISTORY_FACT) if t.history_unknown else facts),)
    assert isinstance(limit, Decimal)  # the other two kinds of verdict have returned above
    return (Found(Severity.OVERRIDE, _describe, t, first, days, limit),)


def _describe(t: Terms, first: int | None, days: int, limit: Decimal) -> Words:
    level = format_amount(t.starting_level_mg)
    begins = "no phase is below it" if first is None else f"phase {first + 1} is the first below it"
    return Words(
        f"A taper from {level} mg a day to zero in {days} days is shorter than {format_amount(limit)} days",
        f"Starting level {level} mg a day; {begins}; {days} days to zero, at least {format_amount(limit)} days {t.age_words}.",
        observed={"days": str(days), "from_mg_per_day": level},
        limit={"days": format_amount(limit)},
        dur=Dur.INSUFFICIENT_DURATION,
        detected_issue=DetectedIssue.DURATION_LOW,
    )


def taper(t: Terms) -> tuple[int | None, int | None]:
    """Index of the first phase below the starting level, and the days from there to zero (None: an open end)."""
    level = t.starting_level_mg
    first = next((index for index, phase in enumerate(t.phases) if phase.mg_per_day < level), None)
    if first is None:
        return None, 0
    if t.is_open:
        return first, None
    return first, sum(phase.days for phase in t.phases[first:] if phase.days is not None)


def explain(t: Terms, limits: Limits) -> str:
    if not (t.stops or t.may_stop):
        return "The prescription does not end the medicine."
    if max(t.highest_mg, t.previous_mg) <= t.limits.stop_free_mg_per_day:
        return f"{format_amount(t.limits.stop_free_mg_per_day)} mg a day and less may end without a taper."
    return (
        f"{taper(t)[1]} days from the first phase below the starting level to zero; shortest: {limits.min_days} days."
    )


RULE = Rule(
    code="taper-duration",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5",),
    terms=("stop_free_mg_per_day",),
    needs_dose=True,
    clears=("A taper that lasts {days} or more",),
)
