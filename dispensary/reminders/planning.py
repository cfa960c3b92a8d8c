"""Plan the reminders of a dispense, and withdraw them, in the transaction of the cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet

from baclofen_rules.text import format_amount
from dispensary import audit
from dispensary.actors import Actor
from dispensary.courses import SupplyDays, course_start, course_start_of, planned_regimen
from dispensary.models import (
    Dispense,
    DispenseStatus,
    DoseUnit,
    Patient,
    Phase,
    Prescription,
    PrescriptionStatus,
    Reminder,
    ReminderPlan,
    Withdrawal,
)
from dispensary.models.pharmacy import QuietHours
from dispensary.models.reminders import ReminderKind
from dispensary.reminders import plans
from dispensary.reminders.quiet_hours import manners, place, resolve
from dispensary.reminders.schedule import LAPSE_LIMIT, DoseChange, Facts, Planned, Timing, plan
from dispensary.supplies import orders_beside

_SUPPLY_BEFORE_COUNTS = frozenset(
    {
        Withdrawal.DISPENSE_CANCELLED,
        Withdrawal.DISPENSE_RETURNED,
        Withdrawal.PRESCRIPTION_STOPPED,
    }
)
_COURSE_GOES_ON = (
    PrescriptionStatus.ACTIVE,
    PrescriptionStatus.ON_HOLD,
    PrescriptionStatus.COMPLETED,
    PrescriptionStatus.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The number of reminders withdrawn, and the ids of those already on their way."""

    count: int
    on_their_way: tuple[int, ...]


@cache
def tzdb_version() -> str:
    """The version of the time zone data that a `due_at` was derived with."""
    return version("tzdata")


def manners_of(patient: Patient) -> tuple[ZoneInfo, QuietHours]:
    """The patient's zone and the hours in which no message leaves."""
    pharmacy = patient.pharmacy
    return manners(patient.zone, pharmacy.time_zone, pharmacy.quiet_from, pharmacy.quiet_until)


def timing_of(refill_lead_days: int, second_call_days: int, message_at: time) -> Timing:
    """A pharmacy's habits. What the planner would not accept, the database does not keep."""
    return Timing(refill_lead_days=refill_lead_days, second_call_days=second_call_days, morning=message_at)


def _course(
    ordered: Iterable[Phase], then_stop: bool | None, starts_on: date
) -> tuple[tuple[DoseChange, ...], date | None]:
    """The changes of dose with their days, and the first day after the course where it is meant to end."""
    phases = [phase for phase in ordered if phase.unit == DoseUnit.MG]
    changes: list[DoseChange] = []
    day = starts_on
    for phase, following in zip(phases, [*phases[1:], None], strict=True):
        if phase.days is None:
            return tuple(changes), None
        day += timedelta(days=phase.days)
        after = tuple(following.doses) if following else ()
        if (following or then_stop) and tuple(phase.doses) != after:
            changes.append(DoseChange(day, tuple(phase.doses), after))
    return tuple(changes), day if phases and then_stop else None


def _end_of_replaced(ends_on: date | None, replaced_on: date) -> date | None:
    """Return the end of a replaced course: none, unless it was over when it was replaced."""
    return ends_on if ends_on and ends_on <= replaced_on else None


def course_of(dispense: Dispense, day: date) -> tuple[tuple[Decimal, ...], bool]:
    """The doses of one day of the course that a dispense belongs to, and whether the course is a taper."""
    phases = [phase for phase in dispense.prescription.phases.all() if phase.unit == DoseUnit.MG]
    if not phases:
        return (), False
    tapering = any(sum(after.doses) < sum(before.doses) for before, after in pairwise(phases))
    left = (day - course_start_of(dispense)).days
    for phase in phases:
        if phase.days is None or left < phase.days:
            return tuple(phase.doses), tapering
        left -= phase.days
    return tuple(phases[-1].doses), tapering


