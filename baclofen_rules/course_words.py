"""Words about the courses that an order stands to: how much, of whom, and for how long."""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

from baclofen_rules.findings import DetectedIssue, Dur, Words
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import CourseView
from baclofen_rules.words import clip, count_days, join_words


def courses_in_question(t: Terms) -> list[CourseView]:
    """Return the courses that the order stands to; none where nothing is known of them."""
    if t.therapy is None or t.relation is None:
        return []
    return [t.therapy.course(name) for name in t.relation.to]


def describe_courses(t: Terms, courses: list[CourseView]) -> str:
    """Return ``30 mg a day of Dr A (14 days left)``, for each course."""
    return join_words([_describe(t, course) for course in courses]) if courses else "nothing"


def _describe(t: Terms, course: CourseView) -> str:
    prescriber = prescriber_of(t, course.source)
    of = f" of {prescriber}" if prescriber else ""
    most = "up to " if course.as_needed else ""
    when = " as needed" if course.as_needed else ""
    left = f"{count_days(days_left(course, t.case.on))} left"
    if course.since > t.case.on:
        left = f"planned from {course.since}"
    return f"{most}{mg_words(course.mg)} a day{when}{of} ({left})"


def prescriber_of(t: Terms, source: str) -> str | None:
    """Return the name of the prescriber of an order or a recorded supply."""
    record = t.case.record
    name = None if record is None else record.prescriber_names.get(source)
    return None if name is None else clip(name)


def prescriber_asked(t: Terms) -> str:
    """Return the name of the prescriber of the order in question."""
    ask = t.case.ask
    name = None if ask is None or ask.order is None else prescriber_of(t, ask.order)
    return name or "The prescriber"


def duplication_issue(t: Terms, courses: list[CourseView]) -> DetectedIssue:
    """Return the code of a doubled medicine: of several prescribers where one is another than the order's, or unknown."""
    record, ask = t.case.record, t.case.ask
    recorded = None if record is None or ask is None or ask.order is None else record.find(ask.order)
    own = None if recorded is None else recorded.order.prescriber
    if any(course.prescriber is None or course.prescriber != own for course in courses):
        return DetectedIssue.POLY_PRESCRIBER
    return DetectedIssue.DUPLICATE_INGREDIENT


def say_beside(t: Terms, summary: Callable[[Decimal, str, str], str]) -> Words:
    """Return the words of a dose that is taken beside what runs.

    `summary` makes one sentence of mg a day that run, of mg a day of the order, and of both together.
    """
    courses = courses_in_question(t)
    before = sum_mg(courses)
    now, both = format_amount(t.first_mg), format_amount(t.first_mg + before)
    return Words(
        summary(before, now, both),
        f"{prescriber_asked(t)} orders {now} mg a day beside {describe_courses(t, courses)}: at most {both} mg a day.",
        observed={"mg_per_day": now, "together_mg_per_day": both},
        limit={"mg_per_day": format_amount(before)},
        dur=Dur.INGREDIENT_DUPLICATION,
        detected_issue=DetectedIssue.DUPLICATE_INGREDIENT,
    )


def mg_words(mg: Decimal | None) -> str:
    return "an unknown dose" if mg is None else f"{format_amount(mg)} mg"


def days_left(course: CourseView, on: date) -> int:
    """Return the days that a course's tablets still cover, today included."""
    return 0 if course.first_uncovered is None else max(0, (course.first_uncovered - on).days)


def sum_mg(courses: Sequence[CourseView]) -> Decimal:
    """Return the most mg a day of some courses together, of which some are planned to take the place of others.

    An unknown dose counts nothing here and is said apart.
    """
    names = {course.name for course in courses}
    planned = [course for course in courses if names.intersection(course.replaces)]
    replaced = {name for course in planned for name in course.replaces}
    before = [course for course in courses if course not in planned]
    after = [course for course in courses if course.name not in replaced]
    return max(sum((course.mg or Decimal(0) for course in together), Decimal(0)) for together in (before, after))


def strengths_words(strengths: tuple[Decimal | None, ...]) -> str:
    """Return ``25 mg and 10 mg tablets``."""
    amounts = [f"{format_amount(strength)} mg" for strength in strengths if strength is not None]
    return f"{join_words(amounts)} tablets" if amounts else "tablets of an unknown strength"


def ordered_strengths(t: Terms) -> tuple[Decimal | None, ...]:
    """Return the strengths of the order in question."""
    if t.order is None:
        return ()
    return tuple(product.strength_mg for product in t.order.products) or (t.order.strength_mg,)


def is_own_order(t: Terms) -> bool:
    """Say whether the course in question was fed by the order itself."""
    ask = t.case.ask
    courses = courses_in_question(t)
    return ask is not None and bool(courses) and courses[0].source == ask.order


def planned_start(t: Terms) -> date | None:
    """Return the planned start of an order that was not taken before; None where it has none, or was."""
    record, ask = t.case.record, t.case.ask
    if record is None or t.relation is None or ask is None or ask.order is None or is_own_order(t):
        return None
    recorded = record.find(ask.order)
    return None if recorded is None else recorded.order.starts_on
