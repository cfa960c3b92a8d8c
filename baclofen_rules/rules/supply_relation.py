"""Nobody knows whether this supply replaces what runs, or is taken beside it.

Finds: an override when another prescriber, or one that is not known, orders while a supply runs, and neither the orders nor a
person say how the two stand to each other. Until it is answered both are counted.
Errs: on the side of asking: both errors kill, so neither may be silent.
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
from baclofen_rules.findings import CLEAR, Answer, Dur, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import How, Relation
from baclofen_rules.words import CHOICE_AT_THE_COUNTER


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.relation is None or t.relation.relation is not Relation.UNKNOWN or t.relation.how is not How.UNKNOWN:
        return CLEAR
    return (Found(Severity.OVERRIDE, _describe, t),)


def _describe(t: Terms) -> Words:
    courses = list_related_courses(t)
    now = format_amount(t.first_mg)
    both = format_amount(t.first_mg + sum_mg(courses))
    before = describe_courses(t, courses)
    fall = sum_mg(courses) - t.first_mg
    if_replaced = f"; a fall of {format_amount(fall)} mg a day if it replaces that" if fall > 0 else ""
    return Words(
        f"{now} mg a day beside {describe_mg(sum_mg(courses))} a day that runs: {both} mg if both; ask whether it replaces it",
        f"{describe_prescriber(t)} orders {now} mg a day; {before} runs: {both} mg a day if both are taken{if_replaced}.",
        observed={"mg_per_day": now, "together_mg_per_day": both},
        limit={"mg_per_day": format_amount(sum_mg(courses))},
        dur=Dur.INGREDIENT_DUPLICATION,
        detected_issue=choose_duplication_issue(t, courses),
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "It is known how this supply stands to what runs."


RULE = Rule(
    code="supply-relation",
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
