"""Directions read back while they are typed: a sentence, the course as a table and a line, and the tablets it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any

from baclofen_rules import Reading, read_directions
from baclofen_rules.review import Course
from dispensary.actions.prescriptions import review_alone
from dispensary.counter.check_view import CourseRow, describe_tablets, keep_together
from dispensary.counter.dose_line import DoseLine, Span
from dispensary.documents.words import describe_doses, mg
from dispensary.errors import InvalidInput
from dispensary.models import Pharmacy

LONGEST_LINE = timedelta(days=28)
"""Days for which the picture goes on after the last phase of an open end."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """The reading of an order, as far as it can be read."""

    sentence: str = ""
    """Empty where the directions cannot be read without doubt."""
    question: str = ""
    """What to ask then."""
    about: str = ""
    """The words in doubt."""
    rows: list[CourseRow] = field(default_factory=list)
    line: DoseLine | None = None
    tablets_needed: Decimal | None = None
    """None where neither directions nor days say how long it lasts."""
    ends_open: bool = False
    """Say whether the last phase has no end."""
    then_stop: bool | None = None
    """Say whether the medicine ends after the last dose; None where the directions do not say."""
    findings: list[str] = field(default_factory=list)
    """What words, quantity and days say against each other."""


def read_back(order: Mapping[str, Any], *, pharmacy: Pharmacy, on: date) -> ReadBack:
    """Read an order as typed; `on` is the first day of its course."""
    strength = order.get("strength_mg")
    reading = read_directions(
        order.get("directions") or "", strength_mg=strength, od_means_once_daily=pharmacy.od_means_once_daily
    )
    if not isinstance(reading, Reading):
        return ReadBack(question=reading.ask, about=reading.about)
    last = reading.phases[-1]
    back = ReadBack(keep_together(reading.sentence), ends_open=last.days is None, then_stop=reading.then_stop)
    try:
        assessment = review_alone(order, pharmacy=pharmacy, on=on)
    except InvalidInput:
        return back
    course = assessment.review.course
    if course is None:
        return back
    rows = course_rows(reading, course, on)
    spans = [
        Span(row.first_on, (row.last_on or row.first_on + LONGEST_LINE) + timedelta(days=1), row.mg_per_day)
        for row in rows
    ]
    return ReadBack(
        back.sentence,
        rows=rows,
        line=DoseLine(on, spans, stops=bool(reading.then_stop)) if spans else None,
        tablets_needed=tablets_of(course, rows, order.get("expected_days"), reading.quantity),
        ends_open=back.ends_open,
        then_stop=reading.then_stop,
        findings=[f.summary for f in assessment.review.findings if f.code in {"directions", "quantity"}],
    )


def course_rows(reading: Reading, course: Course, starts_on: date) -> list[CourseRow]:
    """Return the phases with their dates and tablets, from the first day of the course."""
    rows: list[CourseRow] = []
    total: Decimal | None = Decimal(0)
    for number, (phase, placed) in enumerate(zip(reading.phases, course.phases, strict=True), 1):
        a_day = (
            sum(placed.tablets, Decimal(0)) * (len(phase.doses) if len(placed.tablets) == 1 else 1)
            if placed.tablets
            else None
        )
        tablets = None if a_day is None or phase.days is None else a_day * phase.days
        total = None if total is None or tablets is None else total + tablets
        rows.append(
            CourseRow(
                number,
                starts_on + timedelta(days=placed.from_day - 1),
                None if placed.to_day is None else starts_on + timedelta(days=placed.to_day - 1),
                describe_doses(phase.doses, mg),
                describe_doses(placed.tablets, describe_tablets) if placed.tablets else "",
                len(phase.doses),
                phase.mg_per_day,
                tablets,
                total,
                now=False,
                as_needed=reading.as_needed,
            )
        )
    return rows


def tablets_of(course: Course, rows: list[CourseRow], days: int | None, written: Decimal | None) -> Decimal | None:
    """Return the whole tablets to supply: those the directions name, else the course's, else those of so many days."""
    if written is not None:
        return written
    if course.tablets_needed is not None:
        return course.tablets_needed.to_integral_value(ROUND_CEILING)
    last = course.phases[-1]
    if days is None or not last.tablets or days < last.from_day:
        return None
    a_day = sum(last.tablets, Decimal(0)) * (rows[-1].times if len(last.tablets) == 1 else 1)
    before = sum((row.tablets for row in rows[:-1] if row.tablets is not None), Decimal(0))
    return (before + a_day * (days - last.from_day + 1)).to_integral_value(ROUND_CEILING)
