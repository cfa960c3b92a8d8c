"""A daily dose above the maximum for the age.

Finds: an override when the highest daily dose of any phase, with other supplies that run today, is above the
maximum of the age; exactly the maximum passes.
Errs: with an unknown age it finds only what is too much at every age, and otherwise says that the age is lacking. At an age
below the first that the profile speaks of, it finds what is too much there, and otherwise says that the profile has no maximum.
Source: the profile's label.
"""

from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import HISTORY_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import format_doses, highest_phase


def check(t: Terms, limits: NoLimits) -> Answer:
    limit = t.above_maximum
    if limit is None:
        return (Missing((HISTORY_FACT,)),) if t.history_unknown else CLEAR
    if isinstance(limit, Missing):
        return (Missing((*limit.facts, HISTORY_FACT)),) if t.history_unknown else (limit,)
    return (Found(Severity.OVERRIDE, _describe, t, limit),)


def _describe(t: Terms, limit: Decimal) -> Words:
    number, phase = highest_phase(t.phases)
    total = format_amount(t.total_mg)
    others = f", and {format_amount(t.concurrent_mg)} mg a day from another supply" if t.concurrent_mg else ""
    is_child = t.limits.max_mg_per_day.is_below_last(t.age)
    return Words(
        f"{total} mg a day is above the {format_amount(limit)} mg daily maximum",
        f"Phase {number}: {format_doses(phase)}{others}; {_of_age(t)}: {format_amount(limit)} mg a day.",
        observed={"mg_per_day": total},
        limit={"mg_per_day": format_amount(limit)},
        dur=Dur.HIGH_DOSE,
        detected_issue=DetectedIssue.DOSE_HIGH_FOR_AGE if is_child else DetectedIssue.DOSE_HIGH,
    )


def _of_age(t: Terms) -> str:
    """Of which age the maximum is."""
    bands = t.limits.max_mg_per_day
    if bands.is_below_first(t.age):
        return f"the profile has no maximum {t.age_words}, and {bands.rows[0][0]} the maximum is"
    return f"maximum {t.age_words}"


def explain(t: Terms, limits: NoLimits) -> str:
    return f"{format_amount(t.total_mg)} mg a day in all; maximum {t.limits.max_mg_per_day} mg a day."


RULE = Rule(
    code="daily-maximum",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    terms=("max_mg_per_day",),
    answers=("5", "6", "22"),
    needs_dose=True,
    why_continuing="no answer makes a dose above the limit an ordinary one",
    clears=("At most {mg_per_day}",),
)
