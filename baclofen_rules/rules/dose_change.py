"""A new dose, or a new plan, of the same prescriber beside the old one.

Finds: an acknowledgement when one prescriber orders another daily dose while the old one runs, or a plan that begins with
the same dose and changes later. A higher dose, a taper to zero, such a plan, and an order that comes after the old one ended
are proposed to replace it; with a lower one nothing is proposed.
Errs: on the side of an acknowledgement: replacement is proposed, because adding is rare; a lower dose may be a reduction or an extra dose.
Source: design.
"""

from baclofen_rules.course_words import describe_courses, describe_mg, describe_prescriber, list_related_courses, sum_mg
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import How, Relation
from baclofen_rules.words import CHOICE_AT_THE_COUNTER


def check(t: Terms, limits: NoLimits) -> Answer:
    relation = t.relation
    if relation is None or relation.how not in (How.SAME_PRESCRIBER, How.LOWER):
        return CLEAR
    return (Found(Severity.ACKNOWLEDGE, _describe, t, relation.relation is Relation.CHANGES),)


def _describe(t: Terms, is_replacement: bool) -> Words:
    courses = list_related_courses(t)
    running_mg = sum_mg(courses)
    mg, running = format_amount(t.first_mg), describe_courses(t, courses)
    ordered = f"{mg} mg a day by another plan" if t.first_mg == running_mg else f"{mg} mg a day"
    total = format_amount(t.first_mg + running_mg)
    return Words(
        f"{ordered} replaces {running}"
        if is_replacement
        else f"{ordered}: instead of or beside {describe_mg(running_mg)} a day?",
        f"{describe_prescriber(t)} orders {ordered}; {running} runs. Together: {total} mg a day.",
        observed={"mg_per_day": mg, "together_mg_per_day": total},
        limit={"mg_per_day": format_amount(running_mg)},
        dur=Dur.REGIMEN,
        detected_issue=DetectedIssue.DOSE,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No dose of the same prescriber changes by this order."


RULE = Rule(
    code="dose-change",
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
