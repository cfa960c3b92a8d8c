"""State of the log at the desk: signatures, copies elsewhere, checks of the last month; a button that asks for one now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from dispensary import policies
from dispensary.actions import log_review
from dispensary.audit import Event
from dispensary.audit.log import reader
from dispensary.conf import conf
from dispensary.counter.access import at_counter
from dispensary.counter.log_standing import read_standing
from dispensary.counter.pages import error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.models import AuditCheckpoint, AuditLog, LogCheck

DAYS_SHOWN = 31


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_read_log)
def checks(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show how the log is kept and when it was checked; ask for a check."""
    errors = []
    if request.method == "POST":
        try:
            log_review.request_check(pharmacy=visit.pharmacy, by=visit.by, now=visit.now)
        except DispensaryError as error:
            errors = error_lines(error, {})
        else:
            messages.success(request, "The log will be verified. This page says how far it is.")
            return redirect("counter:audit-checks")
    log = AuditLog.objects.filter(pharmacy=visit.pharmacy.pk, closed_at=None).first()
    checkpoint = log and AuditCheckpoint.objects.filter(log_id=log.log_id).order_by("-size").first()
    copied_at = reader.last_copied(log.log_id) if log else None
    requests = LogCheck.objects.filter(pharmacy=visit.pharmacy)
    context = {
        "standing": read_standing(visit),
        "log": log,
        "checkpoint": checkpoint,
        "unsigned": min(reader.unsigned_since(visit.pharmacy.pk).values(), default=None),
        "copied_at": copied_at,
        "is_copy_old": copied_at is not None and (visit.now - copied_at).total_seconds() > conf().audit_anchor_max_age,
        "witnessed": reader.last_cosigned(log.log_id) if log else None,
        "running": requests.filter(finished_at=None).first(),
        "finished": requests.exclude(finished_at=None).first(),
        "days": _days(visit),
    }
    return render_page(request, visit, "audit_checks.html", context, errors=errors, status=409 if errors else 200)


@dataclass(frozen=True, slots=True)
class CheckedDay:
    """A day with its checks: how often the log was verified, what was found, whether its review was prepared and signed."""

    day: date
    verified: int
    failed: int
    reviewed: bool
    signed: bool


def _days(visit: Visit) -> list[CheckedDay]:
    """Return the last days, newest first."""
    days = [visit.today - timedelta(days=number) for number in range(DAYS_SHOWN)]
    since = datetime.combine(days[-1], time.min, visit.zone)
    counts = reader.checks_by_day(visit.pharmacy.pk, since, visit.pharmacy.time_zone)
    prepared, signed = (
        reader.subjects_of(visit.pharmacy.pk, event, [day.isoformat() for day in days])
        for event in (Event.LOG_REVIEWED, Event.DAY_SIGNED)
    )
    return [
        CheckedDay(
            day,
            counts.get(day, {}).get(Event.LOG_VERIFIED.value, 0),
            counts.get(day, {}).get(Event.INTERFERENCE.value, 0),
            day.isoformat() in prepared,
            day.isoformat() in signed,
        )
        for day in days
    ]
