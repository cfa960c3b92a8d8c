"""Consequences of a therapy: the messages owed, and the summary that lists read. Written with each event, and each night."""

from __future__ import annotations

import logging
import time
from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise
from types import MappingProxyType
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import Model, QuerySet

from baclofen_rules.therapy import Due, QueueState, RiskLevel, Therapy, risks, watches
from dispensary import reminders
from dispensary.actors import Actor
from dispensary.assessment import Assessment, assess, therapy_of
from dispensary.errors import InvalidInput
from dispensary.loading import OF_A_PATIENT, Record, read_record
from dispensary.models import (
    Awaited,
    CountedTherapy,
    FindingSeverity,
    OrderState,
    OrderSummary,
    Outcome,
    OverrideState,
    Patient,
    Prescription,
    PrescriptionStatus,
    Stage,
    TherapySummary,
    Withdrawal,
    WorkKind,
    WorklistItem,
    WorkState,
)
from dispensary.models.prescription import OPEN_STATUSES
from dispensary.models.reminders import ReminderKind
from dispensary.reminders.plans import list_outdated
from dispensary.reminders.queue import count
from dispensary.reminders.schedule import Standing
from dispensary.reminders.work import close_patient_work
from dispensary.rows import group_orders, order_id, supplies_of
from dispensary.statements import as_json, insertion, list_rows, new_row, run, stored_fields

log = logging.getLogger(__name__)

SECONDS = 8.0
"""Time in which one tick counts again, after it has hinted at what is due. The next tick goes on where the rows say."""
BATCH = 200

_DAY = timedelta(days=1)
_STATE_OF_OUTCOME = {
    Outcome.PASS: OrderState.READY,
    Outcome.ACKNOWLEDGE: OrderState.TO_ACKNOWLEDGE,
    Outcome.OVERRIDE: OrderState.NEEDS_ANSWER,
    Outcome.STOP: OrderState.BLOCKED,
}
_OUT_OF_TABLETS = frozenset({RiskLevel.TODAY, RiskLevel.OVERDUE, RiskLevel.MAY_BE_OUT})


def follow_therapy(
    *, patient_id: UUID, reason: Withdrawal = Withdrawal.FACTS_CHANGED, by: Actor, now: datetime
) -> Therapy:
    """Bring messages, lists and work in line with what a patient takes, in the transaction of what changed it.

    `reason` says what that was; messages that are no longer true are withdrawn with it.
    """
    Patient.objects.select_for_update(of=("self",), no_key=True).only("pk").get(pk=patient_id)
    return follow_record(record=read_record(patient_id), reason=reason, by=by, now=now)


def follow_record(
    *,
    record: Record,
    reason: Withdrawal,
    assessments: Mapping[UUID, Assessment] = MappingProxyType({}),
    by: Actor,
    now: datetime,
) -> Therapy:
    """Do as `follow_therapy` does, for a patient whose row is locked and whose record was read with what changed.

    `assessments` are those of today that were made of the record as it stands, by order.
    """
    patient = record.patient
    therapy = therapy_of(patient, patient.pharmacy.local_day(now))
    standing = list(_standing(record, therapy))
    reminders.plan_messages(
        therapy=therapy, patient=patient, newest=record.plan, standing=standing, reason=reason, by=by, now=now
    )
    refresh_summary(patient=patient, therapy=therapy, assessments=assessments)
    answered = []
    is_risk_listed = WorkKind.WITHDRAWAL_RISK in record.work and reason != Withdrawal.FACTS_CHANGED
    if is_risk_listed and not any(risk.level in _OUT_OF_TABLETS for risk in risks(therapy)):
        answered.append(WorkKind.WITHDRAWAL_RISK)
    is_supplied = reason == Withdrawal.NEW_DISPENSE or not any(thread.more_needed for thread in therapy.threads)
    if WorkKind.ORDER_REQUESTED in record.work and is_supplied:
        answered.append(WorkKind.ORDER_REQUESTED)
    if answered:
        close_patient_work(patient_id=patient.pk, kinds=answered, by=by, now=now)
    return therapy


_WAITS = {Awaited.PRESCRIBER: ReminderKind.PRESCRIBER_ASKED, Awaited.STOCK: ReminderKind.SUPPLY_SHORT}


