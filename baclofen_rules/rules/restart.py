"""A restart after a gap, at more than the starting dose.

Finds: an override when the gap since the last cover is long enough for tolerance to be lost (but inside the look-back) and
the daily dose of phase 1 is above the start limit.
Errs: on the side of asking: no label gives a number of days.
Source: design; the intrathecal label warns of overdose on reintroduction.
"""

from decimal import Decimal

from baclofen_rules.fills import Standing
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import HISTORY_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import format_doses


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.standing is not Standing.RESTART and not t.history_unknown:
        return CLEAR
    limit = t.above_start()
    if limit is None:
        return CLEAR
    if t.history_unknown:
        return (Missing((*limit.facts, HISTORY_FACT) if isinstance(limit, Missing) else (HISTORY_FACT,)),)
    if isinstance(limit, Missing):
        return (limit,)
    return (Found(Severity.OVERRIDE, _describe, t, limit),)


def _describe(t: Terms, limit: Decimal) -> Words:
    first, gap = format_amount(t.first_mg), t.gap_days
    return Words(
        f"After {gap} days without {t.case.medicine.name}, {first} mg a day is above the {format_amount(limit)} mg starting dose",
        f"Cover ended before {t.cover_end}: a gap of {gap} days, a restart from {format_amount(t.limits.restart_after_days)} days. "
        f"Phase 1: {format_doses(t.phases[0])}; start limit: {format_amount(limit)} mg a day{t.start_words}.",
        observed={"gap_days": str(gap), "mg_per_day": first},
        limit={"gap_days": format_amount(t.limits.restart_after_days), "mg_per_day": format_amount(limit)},
        dur=Dur.UNDERUSE,
        detected_issue=DetectedIssue.TOO_LATE,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return f"Standing: {t.standing or 'not known'}, a gap of {t.gap_days} days; phase 1: {format_amount(t.first_mg)} mg a day."


RULE = Rule(
    code="restart",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    terms=("restart_after_days", "new_after_days", "start_mg_per_day", "start_mg_per_kg_per_day", "start_rounding"),
    answers=("5", "2"),
    needs_dose=True,
    clears=("{mg_per_day} or less on the first days",),
)
