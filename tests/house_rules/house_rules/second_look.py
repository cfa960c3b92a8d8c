"""A daily dose that our house looks at twice.

Finds: an acknowledgement when the daily dose is above the house's own number.
Errs: on the side of asking.
Source: the house's own number.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, Found, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import Terms


@dataclass(frozen=True, slots=True)
class Limits:
    look_above_mg_per_day: Decimal = number("mg/day", 1, 200)


def check(t: Terms, limits: Limits) -> Answer:
    if t.total_mg > limits.look_above_mg_per_day:
        return (Found(Severity.ACKNOWLEDGE, _describe, t, limits),)
    return CLEAR


def _describe(t: Terms, limits: Limits) -> Words:
    return Words(
        f"{t.total_mg} mg a day is more than our house gives without a second look",
        f"Above {limits.look_above_mg_per_day} mg a day a second person looks.",
        observed={"mg_per_day": str(t.total_mg)},
        limit={"mg_per_day": str(limits.look_above_mg_per_day)},
    )


def explain(t: Terms, limits: Limits) -> str:
    return f"{t.total_mg} mg a day; a second look above {limits.look_above_mg_per_day} mg."


RULE = Rule(
    code="house-second-look",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_dose=True,
    clears=("At most {mg_per_day}",),
)