def _standing(record: Record, therapy: Therapy) -> Iterator[Standing]:
    """Yield what the patient is told of while it lasts: bags on the shelf, orders that wait, papers that are wrong."""
    patient = record.patient
    shelved = [bag for bag in record.bags if bag.stage == Stage.SHELVED and bag.shelved_at is not None]
    orders = group_orders(list_rows(patient, "prescriptions")) if shelved else []
    owing = {order.id for order in therapy.facts.orders if shelved and therapy.owed(order.id) is not None}
    rests = {row.pk for order in orders if order_id(order) in owing for row in order}
    for bag in shelved:
        assert bag.shelved_at is not None
        kind = ReminderKind.OWING_READY if bag.prescription_id in rests else ReminderKind.READY
        yield Standing(bag.shelved_at, kind)
    for order in list_rows(patient, "prescriptions"):
        if order.awaiting in _WAITS and order.awaiting_since is not None:
            yield Standing(order.awaiting_since, _WAITS[Awaited(order.awaiting)])
    if WorkKind.PAPERS_OUTDATED not in record.work:
        return
    outdated = WorklistItem.objects.filter(patient=patient, kind=WorkKind.PAPERS_OUTDATED, reprinted_at=None)
    for item in outdated.exclude(state=WorkState.RESOLVED):
        supplied = [row.handed_over_at for row in supplies_of(patient) if row.handed_over_at <= item.opened_at]
        day = patient.pharmacy.local_day(max(supplied)) if supplied else None
        yield Standing(item.opened_at, ReminderKind.PAPERS_CHANGED, day)


def refresh_summary(
    *, patient: Patient, therapy: Therapy, assessments: Mapping[UUID, Assessment] = MappingProxyType({})
) -> None:
    """Write what lists read of a patient: the threads of the therapy, and the open orders with their place in the queue."""
    threads, orders = list(_threads(patient, therapy)), list(_orders(patient, therapy, assessments))
    counted = new_row(
        CountedTherapy,
        patient=patient,
        pharmacy_id=patient.pharmacy_id,
        counted_on=therapy.today,
        timing_version=patient.pharmacy.timing_version,
    )
    names = {
        "patient": patient.pk,
        "courses": [row.course for row in threads],
        "prescriptions": [row.prescription_id for row in orders],
        "threads": as_json(threads),
        "orders": as_json(orders),
        # Where nothing is left, nothing could change with a new day or new settings.
        "counted": as_json([counted] if threads or orders else []),
    }
    run(_store_statement(), names)


def _read_patients() -> QuerySet[Patient]:
    return Patient.objects.select_related("pharmacy").prefetch_related(*OF_A_PATIENT)


@cache
def _store_statement() -> str:
    """Return the statement that stores what lists read of a patient: rows are inserted or updated, others go."""
    return f"""
        WITH gone_threads AS (DELETE FROM dispensary_therapysummary
                               WHERE patient_id = %(patient)s AND NOT course = ANY(%(courses)s::text[])),
             gone_orders AS (DELETE FROM dispensary_ordersummary
                              WHERE patient_id = %(patient)s AND NOT prescription_id = ANY(%(prescriptions)s::uuid[])),
             gone_count AS (DELETE FROM dispensary_countedtherapy
                             WHERE patient_id = %(patient)s AND %(counted)s::text = '[]'),
             stored_threads AS ({_upsert(TherapySummary, "threads", "patient_id", "course")}),
             stored_orders AS ({_upsert(OrderSummary, "orders", "prescription_id")})
        {_upsert(CountedTherapy, "counted", "patient_id")}"""  # noqa: S608  (names of columns)


def _upsert(model: type[Model], rows: str, *keys: str) -> str:
    """Return the statement that inserts rows, a parameter of JSON, or updates those of equal keys."""
    columns = (field.column for field in stored_fields(model))
    changes = ", ".join(f"{column} = EXCLUDED.{column}" for column in columns if column not in keys)
    return f"{insertion(model, rows)} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"


