"""The month of the messages: what left, arrived and was answered, which supplies were followed late, which tapers ended as planned.

Counts only, of one pharmacy; a day is the pharmacy's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from statistics import median

from django.db.models import Count, F, Min, Q, QuerySet

from dispensary.models import (
    ConsentAnswer,
    ConsentEvent,
    ConsentSource,
    Delivery,
    DeliveryOutcome,
    Dispense,
    DispenseStatus,
    Medium,
    PatientAnswer,
    Pharmacy,
    Reminder,
    ReminderPlan,
    ReminderState,
)
from dispensary.models.reminders import LIVE, MAY_HAVE_LEFT, ReminderKind

CLOSED_AFTER = timedelta(days=30)
"""The time after a month in which a supply may still be followed; until then its counts may change."""
_NOT_LEFT = (ReminderState.SUPPRESSED, ReminderState.EXPIRED, ReminderState.FAILED)


class Lateness(StrEnum):
    """The days from the first day without tablets to the next hand-over."""

    ON_TIME = "on time"
    DAYS_1_2 = "1 or 2 days late"
    DAYS_3_7 = "3 to 7 days late"
    OVER_7 = "over 7 days late"
    NEVER = "not collected in 30 days"


LATE = (Lateness.DAYS_1_2, Lateness.DAYS_3_7, Lateness.OVER_7, Lateness.NEVER)


@dataclass(frozen=True, slots=True)
class KindCounts:
    """Messages of one kind that were due. `arrived` counts those with a receipt: of channels without any, none."""

    kind: ReminderKind
    due: int
    left: int
    arrived: int
    not_left: int
    not_allowed: int
    """Of those that did not leave, the ones whose patient was not asked, had refused, or has no address."""
    answered: int


@dataclass(frozen=True, slots=True)
class ChannelCounts:
    """Messages that one channel took; `arrived` and `failed` by receipts, `unknown` without any."""

    medium: Medium
    channel: str
    taken: int
    arrived: int
    failed: int

    @property
    def unknown(self) -> int:
        return self.taken - self.arrived - self.failed


_TAKEN = (*LIVE, DeliveryOutcome.UNDELIVERED, DeliveryOutcome.BOUNCED, DeliveryOutcome.COMPLAINED)
_ARRIVED = (DeliveryOutcome.DELIVERED, DeliveryOutcome.COMPLAINED)
_NOT_ARRIVED = (DeliveryOutcome.UNDELIVERED, DeliveryOutcome.BOUNCED)
_STOP_SOURCES = (ConsentSource.REPLY, ConsentSource.ONE_CLICK, ConsentSource.PATIENT_PAGE, ConsentSource.PROVIDER)
"""The ways in which a reader ends messages without staff."""


@dataclass(frozen=True, slots=True)
class Refills:
    """Supplies that ran out in a month with more needed, by how late the next one followed."""

    month: date
    counts: Counter[Lateness]

    @property
    def supplies(self) -> int:
        return sum(self.counts.values())

    @property
    def late(self) -> int:
        return sum(self.counts[lateness] for lateness in LATE)

    @property
    def late_percent(self) -> int | None:
        """Whole per cent; None without a supply."""
        return round(100 * self.late / self.supplies) if self.supplies else None


def first_of_month(day: date, months: int = 0) -> date:
    """Return the first day of the month of a day, or of that so many months later (earlier, if negative)."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _span_of(pharmacy: Pharmacy, month: date) -> tuple[datetime, datetime]:
    return pharmacy.span_of(month, first_of_month(month, 1) - timedelta(days=1))


def _due_in(pharmacy: Pharmacy, month: date) -> QuerySet[Reminder]:
    start, end = _span_of(pharmacy, month)
    return Reminder.objects.filter(pharmacy=pharmacy, due_at__gte=start, due_at__lt=end)


def count_by_kind(pharmacy: Pharmacy, month: date) -> list[KindCounts]:
    """Return the messages that were due in a month, by kind in the order of the kinds; what was withdrawn was not due."""
    rows = _due_in(pharmacy, month)
    states = Counter(
        {(kind, state): count for kind, state, count in rows.values_list("kind", "state").annotate(Count("id"))}
    )
    asked = PatientAnswer.objects.filter(reminder__in=rows)
    answers = dict(asked.values_list("reminder__kind").annotate(Count("reminder", distinct=True)))
    counts = []
    for kind in ReminderKind:
        left = sum(states[kind.value, state] for state in MAY_HAVE_LEFT)
        not_left = sum(states[kind.value, state] for state in _NOT_LEFT)
        if left or not_left:
            arrived = states[kind.value, ReminderState.DELIVERED]
            not_allowed = states[kind.value, ReminderState.SUPPRESSED]
            answered = answers.get(kind.value, 0)
            counts.append(KindCounts(kind, left + not_left, left, arrived, not_left, not_allowed, answered))
    return counts


