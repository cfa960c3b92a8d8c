"""The messages that a therapy makes owing, with their hours and their words' variables. Pure: no clock, no database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import NamedTuple

from baclofen_rules.text import format_amount
from baclofen_rules.therapy import (
    Day,
    DueMessage,
    MessageKind,
    Therapy,
    follow_ups,
    is_step_down,
    messages,
    planned_ends,
)
from dispensary.models.opening import OpeningDays
from dispensary.models.reminders import ReminderKind
from dispensary.reminders.quiet_hours import resolve

_DAY = timedelta(days=1)
LAPSE_LIMIT = timedelta(days=90)
"""Nothing about a refill is sent more than this long after a supply lapsed (45 CFR 164.501, "marketing" (2)(i))."""
EVENING = time(17)
"""The wall time at which a change of dose or the end of the tablets is announced, on a day before it."""
EARLY = time(7)
"""The wall time of what is said on the morning of a day before its first dose; in quiet hours their end. [D]"""
STANDING_FOR = timedelta(days=7)
"""The time after which nobody is told any more of a bag on the shelf, an order that waits, or papers that are wrong. [D]"""
GRACE = timedelta(minutes=30)
"""The time in which papers are put right, or an order released, at the counter before the patient is told. [D]"""
_AT_ONCE = frozenset({ReminderKind.READY, ReminderKind.OWING_READY})
"""Standing kinds that are told without it."""
STEP_CHECK_DAYS = 2
"""Days after the first lower day on which the patient is asked how it goes. [D]"""
END_CHECK_DAYS = 3
"""Days after the first day without the medicine on which the patient is asked how it goes. [D]"""
_ASKS_TO_CALL_TODAY = frozenset({ReminderKind.REFILL_AGAIN, ReminderKind.RUN_OUT})
"""Kinds that leave on a day on which the pharmacy answers: on their own, or the last open one before it."""

_CHECKS = {ReminderKind.STEP_CHECK: STEP_CHECK_DAYS, ReminderKind.AFTER_END: END_CHECK_DAYS + 1}
"""Questions, with the days since the day that their words name: the first lower day, the last with tablets."""


@dataclass(frozen=True, slots=True)
class Hours:
    """The morning at which a pharmacy's messages leave, and its open days."""

    morning: time
    opening: OpeningDays


@dataclass(frozen=True, slots=True)
class Planned:
    """One message owed. `(kind, local_date)` is unique in a plan; never sent at or after `useful_until` (UTC)."""

    kind: ReminderKind
    occurrence: str
    local_date: date
    local_time: time
    useful_until: datetime
    params: Mapping[str, object]
    """Dates and doses for the text; no name."""


def schedule_messages(therapy: Therapy, hours: Hours, zone: tzinfo) -> list[Planned]:
    """Return the messages owed from the therapy's day on, in the order of their dates."""
    due = [*messages(therapy), *follow_ups(therapy, step_check=STEP_CHECK_DAYS, end_check=END_CHECK_DAYS)]
    return [_planned(message, therapy, hours, zone) for message in sorted(due)]


class Standing(NamedTuple):
    """A state of affairs of which the patient is told once, and since when it is so."""

    since: datetime
    kind: ReminderKind
    about: date | None = None
    """The day that the words name; None for that of `since`."""


def schedule_standing(facts: Iterable[Standing], zone: tzinfo) -> list[Planned]:
    """Return the messages about states of affairs: one of a kind a day, at once or after the grace of its kind."""
    first: dict[tuple[ReminderKind, date], Planned] = {}
    for fact in sorted(facts, key=lambda fact: fact.since):
        leaves_at = fact.since + (timedelta(0) if fact.kind in _AT_ONCE else GRACE)
        local = leaves_at.astimezone(zone)
        message = Planned(
            fact.kind,
            local.date().isoformat(),
            local.date(),
            local.time().replace(microsecond=0),
            leaves_at.astimezone(UTC) + STANDING_FOR,
            {"date": local.date().isoformat()}
            if fact.about is None
            else {"date": fact.about.isoformat(), "since": local.date().isoformat()},
        )
        first.setdefault((fact.kind, local.date()), message)
    return list(first.values())