def facts_of_dispense(dispense: Dispense, patient: Patient, zone: ZoneInfo) -> Facts:
    """The course as the planner wants it."""
    order, pharmacy = dispense.prescription, patient.pharmacy
    changes, ends_on = _course(order.phases.all(), order.then_stop, course_start_of(dispense))
    if order.status == PrescriptionStatus.REPLACED and order.ended_at:
        changes, ends_on = (), _end_of_replaced(ends_on, order.ended_at.astimezone(zone).date())
    timing = timing_of(pharmacy.refill_lead_days, pharmacy.second_call_days, pharmacy.message_at)
    return Facts(dispense.handed_over_at.astimezone(zone).date(), dispense.run_out_on, ends_on, changes, timing)


@transaction.atomic(savepoint=False)
def plan_after_dispense(*, dispense: Dispense, by: Actor, now: datetime) -> ReminderPlan | None:
    """Plan what this dispense makes owing, and withdraw what an earlier plan still owed.

    Runs in the dispense's transaction: both or neither. Planning again with equal facts does nothing; with other facts,
    what has been said, is being said or was decided by a person stays as it is. Nothing is planned for a patient who has
    died. Returns the plan in force.

    Supplies follow each other: one ends what the one before it made owing, on whichever prescription. A supply keeps its
    plan beside the new one where it lasts longer and is to be continued, or where its order runs beside the new order, so
    that its own run-out is not forgotten.
    """
    stored = plans.read(dispense)
    if stored.died_on:
        return None
    zone, quiet = manners(stored.zone_name, stored.pharmacy_zone, stored.quiet_from, stored.quiet_until)
    supplies = [*stored.earlier_supplies(), SupplyDays(dispense.starts_on, dispense.run_out_on)]
    begins_on = course_start(planned_regimen(stored.phases(), stored.then_stop), supplies, stored.profile)
    changes, ends_on = _course(stored.phases(), stored.then_stop, begins_on)
    if stored.replaced_at:
        changes, ends_on = (), _end_of_replaced(ends_on, stored.replaced_at.astimezone(zone).date())
    timing = timing_of(stored.refill_lead_days, stored.second_call_days, stored.message_at)
    handed_over_on = dispense.handed_over_at.astimezone(zone).date()
    facts = Facts(handed_over_on, dispense.run_out_on, ends_on, changes, timing)
    digest = facts.digest(str(dispense.pk), str(zone), repr(quiet))
    replaced = None
    in_force = stored.in_force()
    is_first = all(other.prescription_id != dispense.prescription_id for other in in_force)
    beside = orders_beside(dispense) if is_first and in_force else {other.prescription_id for other in in_force}
    for other in in_force:
        if other.prescription_id != dispense.prescription_id and _goes_on_beside(other, facts, dispense, beside):
            continue
        if other.dispense_id == dispense.pk:
            if other.digest == digest:
                plans.stamp(plan_id=other.id, timing_version=stored.timing_version)
                return ReminderPlan.objects.get(pk=other.id)
            replaced = other
        else:
            reason = Withdrawal.NEW_DISPENSE
            _end_plan(other.id, stored.pharmacy_id, dispense.patient_id, reason=reason, by=by, now=now)
    new = ReminderPlan(
        pharmacy_id=stored.pharmacy_id,
        patient_id=dispense.patient_id,
        dispense_id=dispense.pk,
        version=(stored.version or 0) + 1,
        facts_digest=digest,
        run_out_on=facts.run_out_on,
        more_needed=facts.needs_more,
        timing_version=stored.timing_version,
        planned_at=now,
    )
    gone = plans.replace(plan_id=replaced.id, new_id=new.pk, now=now) if replaced else plans.Replaced()
    over = {_meaning(kind, occurrence) for kind, occurrence in stored.sent_messages() | gone.carried}
    rows = [
        row
        for row in _reminder_rows(new, facts, zone, quiet, now, strength=dispense.strength_mg)
        if _meaning(row.kind, row.occurrence) not in over
    ]
    plans.write(new, rows, str(zone), tzdb_version())
    if gone.held_back:
        plans.hold_back(plan_id=new.pk, now=now)
    if replaced:
        _record_replaced(new, by, now, withdrawn=gone.withdrawn, carried_over=len(gone.carried), planned=len(rows))
    return new


