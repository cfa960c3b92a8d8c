"""Days on which somebody has to be called or watched: messages to the patient, and the withdrawal-risk list."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from baclofen_rules.therapy.answers import Thread
from baclofen_rules.therapy.course import Ending
from baclofen_rules.therapy.model import SupplyStatus
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
    START_DAY = "start_day"
    CHANGE_DAY = "change_day"
    STEP_CHECK = "step_check"
    AFTER_END = "after_end"


class DueMessage(NamedTuple):
    """A message and the day it is for, at the patient's wall clock."""

    on: date
    kind: MessageKind
    course: str


class RiskLevel(StrEnum):
    """Levels of withdrawal risk, worst first."""

    OVERDUE = "overdue"
    TODAY = "today"
    SOON = "soon"
    MAY_BE_OUT = "may-be-out"
    """Ordered as needed, reported as taken regularly."""
    STOPPED = "stopped"


class Watch(NamedTuple):
    """A course that the withdrawal-risk list shows on some days."""

    course: str
    since: date
    """The first day without tablets, or without the medicine where it was stopped."""
    mg: Decimal | None
    """mg a day of the therapy on the day before."""
    as_needed: bool
    is_stopped: bool
    listed_from: date
    listed_until: date


class Risk(NamedTuple):
    """A row of the withdrawal-risk list."""

    course: str
    level: RiskLevel
    first_uncovered: date
    mg: Decimal | None
    """mg a day of the therapy on the last covered day."""


def messages(therapy: Therapy) -> list[DueMessage]:
    """Return the messages owed from today on, by day; one for equal kind and day."""
    due = [message for thread in therapy.threads for message in _calls(therapy, thread)]
    for change in therapy.announced_changes(after=therapy.today):
        day = therapy.day(change)
        if day.mg:
            due.append(DueMessage(change - _DAY, MessageKind.DOSE_CHANGE, day.running[0]))
    first_of_kind: dict[tuple[date, MessageKind], DueMessage] = {}
    for message in due:
        first_of_kind.setdefault((message.on, message.kind), message)
    return sorted(message for message in first_of_kind.values() if message.on >= therapy.today)


def follow_ups(therapy: Therapy, *, step_check: int, end_check: int) -> list[DueMessage]:
    """Return the messages of first days and days of change, and the questions after steps down and ends, from today on.

    `step_check`, `end_check`: days after the first lower day, and after the first day without the medicine. A step that
    another follows before its question is asked about with that one.
    """
    today = therapy.today
    due = [DueMessage(day, MessageKind.START_DAY, course) for day, course in _starts(therapy) if day >= today]
    changes = therapy.announced_changes(after=today - (step_check + 1) * _DAY)
    down = [day for day in changes if is_step_down(therapy, day)]
    handed_over = {supply.on for supply in therapy.facts.supplies if supply.status is SupplyStatus.GIVEN}
    for day in changes:
        if therapy.day(day).mg and day not in handed_over:  # who gets tablets on the day hears it with them
            due.append(DueMessage(day, MessageKind.CHANGE_DAY, therapy.day(day).running[0]))
    for day in down:
        on = day + step_check * _DAY
        if therapy.day(on).mg and not any(day < other <= on for other in down):
            due.append(DueMessage(on, MessageKind.STEP_CHECK, therapy.day(day).running[0]))
    due += [DueMessage(day + end_check * _DAY, MessageKind.AFTER_END, course) for day, course in planned_ends(therapy)]
    return sorted(message for message in set(due) if message.on >= today)


def is_step_down(therapy: Therapy, day: date) -> bool:
    """Say whether less is taken on a day than on the day before, and not nothing."""
    before, after = therapy.day(day - _DAY).mg, therapy.day(day).mg
    return before is not None and bool(after) and after is not None and after < before


def planned_ends(therapy: Therapy) -> list[tuple[date, str]]:
    """Return the first day without the medicine after each planned end, past or to come, with its course."""
    ends = [(thread.ends_on, thread.course) for thread in therapy.threads if thread.is_end_announced and thread.ends_on]
    ends += [(course.on, course.course) for course in therapy.ended if course.why is Ending.PLANNED]
    return [(day, course) for day, course in ends if therapy.day(day).mg == 0 and not therapy.day(day).running]


def _starts(therapy: Therapy) -> list[tuple[date, str]]:
    """Return the first day of what was handed over before it, where nothing is taken on the day before."""
    starts: list[tuple[date, str]] = []
    if therapy.facts.died_on is not None:
        return starts
    for supply in therapy.facts.supplies:
        if supply.order is None or supply.status is not SupplyStatus.GIVEN:
            continue
        day = therapy.supply(supply.id).starts_on
        if day > supply.on and therapy.day(day).mg and therapy.day(day - _DAY).mg == 0:
            starts.append((day, therapy.course_of(supply.id)))
    return starts


def _calls(therapy: Therapy, thread: Thread) -> list[DueMessage]:
    """Return the calls about the end of a thread's tablets, or the message about its last day."""
    uncovered = thread.first_uncovered
    if uncovered is None:
        return _last_day(therapy, thread)
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


def _last_day(therapy: Therapy, thread: Thread) -> list[DueMessage]:
    last_on = therapy.last_day
    if last_on is None or thread.ends_on != last_on + _DAY or not thread.is_end_announced:
        return []
    is_dose_known = therapy.day(last_on).mg is not None
    return [DueMessage(last_on, MessageKind.LAST_DAY, thread.course)] if is_dose_known else []


def watches(therapy: Therapy) -> list[Watch]:
    """Return the courses that the withdrawal-risk list shows, and when: threads that run out, and stopped courses.

    A dose as needed is watched only where more of it is taken regularly than may be stopped at once.
    """
    habits = therapy.facts.habits
    listed_courses = []
    for thread in therapy.threads:
        since = thread.first_uncovered
        if since is None:
            continue
        if thread.as_needed and therapy.low_of(thread.last_course, since - _DAY) <= habits.stop_free_mg:
            continue
        days = (since - habits.second_call * _DAY, since + habits.new_after * _DAY)
        listed_courses.append(Watch(thread.course, since, thread.mg, thread.as_needed, False, *days))
    for course in therapy.ended:
        mg = course.low if course.as_needed else course.mg
        if course.why is Ending.STOPPED and (mg is None or mg > habits.stop_free_mg):
            days = (course.on, course.on + (habits.watch - 1) * _DAY)
            listed_courses.append(Watch(course.course, course.on, course.mg, False, True, *days))
    return listed_courses


def risk_level(since: date, today: date, *, as_needed: bool, is_stopped: bool) -> RiskLevel:
    """Return the level of a listed course on a day."""
    if is_stopped:
        return RiskLevel.STOPPED
    if as_needed:
        return RiskLevel.MAY_BE_OUT
    if since == today:
        return RiskLevel.TODAY
    return RiskLevel.SOON if since > today else RiskLevel.OVERDUE


def risks(therapy: Therapy) -> list[Risk]:
    """Return the rows of the withdrawal-risk list on the day of the therapy."""
    today = therapy.today
    return [
        Risk(
            watch.course,
            risk_level(watch.since, today, as_needed=watch.as_needed, is_stopped=watch.is_stopped),
            watch.since,
            watch.mg,
        )
        for watch in watches(therapy)
        if watch.listed_from <= today <= watch.listed_until
    ]
