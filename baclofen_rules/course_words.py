"""Words for the courses that an order relates to: the dose, the prescriber, the days left."""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

from baclofen_rules.findings import DetectedIssue, Dur, Words
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import CourseView, Relation
from baclofen_rules.words import clip, count_days, join_words


def list_related_courses(t: Terms) -> list[CourseView]:
    """Return the courses that the order in question relates to; none where nothing is known of them."""
    if t.therapy is None or t.relation is None:
        return []
    return [t.therapy.course(name) for name in t.relation.to]


def describe_courses(t: Terms, courses: list[CourseView]) -> str:
    """Return ``30 mg a day of Dr A (14 days left)``, for each course."""
    return join_words([_describe(t, course) for course in courses]) if courses else "nothing"


def _describe(t: Terms, course: CourseView) -> str:
    prescriber = find_prescriber_name(t, course.source)
    of_prescriber = f" of {prescriber}" if prescriber else ""
    dose = f"{describe_mg(course.mg)} a day"
    if course.as_needed:
        dose = f"up to {dose} as needed"
    is_planned = course.since > t.case.on
    days = f"planned from {course.since}" if is_planned else f"{count_days(days_left(course, t.case.on))} left"
    return f"{dose}{of_prescriber} ({days})"


def find_prescriber_name(t: Terms, source: str) -> str | None:
    """Return the name of the prescriber of an order or a recorded supply."""
    record = t.case.record
    name = None if record is None else record.prescriber_names.get(source)
    return None if name is None else clip(name)


def describe_prescriber(t: Terms) -> str:
    """Return the name of the prescriber of the order in question."""
    ask = t.case.ask
    name = None if ask is None or ask.order is None else find_prescriber_name(t, ask.order)
    return name or "The prescriber"


def choose_duplication_issue(t: Terms, courses: list[CourseView]) -> DetectedIssue:
    """Return the code of a doubled medicine: of several prescribers where one is another than the order's, or unknown."""
    record, ask = t.case.record, t.case.ask
    recorded = None if record is None or ask is None or ask.order is None else record.find(ask.order)
    prescriber = None if recorded is None else recorded.order.prescriber
    if any(course.prescriber is None or course.prescriber != prescriber for course in courses):
        return DetectedIssue.POLY_PRESCRIBER
    return DetectedIssue.DUPLICATE_INGREDIENT


def describe_dose_beside(t: Terms, summary: Callable[[Decimal, str, str], str]) -> Words:
    """Return the words of a dose that is taken beside what runs.

    `summary` makes one sentence of mg a day that run, of mg a day of the order, and of both together.
    """
    courses = list_related_courses(t)
    running_mg = sum_mg(courses)
    ordered, total = format_amount(t.first_mg), format_amount(t.first_mg + running_mg)
    return Words(
        summary(running_mg, ordered, total),
        f"{describe_prescriber(t)} orders {ordered} mg a day beside {describe_courses(t, courses)}: at most {total} mg a day.",
        observed={"mg_per_day": ordered, "together_mg_per_day": total},
        limit={"mg_per_day": format_amount(running_mg)},
        dur=Dur.INGREDIENT_DUPLICATION,
        detected_issue=DetectedIssue.DUPLICATE_INGREDIENT,
    )


def describe_mg(mg: Decimal | None) -> str:
    """Return ``30 mg``, or that the dose is unknown."""
    return "an unknown dose" if mg is None else f"{format_amount(mg)} mg"


def days_left(course: CourseView, on: date) -> int:
    """Return the days that a course's tablets still cover, today included."""
    return 0 if course.first_uncovered is None else max(0, (course.first_uncovered - on).days)


def sum_mg(courses: Sequence[CourseView]) -> Decimal:
    """Return the most mg a day of some courses together, of which some are planned to replace others.

    The larger sum of the two: before the planned ones begin, and after. An unknown dose counts as 0; callers name it.
    """
    names = {course.name for course in courses}
    planned = [course for course in courses if names.intersection(course.replaces)]
    replaced = {name for course in planned for name in course.replaces}
    before = [course for course in courses if course not in planned]
    after = [course for course in courses if course.name not in replaced]
    return max(sum((course.mg or Decimal(0) for course in taken), Decimal(0)) for taken in (before, after))


def describe_strengths(strengths: tuple[Decimal | None, ...]) -> str:
    """Return ``25 mg and 10 mg tablets``."""
    amounts = [f"{format_amount(strength)} mg" for strength in strengths if strength is not None]
    return f"{join_words(amounts)} tablets" if amounts else "tablets of an unknown strength"


def list_ordered_strengths(t: Terms) -> tuple[Decimal | None, ...]:
    """Return the strengths of the order in question."""
    if t.order is None:
        return ()
    return tuple(product.strength_mg for product in t.order.products) or (t.order.strength_mg,)


def is_own_order(t: Terms) -> bool:
    """Return whether the related course was supplied on the order itself."""
    ask = t.case.ask
    courses = list_related_courses(t)
    return ask is not None and bool(courses) and courses[0].source == ask.order


def find_planned_start(t: Terms) -> date | None:
    """Return the planned start of an order; None where it has none, or was supplied before."""
    record, ask = t.case.record, t.case.ask
    if record is None or t.relation is None or ask is None or ask.order is None or is_own_order(t):
        return None
    recorded = record.find(ask.order)
    return None if recorded is None else recorded.order.starts_on


def count_days_without(t: Terms, starts_on: date) -> int:
    """Return the days from today to a planned start for which what goes on until then, or is replaced, has no tablets.

    None are without where the order is taken beside what runs, or where that is taken as needed and not every day.
    """
    if t.relation is None or t.relation.relation is Relation.BESIDE or t.cover_end is None or not t.is_continuing:
        return 0
    if not t.previous_low_mg and all(course.as_needed for course in list_related_courses(t)):
        return 0
    return max(0, (starts_on - max(t.cover_end, t.case.on)).days)