def _threads(patient: Patient, therapy: Therapy) -> Iterator[TherapySummary]:
    """Return a row for each thread, and for each stopped course that is still watched."""
    watched = watches(therapy)
    running_out = {watch.course: watch for watch in watched if not watch.is_stopped}
    for thread in therapy.threads:
        uncovered = thread.first_uncovered
        row = _thread(patient, therapy, thread.course, thread.last_course, (uncovered or therapy.today) - _DAY)
        row.first_uncovered_on, row.more_needed = uncovered, thread.more_needed
        row.as_needed, row.last_mg = thread.as_needed, thread.mg
        watch = running_out.get(thread.course)
        if watch is not None:
            row.listed_from, row.listed_until = watch.listed_from, watch.listed_until
        yield row
    for watch in watched:
        if watch.is_stopped and watch.listed_until >= therapy.today:
            row = _thread(patient, therapy, watch.course, watch.course, watch.since - _DAY)
            row.stopped_on, row.last_mg = watch.since, watch.mg
            row.listed_from, row.listed_until = watch.listed_from, watch.listed_until
            yield row


def _thread(patient: Patient, therapy: Therapy, course: str, last_course: str, last_on: date) -> TherapySummary:
    """Return an empty row for a course, with the order that its tablets of its last day came from."""
    sources = [dose.source for dose in therapy.day(last_on).doses if dose.course == last_course]
    source = sources[0] if sources else last_course.split("@", maxsplit=1)[0]
    order = next((order for order in therapy.facts.orders if order.id == source), None)
    return new_row(
        TherapySummary,
        patient=patient,
        pharmacy_id=patient.pharmacy_id,
        course=course,
        prescription_id=None if order is None else UUID(order.id),
        tapering=order is not None and any(after.mg < before.mg for before, after in pairwise(order.plan.phases)),
        more_needed=False,
        as_needed=False,
    )


def _orders(
    patient: Patient, therapy: Therapy, assessments: Mapping[UUID, Assessment] = MappingProxyType({})
) -> Iterator[OrderSummary]:
    """Return a row for each order that has not ended."""
    names = {row.pk: order_id(order) for order in group_orders(list_rows(patient, "prescriptions")) for row in order}
    still_open = [row for row in list_rows(patient, "prescriptions") if row.status in OPEN_STATUSES]
    answered = {
        (row.pk, answer.fingerprint)
        for row in still_open
        for answer in list_rows(row, "overrides")
        if answer.state == OverrideState.OPEN
    }
    for prescription in still_open:
        prescription.pharmacy = patient.pharmacy
        due = _due(prescription, names[prescription.pk], therapy)
        row = new_row(
            OrderSummary,
            prescription=prescription,
            patient=patient,
            pharmacy_id=patient.pharmacy_id,
            received_at=prescription.received_at,
            awaiting=prescription.awaiting,
            phase=_phase_today(names[prescription.pk], therapy),
            state=OrderState(due.state.value) if due.state is not QueueState.DUE else OrderState.READY,
            due_on=due.due_on,
            earliest_on=due.earliest_on,
        )
        if due.state in {QueueState.DUE, QueueState.OWING}:
            row.outcome, row.finding = _unanswered(prescription, therapy.today, answered, assessments)
            if due.state is QueueState.DUE:
                row.state = _STATE_OF_OUTCOME[Outcome(row.outcome)]
        elif due.state is QueueState.BLOCKED:
            row.finding = "The patient is recorded as having died."
        yield row


def _phase_today(order: str, therapy: Therapy) -> int | None:
    """Return the number of the phase of an order that is taken today; None where it is none, or the only one."""
    for dose in therapy.day(therapy.today).doses:
        plan = next((recorded.plan for recorded in therapy.facts.orders if recorded.id == dose.source), None)
        if dose.source == order and plan is not None and len(plan.phases) > 1:
            return plan.phases.index(dose.phase) + 1
    return None


def _due(prescription: Prescription, order: str, therapy: Therapy) -> Due:
    """Return when an order is due; one that came in on a later day than the therapy's is due then."""
    if prescription.status == PrescriptionStatus.ON_HOLD:
        return Due(QueueState.WAITING, None, None)
    if any(recorded.id == order for recorded in therapy.facts.orders):
        return therapy.due(order)
    received_on = prescription.pharmacy.local_day(prescription.received_at)
    return Due(QueueState.NOT_YET, received_on, received_on)


