"""The withdrawal-risk list: whose supply ends or has ended with nothing collected, and who was stopped. A query first.

It reads the summary that each event writes and compares its dates with today. It depends on no message having been sent,
and no answer about messages hides anybody from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from baclofen_rules.text import format_amount
from baclofen_rules.therapy import RiskLevel, risk_level
from baclofen_rules.words import count_days
from dispensary.models import Patient, Pharmacy, TherapySummary, WorkKind, WorklistItem, WorkState
from dispensary.reminders.outcomes import engine_actor
from dispensary.reminders.work import open_work

ASK_AGAIN_AFTER = timedelta(days=2)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class AtRisk:
    """One course on the list. `days_without` is negative while tablets are left."""

    patient: Patient
    prescription_id: UUID | None
    """The order that the last tablets came from; None for a supply recorded from elsewhere."""
    level: RiskLevel
    mg_per_day: Decimal | None
    """On the last day with tablets; None where the record cannot tell."""
    run_out_on: date
    """The first day without tablets, or without the medicine where it was stopped."""
    days_without: int
    tapering: bool

    @property
    def words(self) -> str:
        """The risk in words."""
        if self.level is RiskLevel.STOPPED:
            return (
                f"Stopped {count_days(self.days_without)} ago: watch for withdrawal"
                if self.days_without
                else "Stopped today"
            )
        if self.level is RiskLevel.MAY_BE_OUT and self.days_without >= 0:
            return "May be out of tablets: takes them regularly, ordered as needed"
        if self.days_without > 0:
            return f"Without tablets for {count_days(self.days_without)}: withdrawal may have begun"
        if self.days_without == 0:
            return "The tablets are not enough for today: withdrawal may begin"
        if self.days_without == -1:
            return "Tablets for today only"
        return f"Tablets for {count_days(-self.days_without)}, today among them"

    @property
    def reason(self) -> str:
        """The reason: dose, days, kind of course."""
        dose = "dose not known" if self.mg_per_day is None else f"{format_amount(self.mg_per_day)} mg a day"
        course = "during a taper" if self.tapering else "maintenance"
        if self.level is RiskLevel.STOPPED:
            return f"{dose}, {course}, stopped on {self.run_out_on:%d %b %Y}"
        return f"{dose}, {course}, supply to {self.run_out_on - _DAY:%d %b %Y}, not collected"


def withdrawal_risk(*, pharmacy: Pharmacy, patient: Patient | None = None, now: datetime) -> list[AtRisk]:
    """Return everybody at one pharmacy whose supply ends soon or has ended, or who was stopped, worst first."""
    today = pharmacy.local_day(now)
    rows = _listed(today).filter(pharmacy=pharmacy)
    if patient is not None:
        rows = rows.filter(patient=patient)
    at_risk = [_at_risk(row, today) for row in rows]
    return sorted(at_risk, key=lambda entry: (-entry.days_without, -(entry.mg_per_day or 0)))


def _listed(today: date) -> QuerySet[TherapySummary]:
    return TherapySummary.objects.filter(listed_from__lte=today, listed_until__gte=today).select_related("patient")


def _at_risk(row: TherapySummary, today: date) -> AtRisk:
    since = row.stopped_on or row.first_uncovered_on
    assert since is not None  # a row without a day is not listed
    return AtRisk(
        patient=row.patient,
        prescription_id=row.prescription_id,
        level=risk_level(since, today, as_needed=row.as_needed, is_stopped=row.stopped_on is not None),
        mg_per_day=row.last_mg,
        run_out_on=since,
        days_without=(today - since).days,
        tapering=row.tapering,
    )


def open_risk_work(*, now: datetime) -> int:
    """Turn everybody whose supply has ended into work, at every pharmacy. Asked about again after two days.

    Each turn opens so much; what it leaves is first in the next.
    """
    asked_recently = WorklistItem.objects.filter(patient=OuterRef("patient"), kind=WorkKind.WITHDRAWAL_RISK).filter(
        ~Q(state=WorkState.RESOLVED) | Q(resolved_at__gt=now - ASK_AGAIN_AFTER)
    )
    furthest = now.date() + _DAY  # the day may have begun already, east of here
    ended = TherapySummary.objects.filter(
        listed_from__lte=furthest, listed_until__gte=now.date() - _DAY, first_uncovered_on__lte=furthest
    )
    rows = ended.exclude(Exists(asked_recently)).select_related("patient", "pharmacy").order_by("first_uncovered_on")
    opened = 0
    for row in rows[:500]:
        risk = _at_risk(row, row.pharmacy.local_day(now))
        if risk.days_without < 0:
            continue
        with transaction.atomic():
            opened += open_work(
                WorkKind.WITHDRAWAL_RISK,
                pharmacy_id=row.pharmacy_id,
                patient_id=row.patient_id,
                reason=f"{risk.words}. {risk.reason}.",
                by=engine_actor(row.pharmacy_id),
                now=now,
            )
    return opened
