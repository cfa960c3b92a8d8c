"""Too many doses a day, or too few.

Finds: an acknowledgement when a phase has more doses a day than the limit of the age, or fewer than the least.
Errs: on the side of asking.
Source: the profile's label.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Facts, Found, Severity, Words
from baclofen_rules.profiles.limits import Bands, by_age
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    max_per_day: Bands[Decimal] = by_age("doses/day", 1, 24, words="most doses a day")
    min_per_day: Bands[Decimal] = by_age("doses/day", 1, 24, words="fewest doses a day")


def check(t: Terms, limits: Limits) -> Answer:
    too_many = limits.max_per_day.over(t.most_times, t.age)
    too_few = limits.min_per_day.under(t.fewest_times, t.age)
    if too_many is None and too_few is None:
        return CLEAR
    if isinstance(too_many, Decimal):
        return (Found(Severity.ACKNOWLEDGE, _describe, t, t.most_times, "more", too_many),)
    if isinstance(too_few, Decimal):
        return (Found(Severity.ACKNOWLEDGE, _describe, t, t.fewest_times, "fewer", too_few),)
    lacking = too_few if too_many is None else too_many
    return CLEAR if lacking is None else (lacking,)


def _describe(t: Terms, count: int, side: str, limit: Decimal) -> Words:
    times = "dose" if count == 1 else "doses"
    index = [phase.times_per_day for phase in t.phases].index(count)
    return Words(
        f"{count} {times} a day are {side} than {format_amount(limit)} at this age".replace(
            "1 dose a day are", "1 dose a day is"
        ),
        f"Phase {index + 1}: {count} {times} a day; {'most' if side == 'more' else 'least'}: {format_amount(limit)}.",
        observed={"doses_per_day": str(count)},
        limit={"doses_per_day": format_amount(limit)},
        dur=Dur.REGIMEN,
        detected_issue=DetectedIssue.INTERVAL,
    )


def explain(t: Terms, limits: Limits) -> str:
    counts = sorted({phase.times_per_day for phase in t.phases})
    return f"Doses a day: {', '.join(map(str, counts))}; most {limits.max_per_day}; least {limits.min_per_day}."


def choose_clearing(observed: Facts, limit: Facts) -> str:
    side = "At most" if int(observed["doses_per_day"]) > int(limit["doses_per_day"]) else "At least"
    return f"{side} {{doses_per_day}}"


RULE = Rule(
    code="frequency",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5", "22"),
    needs_dose=True,
    choose_clearing=choose_clearing,
)
