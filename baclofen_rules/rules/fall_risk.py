"""An older patient may fall.

Finds: an acknowledgement from the profile's age where the medicine is begun or the dose rises, the daily dose reaches the amount from
which more falls were seen, and a medicine that sedates or lowers the blood pressure stands on the list. Nothing for who goes on as before.
Errs: on the side of asking: from that age and dose on an unknown list of medicines is not assessed.
Source: cohorts of older adults in Canada (2021) and the United States (2024, 2025).
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN, depressant_codes, names_of_classes
from baclofen_rules.profiles.limits import AGE_FACT, number
from baclofen_rules.rule import OnContinuing, Rule
from baclofen_rules.terms import MEDICINES_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import clip


@dataclass(frozen=True, slots=True)
class Limits:
    from_years: Decimal = number("years", 40, 100, words="age from which it is asked")
    from_mg_per_day: Decimal = number("mg/day", 1, 100, words="daily dose from which it is asked")


def check(t: Terms, limits: Limits) -> Answer:
    if t.age is None:
        return (Missing((AGE_FACT,)),)
    if t.age < limits.from_years or t.total_mg < limits.from_mg_per_day:
        return CLEAR
    if t.interacting is None:
        return (Missing((MEDICINES_FACT,)),)
    names = names_of_classes(t.interacting, (*depressant_codes(), "interaction-antihypertensive"))
    return (Found(Severity.ACKNOWLEDGE, _describe, t.age, t.total_mg, limits, names),) if names else CLEAR


def _describe(age: Decimal, mg_per_day: Decimal, limits: Limits, names: tuple[str, ...]) -> Words:
    years, day = format_amount(age), format_amount(mg_per_day)
    least, most = format_amount(limits.from_years), format_amount(limits.from_mg_per_day)
    return Words(
        f"{day} mg a day at {years} years with {clip(names[0], 30)}: a fall is likelier",
        f"Age {years} years, from {least} looked at; {day} mg a day, from {most} mg more falls were seen; medicines that sedate or lower the "
        f"blood pressure: {', '.join(clip(name) for name in names)}. Ask about falls and about getting up at night; a fall is a reason to go lower.",
        observed={"age_years": years, "mg_per_day": day, "medicines": [clip(name) for name in names]},
        limit={"age_years": least, "mg_per_day": most, "medicines": []},
        dur=Dur.AGE,
        detected_issue=DetectedIssue.GERIATRIC,
    )


def explain(t: Terms, limits: Limits) -> str:
    if t.goes_on:
        return "The patient is continuing, and the daily dose does not rise."
    least, most = format_amount(limits.from_years), format_amount(limits.from_mg_per_day)
    return f"Looked at from {least} years, with {most} mg a day or more and a medicine that sedates or lowers the blood pressure."


RULE = Rule(
    code="fall-risk",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    answers=("3", "2", "5"),
    needs_dose=True,
    on_continuing=OnContinuing.SILENT,
    why_continuing="at an unchanged dose there is nothing to decide",
    group="older-adult",
    clears=("A corrected record, where a medicine or a condition is recorded wrongly",),
)
