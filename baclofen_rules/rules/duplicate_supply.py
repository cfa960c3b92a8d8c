"""Another supply of the medicine is running.

Finds: an override when a supply marked concurrent covers today, or when a medicine of the patient is another product of it
by mouth (a liquid, granules, a relative). In the second case format an acknowledgement when a person decided
that another course goes on beside this one; where nobody decided the rule supply-relation asks.
Errs: on the side of asking: an early concurrent supply runs on after its own days. The plain medicine among the medicines is left to
the interactions, since it may be this course.
Source: design.
"""

from baclofen_rules.course_words import describe_courses, sum_mg
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import HISTORY_FACT, MEDICINES_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import CourseView, OrderRelation
from baclofen_rules.words import clip


def check(t: Terms, limits: NoLimits) -> Answer:
    answer: Answer = CLEAR
    if t.relation is not None:
        answer = _check_decided(t, t.relation)
    elif t.concurrent_mg:
        answer = (Found(Severity.OVERRIDE, _describe, t),)
    if t.other_oral_products:
        answer = (*answer, Found(Severity.OVERRIDE, _describe_medicines, t))
    lacking = ((HISTORY_FACT,) if t.history_unknown else ()) + (
        (MEDICINES_FACT,) if t.patient.medicines is None else ()
    )
    return (*answer, Missing(lacking)) if lacking else answer


def _check_decided(t: Terms, relation: OrderRelation) -> Answer:
    """A course of which a person said that it is taken beside this one: told at each supply."""
    if t.therapy is None or not relation.decided_beside:
        return CLEAR
    return (Found(Severity.ACKNOWLEDGE, _describe_decided, t, [t.therapy.course(n) for n in relation.decided_beside]),)


def _describe_decided(t: Terms, courses: list[CourseView]) -> Words:
    other, total = format_amount(sum_mg(courses)), format_amount(t.total_mg)
    return Words(
        f"{other} mg a day is taken beside this supply, as was decided: at most {total} mg a day together",
        f"Beside this supply goes on: {describe_courses(t, courses)}. At most {total} mg a day together.",
        observed={"mg_per_day": total},
        limit={"mg_per_day": other},
        dur=Dur.INGREDIENT_DUPLICATION,
        detected_issue=DetectedIssue.DUPLICATE_INGREDIENT,
    )


def _describe_medicines(t: Terms) -> Words:
    names = t.other_oral_products
    return Words(
        f"{clip(names[0])}, another product of {t.case.medicine.name} by mouth, is among the medicines",
        f"Medicines of the patient: {', '.join(clip(name) for name in names)}. Its dose is not known here and adds to this one; ask "
        "whether it goes on.",
        observed={"medicines": list(names)},
        limit={"medicines": []},
        dur=Dur.INGREDIENT_DUPLICATION,
        detected_issue=DetectedIssue.DUPLICATE_INGREDIENT,
    )


def _describe(t: Terms) -> Words:
    other = format_amount(t.concurrent_mg)
    return Words(
        f"Another supply of {t.case.medicine.name}, {other} mg a day, covers today",
        f"Concurrent supplies that cover {t.case.on}: {other} mg a day together.",
        observed={"mg_per_day": other},
        limit={"mg_per_day": "0"},
        dur=Dur.INGREDIENT_DUPLICATION,
        detected_issue=DetectedIssue.DUPLICATE_INGREDIENT,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return f"No concurrent supply covers today, and no other product of {t.case.medicine.name} is among the medicines."


RULE = Rule(
    code="duplicate-supply",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("7", "5"),
    clears=("The other supply stopped, or taken off the patient\u2019s list where it has ended",),
)
