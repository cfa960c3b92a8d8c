"""The home of the day: what waits, what is late, owed, at risk or failed, and how the day goes. Counts only, no names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Exists, F, Min, OuterRef, Q
from django.db.models.functions import TruncHour
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.timesince import timesince
from django.views.decorators.http import require_safe

from baclofen_rules.therapy import RiskLevel
from dispensary import policies, reminders
from dispensary.counter.access import at_counter
from dispensary.counter.bar_chart import Bar, BarChart, RowChart
from dispensary.counter.pages import render_page
from dispensary.counter.queue import waiting_orders
from dispensary.counter.reminders import GROUPS
from dispensary.counter.visit import Visit
from dispensary.models import (
    Dispense,
    Finding,
    FindingSeverity,
    OrderState,
    Preparation,
    Reminder,
    Stage,
    WorklistItem,
    WorkState,
)
from dispensary.text import rule_title

WEEKS, LEAST_WEEKS = 8, 6
"""Days of the same weekday that the usual range is counted from, and the fewest of them that tell it."""
MOST_RULES = 6
"""Rules that the chart of findings names."""
WAITS = (
    (timedelta(minutes=10), "under 10 minutes"),
    (timedelta(minutes=30), "10 to 30 minutes"),
    (timedelta(hours=1), "30 minutes to an hour"),
    (timedelta(hours=4), "1 to 4 hours"),
)
"""Times from coming in to ready that the chart counts together, each with the words for less than it."""
LONGER, EARLIER_DAY = "longer", "came in on an earlier day"
FIRST_HOUR, LAST_HOUR = 8, 18
"""Hours that the chart shows at least."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One count, and where its rows are."""

    count: int
    words: str
    address: str
    tone: str
    """A state of the pages: stop, override, acknowledge, ready, done."""
    more: str = ""


