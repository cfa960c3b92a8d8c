"""A dose as needed beside a regular one, of the same prescriber.

Finds: an acknowledgement when one of the two is as needed: both go on.
Errs: on the side of the sum for the most of a day, of nothing for withdrawal: what is taken cannot be known.
Source: design.
"""

from baclofen_rules.course_words import courses_in_question, describe_courses, mg_words, prescriber_asked, sum_mg
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.rule import NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import How


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.relation is None or t.relation.how is not How.AS_NEEDED:
        return CLEAR
    return (Found(Severity.ACKNOWLEDGE, _describe, t),)


def _describe(t: Terms) -> Words:
    courses = courses_in_question(t)
    before = sum_mg(courses)
    now, both = format_amount(t.first_mg), format_amount(t.first_mg + before)
    is_new_as_needed = t.order is not None and t.order.as_needed
    return Words(
        f"{mg_words(before)} a day, and up to {now} mg as needed: at most {both} mg a day"
        if is_new_as_needed
        else f"{now} mg a day, and up to {mg_words(before)} as needed: at most {both} mg a day",
        f"{prescriber_asked(t)} orders {now} mg a day beside {describe_courses(t, courses)}: at most {both} mg a day.",
        observed={"mg_per_day": now, "together_mg_per_day": both},
        limit={"mg_per_day": format_amount(before)},
        dur=Dur.INGREDIENT_DUPLICATION,
        detected_issue=DetectedIssue.DUPLICATE_INGREDIENT,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No dose as needed meets a regular one of the same prescriber."


RULE = Rule(
    code="as-needed-beside",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    needs_record=True,
    answers=(
        "5",
        "7",
    ),
    needs_dose=True,
)
