"""The planner: what one dispense makes owing. A pure function of its facts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal

from dispensary.models.reminders import ReminderKind
from dispensary.reminders.quiet_hours import resolve

_DAY = timedelta(days=1)
LAPSE_LIMIT = timedelta(days=90)
"""Nothing about a refill is sent more than this long after a supply lapsed (45 CFR 164.501, "marketing" (2)(i))."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The pharmacy's habits: how many days around the run-out date, and at which wall time.

    ``refill_lead_days`` and ``second_call_days`` count back from the first day without supply, ``missed_after_days``
    counts on from it. A change of dose is announced the day before, at ``evening``.
    """

    refill_lead_days: int = 7
    second_call_days: int = 2
    missed_after_days: int = 2
    morning: time = time(10)
    evening: time = time(17)

    def __post_init__(self) -> None:
        if not 1 <= self.refill_lead_days <= 60:
            raise ValueError(f"refill_lead_days is {self.refill_lead_days}, expected 1 to 60")
        if not 1 <= self.second_call_days <= 60 or not 1 <= self.missed_after_days <= 60:
            raise ValueError("second_call_days and missed_after_days must be 1 to 60")


@dataclass(frozen=True, slots=True)
class DoseChange:
    """From the morning of ``on`` the day's doses in mg are ``after`` instead of ``before``; empty ``after`` is none."""

    on: date
    before: tuple[Decimal, ...]
    after: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the planner may know of one dispense.

    ``run_out_on`` is the first day not covered, supply carried over included. ``ends_on`` is the first day after the
    course where the course is known to end, and ``None`` for a maintenance course, which goes on with the next supply.
    """

    handed_over_on: date
    run_out_on: date
    ends_on: date | None = None
    changes: tuple[DoseChange, ...] = ()
    timing: Timing = field(default_factory=Timing)

    @property
    def needs_more(self) -> bool:
        """Is another supply needed after this one?"""
        return self.ends_on is None or self.run_out_on < self.ends_on

    def digest(self, *more: str) -> str:
        """A short hash of everything the plan depends on; equal facts mean an equal plan."""
        return hashlib.sha256("\n".join([repr(self), *more]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Planned:
    """One message owed: ``(kind, occurrence)`` is unique in a plan; never sent at or after ``useful_until`` (UTC)."""

    kind: ReminderKind
    occurrence: str
    local_date: date
    local_time: time
    useful_until: datetime
    change: DoseChange | None = None


def plan(facts: Facts, today: date, zone: tzinfo) -> list[Planned]:
    """Everything still owed after this dispense, in the order of its dates: also what should have been said by now and
    is still true, which is owed at once. Who plans again leaves out what has been said."""
    messages = [*_changes(facts, zone), *_last_day(facts, zone), *_refills(facts, zone)]
    return sorted(
        (message for message in messages if _is_true(message, today, zone)),
        key=lambda message: (message.local_date, message.kind),
    )


def _is_true(message: Planned, today: date, zone: tzinfo) -> bool:
    """A call ends where the next one begins, and of two only the later is made on its day; a change of dose is told until it is."""
    last = message.useful_until.astimezone(zone).date()
    return message.local_date >= today or (last >= today if message.change else last > today)


def _changes(facts: Facts, zone: tzinfo) -> list[Planned]:
    """The evening before each change that this supply reaches. Wrong from noon of the day itself."""
    return [
        Planned(
            kind=ReminderKind.DOSE_CHANGE,
            occurrence=change.on.isoformat(),
            local_date=change.on - _DAY,
            local_time=facts.timing.evening,
            useful_until=resolve(change.on, time(12), zone),
            change=change,
        )
        for change in facts.changes
        if change.after and facts.handed_over_on < change.on <= facts.run_out_on
    ]


def _last_day(facts: Facts, zone: tzinfo) -> list[Planned]:
    if facts.ends_on is None or facts.needs_more or facts.ends_on - _DAY <= facts.handed_over_on:
        return []
    last = facts.ends_on - _DAY
    return [
        Planned(ReminderKind.LAST_DAY, last.isoformat(), last, facts.timing.morning, resolve(last, time(21), zone)),
    ]


def _refills(facts: Facts, zone: tzinfo) -> list[Planned]:
    """The calls around the run-out date. Each one is true until the next one is due."""
    if not facts.needs_more or facts.run_out_on <= facts.handed_over_on:
        return []
    timing, gone = facts.timing, facts.run_out_on
    first = max(gone - timing.refill_lead_days * _DAY, facts.handed_over_on + _DAY)
    second = gone - timing.second_call_days * _DAY
    missed = gone + timing.missed_after_days * _DAY
    calls = [(ReminderKind.REFILL_DUE, f"-{(gone - first).days}d", first)] if first < gone else []
    if first < second:
        calls.append((ReminderKind.REFILL_AGAIN, f"-{timing.second_call_days}d", second))
    calls.append((ReminderKind.RUN_OUT, "0d", gone))
    calls.append((ReminderKind.MISSED_COLLECTION, f"+{timing.missed_after_days}d", missed))
    ends = [day for _, _, day in calls[1:]] + [min(missed + 7 * _DAY, gone + LAPSE_LIMIT)]
    return [
        Planned(kind, occurrence, day, timing.morning, resolve(end, timing.morning, zone))
        for (kind, occurrence, day), end in zip(calls, ends, strict=True)
    ]
