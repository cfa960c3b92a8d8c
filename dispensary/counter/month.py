"""The month of the messages for a manager: sent, arrived, answered; late refills before and after; tapers. Counts only, no names."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dispensary import policies
from dispensary.conf import conf
from dispensary.counter.access import at_counter
from dispensary.counter.audit_desk import FIRST_DAY
from dispensary.counter.bar_chart import Bar, BarChart, RowChart
from dispensary.counter.pages import render_page
from dispensary.counter.visit import Visit
from dispensary.reminders import month as months
from dispensary.reminders.month import Refills, first_of_month
from dispensary.replica import read_from_replica

SHOWN_MONTHS = 24


@require_safe
@at_counter(policies.may_change_settings)
def show_month(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show one month, the last whole one unless another is asked for as `month=2026-10`; no month to come."""
    today = visit.pharmacy.local_day(visit.now)
    this_month = first_of_month(today)
    month = min(_read_month(request.GET.get("month", "")) or first_of_month(this_month, -1), this_month)
    past_months = [first_of_month(month, -back) for back in reversed(range(SHOWN_MONTHS))]
    (kinds, history, (ended, reached), channels, hours, stops, began_at), lag = read_from_replica(
        lambda: (
            months.count_by_kind(visit.pharmacy, month),
            months.count_refills(visit.pharmacy, past_months, today),
            months.count_tapers(visit.pharmacy, month),
            months.count_by_channel(visit.pharmacy, month),
            months.median_hours_to_answer(visit.pharmacy, month),
            months.count_stops(visit.pharmacy, month),
            months.first_planned_at(visit.pharmacy),
        ),
        at_most=timedelta(seconds=conf().replica_seconds),
    )
    if request.GET.get("format") == "csv":
        values: list[tuple[str, str, int | str]] = [
            *_list_values(kinds, channels, history[-1]),
            ("median hours to answer", "", "" if hours is None else f"{hours:.1f}"),
            ("patients who ended messages", "", stops),
            ("tapers that were to end", "", ended),
            ("tapers that ended as planned", "", reached),
        ]
        if lag is not None:
            values.append(("seconds behind", "copy of the database", round(lag.total_seconds())))
        return _send_csv(month, values)
    began = None if began_at is None else visit.pharmacy.local_day(began_at)
    charts = [
        RowChart(
            "left", "Messages that left, by kind", "Kind", [Bar(row.kind.label.capitalize(), row.left) for row in kinds]
        ),
        BarChart(
            "late",
            "Late refills, per cent of the supplies that ran out in the month",
            "Month",
            [
                Bar(f"{refills.month:%b %y}", refills.late_percent)
                for refills in history
                if refills.late_percent is not None
            ],
        ),
        RowChart(
            "lateness",
            "When the next supply was handed over",
            "Next supply",
            [Bar(lateness.value.capitalize(), history[-1].counts[lateness]) for lateness in months.Lateness],
        ),
    ]
    context = {
        "month": month,
        "before": first_of_month(month, -1),
        "after": first_of_month(month, 1) if month < this_month else None,
        "is_open": today < first_of_month(month, 1) + months.CLOSED_AFTER,
        "kinds": kinds,
        "channels": channels,
        "hours": hours,
        "stops": stops,
        "due": sum(row.due for row in kinds),
        "left": sum(row.left for row in kinds),
        "arrived": sum(row.arrived for row in kinds),
        "answered": sum(row.answered for row in kinds),
        "refills": history[-1],
        "began": began,
        "earlier": _sum_of(history, began, is_before=True),
        "later": _sum_of(history, began, is_before=False),
        "ended": ended,
        "reached": reached,
        "lag": lag,
        "charts": [chart for chart in charts if any(bar.count for bar in chart.bars)],
    }
    return render_page(request, visit, "month.html", context)


def _send_csv(month: date, values: Iterable[tuple[str, str, int | str]]) -> HttpResponse:
    """Send measure, what it is of, and value, a line each."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="messages-{month:%Y-%m}.csv"'
    writer = csv.writer(response)
    writer.writerow(["month", "measure", "of", "value"])
    writer.writerows([f"{month:%Y-%m}", *row] for row in values)
    return response


def _list_values(
    kinds: list[months.KindCounts], channels: list[months.ChannelCounts], refills: Refills
) -> Iterator[tuple[str, str, int]]:
    """Yield measure, what it is of, and value."""
    for row in kinds:
        for measure in ("due", "left", "arrived", "not_left", "not_allowed", "answered"):
            yield f"messages {measure.replace('_', ' ')}", row.kind.value, getattr(row, measure)
    for channel in channels:
        for measure in ("taken", "arrived", "failed", "unknown"):
            yield f"deliveries {measure}", f"{channel.medium.value} {channel.channel}", getattr(channel, measure)
    for lateness in months.Lateness:
        yield "next supply", lateness.value, refills.counts[lateness]


def _read_month(text: str) -> date | None:
    """Return the first day of a month such as 2026-10; None for what is none, or before all logs."""
    try:
        month = date.fromisoformat(f"{text}-01")
    except ValueError:
        return None
    return month if month >= FIRST_DAY else None


def _sum_of(history: list[Refills], began: date | None, *, is_before: bool) -> Refills | None:
    """Return the whole months before messages began, or those after; that in which they began is in neither."""
    if began is None:
        return None
    start = first_of_month(began)
    return months.sum_refills(row for row in history if (row.month < start if is_before else row.month > start))