def _unanswered(
    prescription: Prescription,
    on: date,
    answered: Container[tuple[UUID | None, str]],
    assessments: Mapping[UUID, Assessment],
) -> tuple[str, str]:
    """Return the worst severity among the questions that nobody has answered, and that finding in one sentence."""
    try:
        questions = (assessments.get(prescription.pk) or assess(prescription, on=on)).questions()
    except InvalidInput as error:
        return Outcome.STOP, error.detail[:300]
    unanswered = [
        question
        for question in questions
        if question.severity != FindingSeverity.INFORMATION and (prescription.pk, question.fingerprint) not in answered
    ]
    for outcome in (Outcome.STOP, Outcome.OVERRIDE, Outcome.ACKNOWLEDGE):
        summaries = [question.summary for question in unanswered if question.severity == outcome]
        if summaries:
            more = f" (and {len(unanswered) - 1} more)" if len(unanswered) > 1 else ""
            return outcome, f"{summaries[0]}{more}"[:300]
    return Outcome.PASS, ""


def refresh_outdated(*, now: datetime, seconds: float = SECONDS) -> int:
    """Count again what was counted on an earlier day or with settings that have changed, until nothing is or the time is up.

    Returns how many patients were looked at. A patient in whose record somebody is at work is left for the next tick; one
    whose therapy cannot be counted is left as it is, told in the program's log and by the gauge of plans behind;
    `manage.py therapy check` names it. Two of these at once share the work.
    """
    until, passed, done = time.monotonic() + seconds, list[UUID](), 0
    while outdated := list_outdated(passed=passed, limit=BATCH, now=now):
        for patient_id, pharmacy_id in outdated:
            if time.monotonic() >= until:
                return _count_refreshed(done)
            passed.append(patient_id)
            done += _refresh_one(patient_id, pharmacy_id, now)
    return _count_refreshed(done)


def _count_refreshed(done: int) -> int:
    count({"planned-again": done})
    return done


def _refresh_one(patient_id: UUID, pharmacy_id: UUID, now: datetime) -> bool:
    try:
        with transaction.atomic():
            if not Patient.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=patient_id).exists():
                return False
            follow_therapy(patient_id=patient_id, by=Actor.system("reminders", pharmacy_id), now=now)
            return True
    except DatabaseError:
        raise
    except Exception as error:  # one therapy that cannot be counted must not keep the others from it
        log.error("a therapy of pharmacy %s could not be counted again: %s", pharmacy_id, type(error).__name__)
        return False


def check_summaries(*, pharmacy_id: UUID | None = None, now: datetime) -> Iterator[str]:
    """Count therapies again and return where the lists say otherwise, a line for each difference. Writes nothing.

    The lists are compared as they stand: before the first tick of a day they are of the day before.
    """
    patients = _read_patients().order_by("pk")
    if pharmacy_id is not None:
        patients = patients.filter(pharmacy=pharmacy_id)
    for patient in patients.iterator(chunk_size=BATCH):
        try:
            therapy = therapy_of(patient, patient.pharmacy.local_day(now))
        except InvalidInput as error:
            yield f"patient {patient.pk}: {error.detail}"
            continue
        threads, orders = TherapySummary.objects.filter(patient=patient), OrderSummary.objects.filter(patient=patient)
        yield from _differences(threads, _threads(patient, therapy), "course")
        yield from _differences(orders, _orders(patient, therapy), "prescription_id")


def _differences(
    stored: Iterable[TherapySummary | OrderSummary], counted: Iterable[TherapySummary | OrderSummary], key: str
) -> Iterator[str]:
    stored_rows = {str(getattr(row, key)): row for row in stored}
    counted_rows = {str(getattr(row, key)): row for row in counted}
    for name in sorted(stored_rows.keys() | counted_rows.keys()):
        for field in (stored_rows.get(name) or counted_rows[name])._meta.concrete_fields:
            column = field.attname
            before, after = getattr(stored_rows.get(name), column, None), getattr(counted_rows.get(name), column, None)
            if column != "id" and before != after:
                yield f"{key} {name}: {column} is {before}, should be {after}"
