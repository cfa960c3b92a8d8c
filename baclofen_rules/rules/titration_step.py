"""A rise of the daily dose that is too large.

Finds: an override when a rise, from the previous dose when continuing or from one phase to the next, is above the step.
Errs: on the side of asking. The Lioresal profile reads "the daily dosage is increased by 5 mg" to the letter.
Source: the profile's label.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity
from baclofen_rules.profiles.limits import Bands, by_age
from baclofen_rules.regimen import plain
from baclofen_rules.terms import HISTORY_FACT, Terms

CODE = "titration-step"
NEEDS_DOSE = True
ANSWERS = ("5",)


@dataclass(frozen=True, slots=True)
class Limits:
    max_rise_mg_per_day: Bands[Decimal] = by_age("mg/day", 1, 100)


def check(t: Terms, limits: Limits) -> Answer:
    bands = limits.max_rise_mg_per_day
    if t.rises:
        steepest = max(t.rises, key=lambda rise: rise.change)
        limit = bands.verdict(steepest.change.__gt__, t.age)
        if isinstance(limit, Missing):
            return (Missing((*limit.facts, HISTORY_FACT)),) if t.history_unknown else (limit,)
        if limit is not None:
            over = [str(rise) for rise in t.rises if rise.change > limit]
            return (
                Found(
                    Severity.OVERRIDE,
                    f"A rise of {plain(steepest.change)} mg a day is above the {plain(limit)} mg step",
                    f"{'; '.join(over)}. Largest step: {plain(limit)} mg a day.",
                    observed={"mg_per_day": plain(steepest.change), "steps": over},
                    limit={"mg_per_day": plain(limit)},
                    dur=Dur.HIGH_DOSE,
                    detected_issue=DetectedIssue.INTERVAL,
                ),
            )
    return (Missing((HISTORY_FACT,)),) if t.history_unknown else CLEAR


def explain(t: Terms, limits: Limits) -> str:
    seen = "; ".join(str(rise) for rise in t.rises) or "no rise"
    return f"Seen: {seen}; largest step: {limits.max_rise_mg_per_day} mg a day."