def is_still_true(kind: ReminderKind, params: Mapping[str, object], therapy: Therapy) -> bool:
    """Say whether a message that was planned before still says what the therapy says, whatever its hour."""
    try:
        day = date.fromisoformat(str(params["date"]))
    except (KeyError, TypeError, ValueError):  # variables of another shape say nothing
        return False
    if kind in {ReminderKind.DOSE_CHANGE, ReminderKind.CHANGE_DAY}:
        now_true = _dose_params(day, therapy)
        now_true = {name: value for name, value in now_true.items() if name != "times" or name in params}
        return day in therapy.announced_changes(after=day - _DAY) and now_true == params
    if kind is ReminderKind.STEP_CHECK:
        return day in therapy.announced_changes(after=day - _DAY) and is_step_down(therapy, day)
    if kind is ReminderKind.AFTER_END:
        return day in [last_on - _DAY for last_on, _course in planned_ends(therapy)]
    if kind is ReminderKind.START_DAY:
        return bool(therapy.day(day).mg) and therapy.day(day - _DAY).mg == 0
    if kind is ReminderKind.LAST_DAY:
        return any(message.kind is MessageKind.LAST_DAY and message.on == day for message in messages(therapy))
    return any(
        thread.first_uncovered == day and (kind is ReminderKind.REFILL_DUE or not thread.as_needed)
        for thread in therapy.threads
    )


def _planned(message: DueMessage, therapy: Therapy, hours: Hours, zone: tzinfo) -> Planned:
    kind = ReminderKind(message.kind.value)
    if kind is ReminderKind.DOSE_CHANGE:
        day = message.on + _DAY
        # Wrong from noon of the day itself.
        noon = resolve(day, time(12), zone)
        return Planned(kind, day.isoformat(), message.on, EVENING, noon, _dose_params(day, therapy))
    if kind is ReminderKind.CHANGE_DAY:
        noon, params = resolve(message.on, time(12), zone), _dose_params(message.on, therapy)
        return Planned(kind, message.on.isoformat(), message.on, EARLY, noon, params)
    if kind in _CHECKS:
        day = message.on - _CHECKS[kind] * _DAY
        until = resolve(message.on + _DAY, time(21), zone)
        return Planned(kind, day.isoformat(), message.on, hours.morning, until, {"date": day.isoformat()})
    params = {"date": message.on.isoformat()}
    if kind is ReminderKind.START_DAY:
        evening = resolve(message.on, time(21), zone)
        return Planned(kind, message.on.isoformat(), message.on, EARLY, evening, params)
    if kind is ReminderKind.LAST_DAY:
        return Planned(
            kind, message.on.isoformat(), message.on, hours.morning, resolve(message.on, time(21), zone), params
        )
    uncovered = next(thread.first_uncovered for thread in therapy.threads if thread.course == message.course)
    assert uncovered is not None
    days_after = (message.on - uncovered).days
    until = resolve(_last_useful(kind, message.on, uncovered, therapy), hours.morning, zone)
    occurrence = f"{days_after:+}d" if days_after else "0d"
    # Who hears of it on the morning without tablets has missed a dose before anybody can help.
    day = message.on - _DAY if kind is ReminderKind.RUN_OUT else message.on
    if kind in _ASKS_TO_CALL_TODAY:
        day = hours.opening.last_open(day)
    leaves = EVENING if kind is ReminderKind.RUN_OUT else hours.morning
    return Planned(kind, occurrence, day, leaves, until, {"date": uncovered.isoformat()})


def _last_useful(kind: ReminderKind, on: date, uncovered: date, therapy: Therapy) -> date:
    """Return the day on which a call about the end of a supply is no longer useful: that of the next call."""
    habits = therapy.facts.habits
    again_on, missed_on = uncovered - habits.second_call * _DAY, uncovered + habits.missed_after * _DAY
    if kind is ReminderKind.REFILL_DUE and on < again_on:
        return again_on
    if kind in {ReminderKind.REFILL_DUE, ReminderKind.REFILL_AGAIN}:
        return uncovered
    return missed_on if kind is ReminderKind.RUN_OUT else min(missed_on + 7 * _DAY, uncovered + LAPSE_LIMIT)


def _dose_params(day: date, therapy: Therapy) -> dict[str, object]:
    """Return both doses around a change; the strength only where the tablets of the day are all of one product, and no other
    course is without tablets.

    Without a strength the detailed text cannot name tablets, and the plain one is sent, which refers to the calendar.
    """
    before, after = therapy.day(day - _DAY), therapy.day(day)
    params: dict[str, object] = {"date": day.isoformat(), "before": _doses(before), "after": _doses(after)}
    strengths = [strength for dose in after.doses if not dose.as_needed for strength in dose.strengths]
    if len(strengths) == 1 and strengths[0] is not None and not after.uncovered:
        params["strength"] = format_amount(strengths[0])
        times = [dose.time for dose in after.fixed_doses]
        if all(times):
            params["times"] = times
    return params


def _doses(day: Day) -> list[str]:
    """Return the fixed doses of a day in mg, as text."""
    doses: list[Decimal] = []
    for dose in day.doses:
        if not dose.as_needed:
            doses += dose.phase.doses_together
    return [format_amount(amount) for amount in doses]