def _meaning(kind: str, occurrence: str) -> tuple[str, str]:
    """Return the key of a message's meaning: of one supply each call is made once, each change announced once."""
    return (kind, occurrence if kind == ReminderKind.DOSE_CHANGE else "")


def _record_replaced(new: ReminderPlan, by: Actor, now: datetime, **counts: int) -> None:
    audit.record(
        audit.Event.REMINDER_PLANNED,
        pharmacy=new.pharmacy_id,
        by=by,
        now=now,
        subject=audit.Subject("reminderplan", str(new.pk)),
        patient=str(new.patient_id),
        reason_code=Withdrawal.FACTS_CHANGED.value,
        body=counts,
    )


def _goes_on_beside(other: plans.InForce, facts: Facts, dispense: Dispense, beside: set[UUID]) -> bool:
    """Say whether a plan in force of another order stays. Plans that are in force together ran beside each other before."""
    if other.replaced and other.prescription_id in _replaced_by(dispense.prescription_id):
        return False
    is_longer = other.more_needed and other.run_out_on > facts.run_out_on
    return not other.older or is_longer or other.prescription_id in beside


def _replaced_by(prescription_id: UUID) -> set[UUID]:
    """The orders that this one replaces, and those that they replaced."""
    before: set[UUID] = set()
    following: UUID | None = prescription_id
    while following:
        following = Prescription.objects.filter(pk=following).values_list("replaces_id", flat=True).first()
        if following in before:
            break
        if following:
            before.add(following)
    return before


@transaction.atomic(savepoint=False)
def withdraw_for(
    *,
    reason: Withdrawal,
    by: Actor,
    now: datetime,
    dispense: Dispense | None = None,
    prescription: Prescription | None = None,
    patient: Patient | None = None,
) -> Withdrawn:
    """Withdraw what is no longer true: of one dispense, of one prescription's dispenses, or of the patient altogether.

    Give exactly one of the three. Also takes back what a worker has claimed but not begun. When a dispense was cancelled
    or returned, what the supply before it made owing holds again. When an order was replaced, its changes of dose are no
    longer true, but the tablets at home still end on their day: that holds until the new order is handed over.
    """
    about = dispense or prescription or patient
    if about is None or sum(thing is not None for thing in (dispense, prescription, patient)) != 1:
        raise ValueError("withdraw_for needs exactly one of dispense, prescription and patient")
    owner = _lock_patient(about.pk if isinstance(about, Patient) else about.patient_id)
    in_force = _in_force(owner)
    if dispense:
        in_force = in_force.filter(dispense=dispense)
    if prescription:
        orders = {prescription.pk}
        if (
            reason == Withdrawal.PRESCRIPTION_STOPPED
        ):  # the medicine, and so what is left of the orders that it replaced
            orders |= _replaced_by(prescription.pk)
        in_force = in_force.filter(dispense__prescription__in=orders)
    ended_plans = list(in_force)
    ended = [_end_plan(plan.pk, plan.pharmacy_id, owner.pk, reason=reason, by=by, now=now) for plan in ended_plans]
    if reason == Withdrawal.PRESCRIPTION_REPLACED:
        for plan in ended_plans:
            plan_after_dispense(dispense=plan.dispense, by=by, now=now)
    if ended and reason in _SUPPLY_BEFORE_COUNTS and not _in_force(owner).exists():
        _plan_from_the_supply_before(owner, dispense, prescription, by=by, now=now)
    return Withdrawn(sum(each.count for each in ended), tuple(pk for each in ended for pk in each.on_their_way))


@transaction.atomic(savepoint=False)
def plan_again(*, patient: Patient, by: Actor, now: datetime) -> list[ReminderPlan]:
    """Plan anew after a change of zone, quiet hours or lead days. Equal facts: nothing happens. Gives the plans in force."""
    planned = [
        plan_after_dispense(dispense=in_force.dispense, by=by, now=now)
        for in_force in _in_force(_lock_patient(patient.pk)).order_by("version")
    ]
    return [plan_ for plan_ in planned if plan_]


