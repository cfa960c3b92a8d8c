"""An order as needed that goes on with a dose taken every day.

Finds: an acknowledgement when the last supply of the same course was for regular doses and the order is as needed.
Errs: on the side of asking: a supply from elsewhere does not say whether it was taken as needed.
Source: the label on withdrawal; that a dose as needed may be left out at once is design.
"""

from decimal import Decimal

from baclofen_rules.course_words import list_related_courses, sum_mg
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import CourseView, Relation
from baclofen_rules.words import format_doses


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.order is None or not t.order.as_needed or not t.is_continuing:
        return CLEAR
    regular_mg = _regular_mg(t)
    return (Found(Severity.ACKNOWLEDGE, _describe, t, regular_mg),) if regular_mg else CLEAR


def _regular_mg(t: Terms) -> Decimal:
    """Return the mg a day that the order goes on with and that were not as needed."""
    if t.relation is None:
        return t.previous_mg
    if t.relation.relation is not Relation.CONTINUES:
        return Decimal(0)
    return sum_mg([course for course in list_related_courses(t) if not _is_as_needed(t, course)])


def _is_as_needed(t: Terms, course: CourseView) -> bool:
    """Return whether the last supply of a course was as needed; one that began with regular doses may go on so."""
    record = t.case.record
    recorded = None if record is None else record.find(course.source)
    return course.as_needed if recorded is None else recorded.order.plan.as_needed


def _describe(t: Terms, regular_mg: Decimal) -> Words:
    before = f"{format_amount(regular_mg)} mg a day"
    return Words(
        f"{before}, taken every day until now, is ordered as needed",
        f"Until now {before}, every day. Ordered as needed: at most {format_doses(t.phases[0])}. Left out at once after regular use,"
        f" {t.case.medicine.name} brings on withdrawal: say so, or ask the prescriber whether it is to end.",
        observed={"as_needed": True, "mg_per_day": format_amount(t.first_mg)},
        limit={"mg_per_day": format_amount(regular_mg)},
        dur=Dur.REGIMEN,
        detected_issue=DetectedIssue.DOSE,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No dose that is taken every day goes on as needed."


RULE = Rule(
    code="as-needed-instead",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5", "10"),
    needs_dose=True,
    clears=("An order for every day",),
)