def count_by_channel(pharmacy: Pharmacy, month: date) -> list[ChannelCounts]:
    """Return what channels took of the messages that were due in a month; one message of several reminders once for each."""
    start, end = _span_of(pharmacy, month)
    rows = Delivery.objects.filter(
        reminder__pharmacy=pharmacy, reminder__due_at__gte=start, reminder__due_at__lt=end, outcome__in=_TAKEN
    )
    sums = rows.values("medium", "channel").annotate(
        taken=Count("id"),
        arrived=Count("id", filter=Q(outcome__in=_ARRIVED)),
        failed=Count("id", filter=Q(outcome__in=_NOT_ARRIVED)),
    )
    return [
        ChannelCounts(Medium(row["medium"]), row["channel"], row["taken"], row["arrived"], row["failed"])
        for row in sums.order_by("medium", "channel")
    ]


def median_hours_to_answer(pharmacy: Pharmacy, month: date) -> float | None:
    """Return the middle time from a message that was due in a month to its first answer, in hours; None without one."""
    asked = _due_in(pharmacy, month).filter(answers__isnull=False)
    times = asked.annotate(sent_at=Min("deliveries__started_at"), answered_at=Min("answers__answered_at"))
    hours = [
        (answered_at - sent_at).total_seconds() / 3600
        for sent_at, answered_at in times.values_list("sent_at", "answered_at")
        if sent_at is not None
    ]
    return median(hours) if hours else None


def count_stops(pharmacy: Pharmacy, month: date) -> int:
    """Return how many patients ended messages of a medium in a month by a reply, a link, the page or their provider."""
    start, end = _span_of(pharmacy, month)
    events = ConsentEvent.objects.filter(
        patient__pharmacy=pharmacy,
        said_at__gte=start,
        said_at__lt=end,
        answer=ConsentAnswer.NO,
        source__in=_STOP_SOURCES,
    )
    return events.values("patient").distinct().count()


def count_refills(pharmacy: Pharmacy, months: Sequence[date], today: date) -> list[Refills]:
    """Return for each of consecutive months how late supplies were followed by the next hand-over to the patient.

    Left out: what was cancelled or came back; a supply with no other after it where that may still come, its patient died,
    its order had ended by then, or its taper ends with it.
    """
    start, end = months[0], first_of_month(months[-1], 1)
    supplies = Dispense.objects.completed().filter(pharmacy=pharmacy, run_out_on__gte=start, run_out_on__lt=end)
    later = Q(
        patient__dispenses__handed_over_at__gt=F("handed_over_at"), patient__dispenses__status=DispenseStatus.COMPLETED
    )
    rows = supplies.annotate(next_at=Min("patient__dispenses__handed_over_at", filter=later)).values_list(
        "run_out_on", "next_at", "patient__died_on", "prescription__ended_at", "prescription__then_stop"
    )
    counts: dict[date, Counter[Lateness]] = {month: Counter() for month in months}
    for run_out_on, next_at, died_on, ended_at, then_stop in rows:
        next_on = None if next_at is None else pharmacy.local_day(next_at)
        if next_on is None and (
            today <= run_out_on + CLOSED_AFTER
            or died_on
            or then_stop
            or (ended_at and pharmacy.local_day(ended_at) <= run_out_on)
        ):
            continue
        counts[first_of_month(run_out_on)][_lateness(run_out_on, next_on)] += 1
    return [Refills(month, counts[month]) for month in months]


def _lateness(run_out_on: date, next_on: date | None) -> Lateness:
    days = None if next_on is None else (next_on - run_out_on).days
    if days is None or days > CLOSED_AFTER.days:
        return Lateness.NEVER
    if days <= 0:
        return Lateness.ON_TIME
    if days <= 2:
        return Lateness.DAYS_1_2
    return Lateness.DAYS_3_7 if days <= 7 else Lateness.OVER_7


def count_tapers(pharmacy: Pharmacy, month: date) -> tuple[int, int]:
    """Return how many patients had the last day of a taper in a month, and how many of them reached it as planned."""
    rows = Reminder.objects.filter(
        pharmacy=pharmacy,
        kind=ReminderKind.LAST_DAY,
        local_date__gte=month,
        local_date__lt=first_of_month(month, 1),
    )
    ended = set(rows.values_list("patient_id", flat=True))
    reached = set(rows.exclude(state=ReminderState.WITHDRAWN).values_list("patient_id", flat=True))
    return len(ended), len(reached)


def first_planned_at(pharmacy: Pharmacy) -> datetime | None:
    """Return when messages were first planned at a pharmacy."""
    first: datetime | None = ReminderPlan.objects.filter(pharmacy=pharmacy).aggregate(Min("planned_at"))[
        "planned_at__min"
    ]
    return first


def sum_refills(months: Iterable[Refills]) -> Refills | None:
    """Return the counts of several months together, under the first of them; None without a supply."""
    rows = [refills for refills in months if refills.supplies]
    return Refills(rows[0].month, sum((refills.counts for refills in rows), Counter())) if rows else None