def _plan_from_the_supply_before(
    patient: Patient, gone: Dispense | None, stopped: Prescription | None, *, by: Actor, now: datetime
) -> None:
    """Let the last supply count again. After a stop only one that still lasts, for what had run out was ended by a person."""
    since = now.date() - LAPSE_LIMIT if gone else now.date() + timedelta(days=1)
    goes_on = [*_COURSE_GOES_ON, PrescriptionStatus.REPLACED] if gone else _COURSE_GOES_ON
    before = (
        Dispense.objects.filter(patient=patient, status=DispenseStatus.COMPLETED)
        .filter(prescription__status__in=goes_on, run_out_on__gte=since)
        .exclude(pk=gone.pk if gone else None)  # type: ignore[misc]  # None excludes no row
        .exclude(prescription=stopped)
        .order_by("-handed_over_at")
        .first()
    )
    if before:
        plan_after_dispense(dispense=before, by=by, now=now)


def _lock_patient(patient_id: UUID) -> Patient:
    """Lock the patient's row, under which plans, consent and addresses change."""
    return Patient.objects.select_for_update(of=("self",), no_key=True).select_related("pharmacy").get(pk=patient_id)


def _in_force(patient: Patient) -> QuerySet[ReminderPlan]:
    return ReminderPlan.objects.select_related("dispense").filter(patient=patient, ended_at__isnull=True)


def _end_plan(
    plan_id: UUID, pharmacy_id: UUID, patient_id: UUID, *, reason: Withdrawal, by: Actor, now: datetime
) -> Withdrawn:
    """End a plan: its owed rows are withdrawn and lose their lease, so that a worker who holds one cannot begin it.

    What waited for a person because of it has been answered by what ends it.
    """
    count, on_their_way = plans.end(plan_id=plan_id, patient_id=patient_id, reason=reason, by=by.name, now=now)
    if count or on_their_way:
        audit.record(
            audit.Event.REMINDER_WITHDRAWN,
            pharmacy=pharmacy_id,
            by=by,
            now=now,
            subject=audit.Subject("reminderplan", str(plan_id)),
            patient=str(patient_id),
            reason_code=reason.value,
            body={"withdrawn": count, "already_on_their_way": len(on_their_way)},
        )
    return Withdrawn(count, on_their_way)


def leaves_at(message: Planned | Reminder, now: datetime, zone: ZoneInfo, quiet: QuietHours) -> datetime | None:
    """Return when a planned message leaves, quiet hours regarded; `None` if it cannot while it is true."""
    due = resolve(message.local_date, message.local_time, zone)
    return place(due, message.useful_until, now, zone, quiet, on_its_day=ReminderKind(message.kind).before_its_day)


def _reminder_rows(
    new: ReminderPlan, facts: Facts, zone: ZoneInfo, quiet: QuietHours, now: datetime, *, strength: Decimal
) -> Iterator[Reminder]:
    for planned in plan(facts, now.astimezone(zone).date(), zone):
        due = leaves_at(planned, now, zone, quiet)
        if due is not None:
            yield Reminder(
                plan=new,
                pharmacy_id=new.pharmacy_id,
                patient_id=new.patient_id,
                kind=planned.kind,
                occurrence=planned.occurrence,
                local_date=planned.local_date,
                local_time=planned.local_time,
                tz_name=str(zone),
                tzdb_version=tzdb_version(),
                due_at=due.astimezone(UTC),
                useful_until=planned.useful_until,
                params=params_of(planned, facts, strength),
            )


def params_of(planned: Planned, facts: Facts, strength: Decimal) -> dict[str, object]:
    """Return the variables of the text: dates and doses as text, no name."""
    if planned.change:
        return {
            "date": planned.change.on.isoformat(),
            "before": [format_amount(dose) for dose in planned.change.before],
            "after": [format_amount(dose) for dose in planned.change.after],
            "strength": format_amount(strength),
        }
    day = planned.occurrence if planned.kind == planned.kind.LAST_DAY else facts.run_out_on.isoformat()
    return {"date": day}
