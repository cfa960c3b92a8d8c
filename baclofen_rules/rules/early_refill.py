"""The same dose is fetched again although much of it must still be at home.

Finds: an override for a continuing patient with days left, when phase 1 has the daily dose of the last supply and either the
used part of that supply is under the profile's fraction or the days left are above the profile's number. Stock carried
over from earlier supplies counts as days left. A phase 1 with another dose is the rule leftover-supply. In the second case
format the last fill counts, not its last part, and a refill passes with at most max(what the fraction leaves, min(7 days,
half of the fill)) left, or min(the profile's number, half of the fill); an instalment and an owed rest are never early.
Errs: on the side of asking: the day of the supply itself is not counted as used.
Source: payers' refill-too-soon habits; ordering up to seven days ahead in the United Kingdom.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import ceil

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Facts, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import HISTORY_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import OrderRelation, Relation
from baclofen_rules.words import count_days, verb_for


@dataclass(frozen=True, slots=True)
class Limits:
    used_fraction_min: Decimal | None = number(
        "fraction", 0.1, 1, none=True, words="part of the supply before that must be used"
    )
    days_left_max: Decimal | None = number("days", 0, 90, none=True, words="most days left of the supply before")


def check(t: Terms, limits: Limits) -> Answer:
    if t.history_unknown:
        return (Missing((HISTORY_FACT,)),)
    if t.relation is not None:
        return _check_fill(t, t.relation)
    if not t.left_days or t.latest is None or not t.is_continuing or t.first_mg != t.previous_mg:
        return CLEAR
    left, supplied = t.left_days, t.latest.days_supply
    fraction, most = limits.used_fraction_min, limits.days_left_max
    if fraction is not None and supplied - left < supplied * fraction:
        return (Found(Severity.OVERRIDE, _little_used, t, supplied, t.latest.dispensed_on, fraction),)
    if most is not None and left > most:
        return (Found(Severity.OVERRIDE, _much_left, t, supplied, most),)
    return CLEAR


def _check_fill(t: Terms, relation: OrderRelation) -> Answer:
    if relation.relation is not Relation.CONTINUES or relation.left_days <= relation.kept_days:
        return CLEAR
    return (Found(Severity.OVERRIDE, _describe_fill, t, relation),)


def _describe_fill(t: Terms, relation: OrderRelation) -> Words:
    left, most = count_days(relation.left_days), count_days(relation.kept_days)
    return Words(
        f"{left} of the last fill {verb_for(relation.left_days)} left; a refill of {count_days(relation.fill_days)} is due with {most} or fewer",
        f"The tablets cover the days before {t.cover_end}; today is {t.case.on}: {left} left. "
        f"Last fill: {count_days(relation.fill_days)}; at most {most} may be left.",
        observed={"days_left": str(relation.left_days), "days_supply": str(relation.fill_days)},
        limit={"days_left": str(relation.kept_days)},
        dur=Dur.OVERUSE,
        detected_issue=DetectedIssue.TOO_SOON,
    )


def _little_used(t: Terms, supplied: int, dispensed_on: date, fraction: Decimal) -> Words:
    left, used = t.left_days, supplied - t.left_days
    percent = format_amount(round(Decimal(100 * used) / supplied, 1))
    least = format_amount(fraction * 100)
    carried = "; stock is carried over from earlier supplies" if used < 0 else ""
    return Words(
        f"{count_days(left)} {verb_for(left)} left and {percent} % of {supplied} days is used; {least} % is needed before a refill",
        f"Supplied on {dispensed_on} for {supplied} days; cover ends before {t.cover_end}: {count_days(left)} left. "
        f"({supplied} - {left}) / {supplied} = {percent} % used{carried}; at least {least} %.",
        observed={"days_left": str(left), "days_supply": str(supplied), "used_percent": percent},
        limit={"used_percent": least},
        dur=Dur.OVERUSE,
        detected_issue=DetectedIssue.TOO_SOON,
    )


def _much_left(t: Terms, supplied: int, most: Decimal) -> Words:
    left = t.left_days
    return Words(
        f"{count_days(left)} of the last supply {verb_for(left)} left; a refill is due with {format_amount(most)} days left or fewer",
        f"Earlier supplies cover the days before {t.cover_end}; today is {t.case.on}: {count_days(left)} left.",
        observed={"days_left": str(left), "days_supply": str(supplied)},
        limit={"days_left": format_amount(most)},
        dur=Dur.OVERUSE,
        detected_issue=DetectedIssue.TOO_SOON,
    )


def explain(t: Terms, limits: Limits) -> str:
    if not t.is_continuing:
        return f"No supply is running: {t.standing or 'not known'}."
    if t.first_mg != t.previous_mg:
        return f"The daily dose changes from {format_amount(t.previous_mg)} to {format_amount(t.first_mg)} mg: no refill of the same."
    return f"{count_days(t.left_days)} {verb_for(t.left_days)} left of the last supply."


def clears_on(observed: Facts, limit: Facts, on: date) -> date:
    left = int(observed["days_left"])
    if "used_percent" not in limit:
        return on + timedelta(days=left - int(limit["days_left"]))
    supplied = int(observed["days_supply"])
    return on + timedelta(days=ceil(Decimal(limit["used_percent"]) * supplied / 100) - (supplied - left))


RULE = Rule(
    code="early-refill",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("14", "15", "16", "17", "18", "3"),
    needs_dose=True,
    clears_on=clears_on,
)
