"""Tablets of another dose are still at home.

Finds: for information, a continuing patient with days left whose phase 1 has another daily dose than the last supply, or who was
handed other tablets with the last supply that are not ordered again.
Errs: on the side of a word too many: tell the patient what to do with the old tablets.
Source: design.
"""

from datetime import date

from baclofen_rules.findings import CLEAR, Answer, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import HISTORY_FACT, ZERO, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import HAND_OVER, OrderRelation, Relation
from baclofen_rules.words import count_days, verb_for


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.history_unknown:
        return (Missing((HISTORY_FACT,)),)
    if t.relation is not None:
        return _check_change(t, t.relation)
    if not t.is_continuing:
        return CLEAR
    if t.not_repeated:
        return (Found(Severity.INFORMATION, _describe_not_repeated, t),)
    if not t.left_days or t.first_mg == t.previous_mg:
        return CLEAR
    return (Found(Severity.INFORMATION, _describe, t),)


def _check_change(t: Terms, relation: OrderRelation) -> Answer:
    """A change with old tablets past the first day of the new dose."""
    if relation.relation is not Relation.CHANGES or t.after is None or t.cover_end is None:
        return CLEAR
    starts_on = t.after.supply(HAND_OVER).starts_on
    left = (t.cover_end - starts_on).days
    return (Found(Severity.INFORMATION, _describe_change, t, left, starts_on),) if left > 0 else CLEAR


def _describe_change(t: Terms, left: int, starts_on: date) -> Words:
    before, now = format_amount(t.previous_mg), format_amount(t.first_mg)
    return Words(
        f"{count_days(left)} of {before} mg a day {verb_for(left)} left when {now} mg begins; say what to do with the old tablets",
        f"The old tablets cover the days before {t.cover_end}; the new dose begins on {starts_on}: {before} to {now} mg a day.",
        observed={"days_left": str(left), "mg_per_day": now},
        limit={"mg_per_day": before},
        dur=Dur.EDUCATION,
    )


def _describe(t: Terms) -> Words:
    left = count_days(t.left_days)
    before, now = format_amount(t.previous_mg), format_amount(t.first_mg)
    return Words(
        f"{left} of {before} mg a day {verb_for(t.left_days)} left and the dose is now {now} mg; say what to do with the old tablets",
        f"Earlier supplies cover the days before {t.cover_end}; the daily dose changes from {before} to {now} mg.",
        observed={"days_left": str(t.left_days), "mg_per_day": now},
        limit={"mg_per_day": before},
        dur=Dur.EDUCATION,
    )


def _describe_not_repeated(t: Terms) -> Words:
    mg_per_day = format_amount(sum((fill.mg_per_day for fill in t.not_repeated), ZERO))
    days = max(fill.days_supply for fill in t.not_repeated)
    handed_over_on = t.not_repeated[0].dispensed_on
    return Words(
        f"{mg_per_day} mg a day of other tablets, for {count_days(days)}, is not ordered again; say what to do with those left",
        f"Handed over on {handed_over_on} beside the tablets of this order: {mg_per_day} mg a day for {count_days(days)}.",
        observed={"days_supply": str(days), "mg_per_day": mg_per_day},
        limit={"mg_per_day": format_amount(t.first_mg)},
        dur=Dur.EDUCATION,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return f"{t.left_days} days left; previous dose {format_amount(t.previous_mg)} mg a day, now {format_amount(t.first_mg)} mg."


RULE = Rule(
    code="leftover-supply",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_dose=True,
    nothing_clears="the old tablets are at home",
)
