"""A first daily dose above the starting dose.

Finds: an override when the patient is new and the daily dose of phase 1 is above the start limit of the age; for children
whose profile counts by weight that is mg/kg with the profile's rounding.
Errs: on the side of asking: who has no recorded history is looked at as new. A restart has its own rule.
Source: the profile's label.
"""

from decimal import Decimal

from baclofen_rules.fills import Standing
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import format_doses


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.is_continuing or t.standing is Standing.RESTART:
        return CLEAR
    limit = t.above_start()
    if limit is None:
        return CLEAR
    if isinstance(limit, Missing):
        return (limit,)
    return (Found(Severity.OVERRIDE, _describe, t, limit),)


def _describe(t: Terms, limit: Decimal) -> Words:
    why = "no earlier supply is known" if t.latest is None else f"the last supply ended {t.gap_days} days ago"
    return Words(
        f"{format_amount(t.first_mg)} mg a day to start is above the {format_amount(limit)} mg starting dose",
        f"Phase 1: {format_doses(t.phases[0])}; start limit: {format_amount(limit)} mg a day{t.start_words}; {why}.",
        observed={"mg_per_day": format_amount(t.first_mg)},
        limit={"mg_per_day": format_amount(limit)},
        dur=Dur.HIGH_DOSE,
        detected_issue=DetectedIssue.DOSE_HIGH,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    if t.standing is Standing.CONTINUING or t.standing is Standing.RESTART:
        return f"Not a new course: {t.standing or 'not known'}."
    return f"Starts with {format_amount(t.first_mg)} mg a day, which keeps the start limit."


RULE = Rule(
    code="starting-dose",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    terms=("start_mg_per_day", "start_mg_per_kg_per_day", "start_rounding", "new_after_days"),
    answers=("5", "6", "22"),
    needs_dose=True,
    clears=("At most {mg_per_day} to start with",),
)
