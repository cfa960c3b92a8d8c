"""The same dose in tablets of another strength.

Finds: an acknowledgement when a supply goes on with the same daily dose, but in tablets of another strength, while old ones are left.
Errs: on the side of a word too many: the same count of other tablets is another dose.
Source: design.
"""

from decimal import Decimal

from baclofen_rules.course_words import describe_strengths, list_ordered_strengths, list_related_courses
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import CourseView, Relation
from baclofen_rules.words import CHOICE_AT_THE_COUNTER, count_days, verb_for


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.relation is None or t.relation.relation is not Relation.CONTINUES or not t.left_days or t.after is None:
        return CLEAR
    strengths = list_ordered_strengths(t)
    courses = list_related_courses(t)
    if not courses or set(courses[0].strengths) == set(strengths):
        return CLEAR
    return (Found(Severity.ACKNOWLEDGE, _describe, t, courses[0], strengths),)


def _describe(t: Terms, course: CourseView, strengths: tuple[Decimal | None, ...]) -> Words:
    mg, now, before = format_amount(t.first_mg), describe_strengths(strengths), describe_strengths(course.strengths)
    left = count_days(t.left_days)
    return Words(
        f"The same {mg} mg a day, now in {now}; {left} of {before} {verb_for(t.left_days)} left",
        f"{mg} mg a day in {now} instead of {before}; the old tablets cover the days before {t.cover_end}: {left}. "
        "Old tablets first, or all of them back.",
        observed={"strengths": now, "days_left": str(t.left_days)},
        limit={"strengths": before},
        dur=Dur.PRODUCT_SELECTION,
        detected_issue=DetectedIssue.PRODUCT,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No tablets of another strength are left of the same dose."


RULE = Rule(
    code="other-strength",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_record=True,
    answers=("5", "2"),
    needs_dose=True,
    clears=(CHOICE_AT_THE_COUNTER,),
)
