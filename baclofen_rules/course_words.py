"""Words about the courses that an order stands to: how much, of whom, and for how long."""

from datetime import date
from decimal import Decimal

from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import CourseView
from baclofen_rules.words import clip, join_words


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
    left = days_left(course, t.case.on)
    return f"{most}{mg_words(course.mg)} a day{when}{of} ({count_days(left)} left)"


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


def are_prescribers_different(t: Terms, courses: list[CourseView]) -> bool:
    """Say whether a course in question has another prescriber than the order, or one that nobody knows."""
    record, ask = t.case.record, t.case.ask
    recorded = None if record is None or ask is None or ask.order is None else record.find(ask.order)
    own = None if recorded is None else recorded.order.prescriber
    return any(course.prescriber is None or course.prescriber != own for course in courses)


def mg_words(mg: Decimal | None) -> str:
    return "an unknown dose" if mg is None else f"{format_amount(mg)} mg"


def days_left(course: CourseView, on: date) -> int:
    """Return the days that a course's tablets still cover, today included."""
    return 0 if course.first_uncovered is None else max(0, (course.first_uncovered - on).days)


def count_days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def sum_mg(courses: list[CourseView]) -> Decimal:
    """Return mg a day of some courses together; an unknown dose counts nothing here and is said apart."""
    return sum((course.mg for course in courses if course.mg is not None), Decimal(0))


def strengths_words(strengths: tuple[Decimal | None, ...]) -> str:
    """Return ``25 mg and 10 mg tablets``."""
    known = [f"{format_amount(strength)} mg" for strength in strengths if strength is not None]
    return f"{join_words(known)} tablets" if known else "tablets of an unknown strength"


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
