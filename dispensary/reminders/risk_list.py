"""The withdrawal-risk list: whose supply ends or has ended with nothing collected. A query first.

It depends on no message having been sent, and no answer about messages hides anybody from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from baclofen_rules.text import format_amount
from dispensary.models import Patient, Pharmacy, ReminderPlan, WorkKind, WorklistItem, WorkState
from dispensary.reminders.outcomes import engine_actor
from dispensary.reminders.planning import course_of
from dispensary.reminders.schedule import LAPSE_LIMIT
from dispensary.reminders.work import open_work

ASK_AGAIN_AFTER = timedelta(days=2)
_DAY = timedelta(days=1)


class RiskLevel(StrEnum):
    """Levels of withdrawal risk, worst first."""

    OVERDUE = "overdue"
    TODAY = "today"
    SOON = "soon"


@dataclass(frozen=True, slots=True)
class AtRisk:
    """One patient on the list. `days_without` is negative while tablets are left."""

    patient: Patient
    plan_id: UUID
    prescription_id: UUID
    level: RiskLevel
    mg_per_day: Decimal
    run_out_on: date
    days_without: int
    tapering: bool

    @property
    def words(self) -> str:
        """The risk in words."""
        if self.level is RiskLevel.OVERDUE:
            return f"Without tablets for {_days(self.days_without)}: withdrawal may have begun"
        if self.level is RiskLevel.TODAY:
            return "The tablets are not enough for today: withdrawal may begin"
        return f"The tablets end in {_days(-self.days_without)}"

    @property
    def reason(self) -> str:
        """The reason: dose, days, kind of course."""
        course = "during a taper" if self.tapering else "maintenance"
        return f"{format_amount(self.mg_per_day)} mg a day, {course}, supply to {self.run_out_on - _DAY:%d %b %Y}, not collected"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def withdrawal_risk(*, pharmacy: Pharmacy, now: datetime) -> list[AtRisk]:
    """Everybody at one pharmacy whose supply ends within its second-call days or has ended, worst first."""
    today = now.astimezone(ZoneInfo(pharmacy.time_zone)).date()
    until = today + pharmacy.second_call_days * _DAY
    plans = _running_out(until, today).filter(pharmacy=pharmacy)
    at_risk = [_at_risk(plan, today) for plan in plans]
    return sorted(at_risk, key=lambda entry: (-entry.days_without, -entry.mg_per_day))


def _running_out(until: date, today: date) -> QuerySet[ReminderPlan]:
    return (
        ReminderPlan.objects.filter(ended_at__isnull=True, more_needed=True, patient__died_on__isnull=True)
        .filter(run_out_on__lte=until, run_out_on__gte=today - LAPSE_LIMIT)
        .select_related("patient", "dispense__prescription", "pharmacy")
        .prefetch_related("dispense__prescription__phases")
    )


def _at_risk(plan: ReminderPlan, today: date) -> AtRisk:
    without = (today - plan.run_out_on).days
    level = RiskLevel.OVERDUE if without > 0 else RiskLevel.TODAY if without == 0 else RiskLevel.SOON
    doses, tapering = course_of(plan.dispense, min(today, plan.run_out_on - _DAY))
    return AtRisk(
        patient=plan.patient,
        plan_id=plan.pk,
        prescription_id=plan.dispense.prescription_id,
        level=level,
        mg_per_day=sum(doses, Decimal(0)),
        run_out_on=plan.run_out_on,
        days_without=without,
        tapering=tapering,
    )


def open_risk_work(*, now: datetime) -> int:
    """Turn everybody whose supply has ended into work, at every pharmacy. Asked about again after two days."""
    asked_recently = WorklistItem.objects.filter(patient=OuterRef("patient"), kind=WorkKind.WITHDRAWAL_RISK).filter(
        ~Q(state=WorkState.RESOLVED) | Q(resolved_at__gt=now - ASK_AGAIN_AFTER)
    )
    furthest = now.date() + _DAY  # the day may have begun already, east of here
    opened = 0
    for plan in _running_out(furthest, now.date()).exclude(Exists(asked_recently))[:500]:
        risk = _at_risk(plan, now.astimezone(ZoneInfo(plan.pharmacy.time_zone)).date())
        if risk.level is RiskLevel.SOON:
            continue
        with transaction.atomic():
            opened += open_work(
                WorkKind.WITHDRAWAL_RISK,
                pharmacy_id=plan.pharmacy_id,
                patient_id=plan.patient_id,
                reason=f"{risk.words}. {risk.reason}.",
                by=engine_actor(plan.pharmacy_id),
                now=now,
            )
    return opened
