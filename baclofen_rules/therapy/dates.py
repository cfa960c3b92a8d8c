"""Days on which somebody has to be called or watched: messages to the patient, and the withdrawal-risk list."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from baclofen_rules.therapy.answers import Thread
from baclofen_rules.therapy.course import Ending
from baclofen_rules.therapy.model import ZERO
from baclofen_rules.therapy.views import Therapy

_DAY = timedelta(days=1)


class MessageKind(StrEnum):
    """The messages that follow from a therapy."""

    REFILL_DUE = "refill_due"
    REFILL_AGAIN = "refill_again"
    RUN_OUT = "run_out"
    MISSED_COLLECTION = "missed_collection"
    DOSE_CHANGE = "dose_change"
    LAST_DAY = "last_day"


class DueMessage(NamedTuple):
    """A message and the day it is for, at the patient's wall clock."""

    on: date
    kind: MessageKind
    course: str


class RiskLevel(StrEnum):
    """How near to, or how far past, the last tablet a thread is."""

    SOON = "soon"
    TODAY = "today"
    OVERDUE = "overdue"
    MAY_BE_OUT = "may-be-out"
    """As needed, reported as taken regularly."""
    STOPPED = "stopped"


class Risk(NamedTuple):
    """A row of the withdrawal-risk list."""

    course: str
    level: RiskLevel
    first_uncovered: date
    mg: Decimal | None
    """mg a day of the therapy on the last covered day."""


def messages(therapy: Therapy) -> list[DueMessage]:
    """Return the messages owed from today on, by day; one for equal kind and day."""
    owed: dict[tuple[date, MessageKind], DueMessage] = {}
    for thread in therapy.threads:
        for message in _calls(therapy, thread):
            owed.setdefault((message.on, message.kind), message)
    for change in therapy.changes(after=therapy.today):
        day = therapy.day(change)
        if day.mg:
            owed.setdefault(
                (change - _DAY, MessageKind.DOSE_CHANGE),
                DueMessage(change - _DAY, MessageKind.DOSE_CHANGE, day.running[0]),
            )
    for thread in therapy.threads:
        if thread.ends_on is not None and therapy.day(thread.ends_on - _DAY).mg is not None:
            last_on = thread.ends_on - _DAY
            owed.setdefault((last_on, MessageKind.LAST_DAY), DueMessage(last_on, MessageKind.LAST_DAY, thread.course))
    return sorted(message for message in owed.values() if message.on >= therapy.today)


def _calls(therapy: Therapy, thread: Thread) -> list[DueMessage]:
    """Return the calls about the end of a thread's tablets."""
    uncovered = thread.first_uncovered
    if uncovered is None:
        return []
    habits = therapy.facts.habits
    again_on = uncovered - habits.second_call * _DAY
    calls = []
    due_on = thread.refill_due_on
    if due_on is not None and (thread.as_needed or (again_on - due_on).days > 2):
        calls.append((due_on, MessageKind.REFILL_DUE))
    if not thread.as_needed:
        calls += [
            (again_on, MessageKind.REFILL_AGAIN),
            (uncovered, MessageKind.RUN_OUT),
            (uncovered + habits.missed_after * _DAY, MessageKind.MISSED_COLLECTION),
        ]
    return [DueMessage(on, kind, thread.course) for on, kind in calls]


def risks(therapy: Therapy) -> list[Risk]:
    """Return the rows of the withdrawal-risk list: threads about to be, or long, without tablets, and watched stops."""
    today, habits = therapy.today, therapy.facts.habits
    rows = []
    for thread in therapy.threads:
        uncovered = thread.first_uncovered
        if uncovered is None or not -habits.new_after <= (uncovered - today).days <= habits.second_call:
            continue
        if thread.as_needed:
            if therapy.low_of(thread.last_course, uncovered - _DAY) <= habits.stop_free_mg:
                continue
            level = RiskLevel.MAY_BE_OUT
        else:
            level = RiskLevel.SOON if uncovered > today else RiskLevel.OVERDUE
            level = RiskLevel.TODAY if uncovered == today else level
        rows.append(Risk(thread.course, level, uncovered, thread.mg))
    for course in therapy.ended:
        watched = course.why is Ending.STOPPED and (today - course.on).days < habits.watch
        if watched and (course.mg or ZERO) > habits.stop_free_mg:
            rows.append(Risk(course.course, RiskLevel.STOPPED, course.on, course.mg))
    return rows
