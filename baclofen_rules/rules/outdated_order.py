"""The dose of this order was replaced or stopped since.

Finds: an override when the course that this order fed was replaced or stopped, and the order would begin it again; when what
was taken was stopped on the day of an order that was never handed over, or since, and nothing runs; also when another dose is
planned to take its place before these tablets would be begun.
Errs: on the side of asking: an older order may be a repeat that nobody cancelled.
Source: design.
"""

from baclofen_rules.course_words import (
    choose_duplication_issue,
    describe_courses,
    describe_mg,
    describe_prescriber,
    list_related_courses,
    sum_mg,
)
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import How
from baclofen_rules.words import CHOICE_AT_THE_COUNTER


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.relation is None or t.relation.how is not How.OUTDATED:
        return CLEAR
    return (Found(Severity.OVERRIDE, _describe, t),)


def _describe(t: Terms) -> Words:
    courses = list_related_courses(t)
    now = format_amount(t.first_mg)
    if not courses:
        return Words(
            f"This order says {now} mg a day; what was taken was stopped since, and nothing runs",
            f"{describe_prescriber(t)} orders {now} mg a day. A person stopped what was taken; nothing else runs.",
            observed={"mg_per_day": now},
            limit={"mg_per_day": "0"},
            dur=Dur.INGREDIENT_DUPLICATION,
            detected_issue=DetectedIssue.DUPLICATE_INGREDIENT,
        )
    since = max(course.since for course in courses)
    when = f"since {since}" if since <= t.case.on else f"from {since} on"
    return Words(
        f"This order says {now} mg a day; {when} the dose is {describe_mg(sum_mg(courses))} a day",
        f"{describe_prescriber(t)} orders {now} mg a day; {when} {describe_courses(t, courses)} stands in its place. "
        f"{format_amount(t.first_mg + sum_mg(courses))} mg a day if both are taken.",
        observed={"mg_per_day": now},
        limit={"mg_per_day": format_amount(sum_mg(courses)), "since": since.isoformat()},
        dur=Dur.INGREDIENT_DUPLICATION,
        detected_issue=choose_duplication_issue(t, courses),
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "The course of this order was neither replaced nor stopped."


RULE = Rule(
    code="outdated-order",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_record=True,
    answers=("5", "7"),
    needs_dose=True,
    clears=(CHOICE_AT_THE_COUNTER,),
)
