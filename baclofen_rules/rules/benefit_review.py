"""The highest dose has been taken for so long that its benefit wants a look.

Finds: an acknowledgement, once: at the first supply after a continuing patient has taken the daily maximum or more for the days that the
profile says.
Errs: on the side of silence where the profile names no days, or the age has no maximum. With an unknown age or history it says
so where the order reaches a maximum.
Source: the Scottish formulary, six weeks; the American label asks for a reasonable trial and names no number.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import HISTORY_FACT, Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    after_days: Decimal | None = number(
        "days", 7, 365, none=True, words="days at the maximum after which the benefit is asked for"
    )


def check(t: Terms, limits: Limits) -> Answer:
    maxima = t.limits.max_mg_per_day
    if limits.after_days is None or maxima.is_below_first(t.age):
        return CLEAR
    most = maxima.verdict(lambda limit: t.first_mg >= limit, t.age)
    if most is None:
        return CLEAR
    if t.history_unknown:
        return (Missing((HISTORY_FACT,)),)
    if not t.is_continuing or t.latest is None:
        return CLEAR
    # Anew: of an unknown age one maximum may be reached by both doses, and another by the new one alone.
    most = maxima.verdict(lambda limit: min(t.first_mg, t.previous_low_mg) >= limit, t.age)
    if most is None:
        return CLEAR
    if isinstance(most, Missing):
        return (most,)
    days_before = t.held_days - (t.case.on - t.latest.dispensed_on).days
    if not days_before < limits.after_days <= t.held_days:
        return CLEAR
    return (Found(Severity.ACKNOWLEDGE, _describe, t, limits.after_days, most),)


def _describe(t: Terms, after_days: Decimal, most: Decimal) -> Words:
    day, days = format_amount(t.previous_low_mg), format_amount(after_days)
    return Words(
        f"{day} mg a day for {t.held_days} days: without a benefit it should be withdrawn slowly",
        f"{day} mg a day held for {t.held_days} days; the maximum is {format_amount(most)} mg a day, and after {days} days there the benefit "
        "is looked at. Asked once.",
        observed={"mg_per_day": day, "days": str(t.held_days)},
        limit={"mg_per_day": format_amount(most), "days": days},
        dur=Dur.REGIMEN,
    )


def explain(t: Terms, limits: Limits) -> str:
    if limits.after_days is None:
        return "The profile names no days after which the benefit is looked at."
    return f"Asked once, after {format_amount(limits.after_days)} days at the daily maximum."


RULE = Rule(
    code="benefit-review",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5", "2", "9"),
    needs_dose=True,
    clears=("Less than {mg_per_day}",),
)