@require_safe
@at_counter()
def day(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show the day of the pharmacy."""
    context = {
        "tiles": [*count_orders(visit), *count_bags(visit), *count_work(visit)],
        "may_read_own": policies.may_read_own_answers(visit.by),
        "charts": [
            chart for chart in (chart_hours(visit), chart_waits(visit), chart_findings(visit)) if chart is not None
        ],
        "made_at": visit.time_of(visit.now),
    }
    return render_page(request, visit, "day.html", context)


def count_orders(visit: Visit) -> list[Tile]:
    """Return how many orders wait by what stands in the way; states without orders are left out."""
    queue = reverse("counter:queue")
    waiting = waiting_orders(visit).prefetch_related(None).annotate(is_due=Q(due_on__lte=visit.today))
    counts_of_states = waiting.order_by().values_list("state", "is_due").annotate(Count("pk"), Min("received_at"))
    states, due, oldest = Counter[str](), 0, None
    for state, is_due, count, first_at in counts_of_states:
        states[state] += count
        if is_due:
            due += count
            oldest = first_at if oldest is None else min(oldest, first_at)
    since = f"the oldest for {timesince(oldest, visit.now, depth=1)}" if oldest else ""
    counts = (
        (due, "due now", "", "acknowledge", since),
        (states[OrderState.NEEDS_ANSWER], "to answer", "answer", "override", ""),
        (states[OrderState.BLOCKED], "blocked", "blocked", "stop", ""),
        (states[OrderState.READY], "can be handed over", "ready", "ready", ""),
        (states[OrderState.OWING], "owing", "owing", "acknowledge", ""),
        (states[OrderState.WAITING], "on hold", "", "done", ""),
    )
    return [
        Tile(count, words, f"{queue}?tab={tab}" if tab else queue, tone, more)
        for count, words, tab, tone, more in counts
        if count or words == "due now"
    ]


def count_bags(visit: Visit) -> list[Tile]:
    """Return how many bags wait for a check and how many for their patients."""
    bags = Preparation.objects.filter(pharmacy=visit.pharmacy).order_by()
    stages = Counter(dict(bags.values_list("stage").annotate(Count("pk"))))
    queue = reverse("counter:queue")
    words = ((Stage.PREPARED, "to check", "acknowledge"), (Stage.SHELVED, "on the shelf", "ready"))
    return [
        Tile(stages[stage], words_of, f"{queue}?tab={stage}", tone) for stage, words_of, tone in words if stages[stage]
    ]


def count_work(visit: Visit) -> list[Tile]:
    """Return who is at risk of withdrawal, the work past its time and the messages that failed."""
    if not policies.may_send_reminders(visit.by):
        return []
    levels = Counter(risk.level for risk in reminders.withdrawal_risk(pharmacy=visit.pharmacy, now=visit.now))
    open_work = WorklistItem.objects.filter(pharmacy=visit.pharmacy).exclude(state=WorkState.RESOLVED)
    late = open_work.filter(due_by__lte=visit.now).count()
    failed = Reminder.objects.filter(pharmacy=visit.pharmacy, state__in=GROUPS["failed"][1])
    recent = failed.filter(due_at__gte=visit.now - timedelta(days=7)).count()
    at_risk = reverse("counter:at-risk")
    tiles = (
        Tile(levels[RiskLevel.OVERDUE], "without tablets", at_risk, "stop"),
        Tile(levels[RiskLevel.TODAY] + levels[RiskLevel.SOON], "running out soon", at_risk, "override"),
        Tile(late, "work past its time", at_risk, "override"),
        Tile(recent, "failed messages, 7 days", f"{reverse('counter:reminders')}?show=failed", "stop"),
    )
    return [tile for tile in tiles if tile.count]


def chart_hours(visit: Visit) -> BarChart | None:
    """Return the hand-overs of the day by hour, each with the middle four fifths of the same weekday; None without any."""
    days = [visit.today - timedelta(weeks=week) for week in range(WEEKS + 1)]
    of_these_days = Q()
    for on in days:
        start, end = visit.pharmacy.span_of(on, on)
        of_these_days |= Q(handed_over_at__gte=start, handed_over_at__lt=end)
    rows = (
        Dispense.objects.completed()
        .filter(of_these_days, pharmacy=visit.pharmacy)
        .annotate(hour=TruncHour("handed_over_at", tzinfo=visit.zone))
        .order_by()
        .values_list("hour")
        .annotate(Count("pk"))
    )
    counts = {(hour.astimezone(visit.zone).date(), hour.astimezone(visit.zone).hour): count for hour, count in rows}
    if not any(on == visit.today for on, _ in counts):
        return None
    before = [on for on in days[1:] if any(on == counted for counted, _ in counts)]
    hours = {hour for _, hour in counts} | {FIRST_HOUR, LAST_HOUR}
    bars = []
    for hour in range(min(hours), max(hours) + 1):
        usual = sorted(counts.get((on, hour), 0) for on in before)
        bars.append(Bar(f"{hour:02d}", counts.get((visit.today, hour), 0), middle(usual)))
    return BarChart("hours", "Handed over by hour", "Hour", bars)


def middle(counts: list[int]) -> tuple[int, int] | None:
    """Return the range of the middle four fifths of sorted counts; None for too few days."""
    if len(counts) < LEAST_WEEKS:
        return None
    cut = round(len(counts) * 0.1)
    inner = counts[cut : len(counts) - cut]
    return inner[0], inner[-1]


def chart_waits(visit: Visit) -> RowChart | None:
    """Return how long the orders of today's first supplies took to be ready, from when they came in; None without any."""
    start, end = visit.pharmacy.span_of(visit.today, visit.today)
    earlier = Dispense.objects.filter(
        prescription=OuterRef("prescription"), handed_over_at__lt=OuterRef("handed_over_at")
    )
    rows = (
        Dispense.objects.completed()
        .filter(~Exists(earlier), pharmacy=visit.pharmacy, handed_over_at__gte=start, handed_over_at__lt=end)
        .order_by()
        .values_list("prescription__received_at", "handed_over_at", "preparation__shelved_at")
    )
    counts, waits = Counter[str](), []
    for received_at, handed_over_at, shelved_at in rows:
        wait = (shelved_at or handed_over_at) - received_at
        words = next((words for limit, words in WAITS if wait < limit), LONGER)
        counts[EARLIER_DAY if received_at < start else words] += 1
        if received_at >= start:
            waits.append(wait)
    if not counts:
        return None
    title = "From coming in to ready, orders first supplied today"
    if waits:
        half = sorted(waits)[(len(waits) - 1) // 2]
        title += f" (half of today\u2019s within {half // timedelta(minutes=1) + 1}\u00a0min)"
    named = [*(words for _, words in WAITS), LONGER, EARLIER_DAY]
    return RowChart("waits", title, "Time", [Bar(words, counts[words]) for words in named if counts[words]])


def chart_findings(visit: Visit) -> RowChart | None:
    """Return the orders on which each rule found something today, the commonest rules first; None without any."""
    findings = (
        Finding.objects.filter(
            review__pharmacy=visit.pharmacy,
            review__prescription__isnull=False,
            review__reviewed_at__gte=visit.pharmacy.span_of(visit.today, visit.today)[0],
        )
        .exclude(severity=FindingSeverity.INFORMATION)
        .order_by()
        .values("code")
        .annotate(orders=Count("review__prescription", distinct=True))
        .order_by(F("orders").desc(), "code")
    )
    rows = [(row["code"], row["orders"]) for row in findings]
    if not rows:
        return None
    bars = [Bar(rule_title(code), count) for code, count in rows[:MOST_RULES]]
    others = len(rows) - MOST_RULES
    title = "Orders with a finding today, by rule"
    return RowChart("findings", f"{title} ({others} more rules not shown)" if others > 0 else title, "Rule", bars)
