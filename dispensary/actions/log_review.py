"""Review of the log by a person: a patient's file, an order's file, a day. Each reading is an entry of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Model

from dispensary import audit, policies
from dispensary.actors import Actor
from dispensary.audit import Event, Subject
from dispensary.audit.checks.conclusions import Edit, read_edits
from dispensary.audit.checks.counts import Cell, Counted, read_counts
from dispensary.audit.checks.looks import Look, read_looks
from dispensary.audit.checks.review import Day, review_day
from dispensary.audit.checks.wording import Wording, read_wording
from dispensary.audit.log import reader
from dispensary.audit.log import search as searching
from dispensary.audit.log.database import raw_connection, writing_roles
from dispensary.audit.log.events import READINGS
from dispensary.audit.log.search import Filters
from dispensary.errors import Conflict, InvalidInput, NotFound, Problem
from dispensary.models import AuditEntry, LogCheck, Patient, Pharmacy, Prescription, SecondSignature
from dispensary.search import find_patients
from dispensary.text import clean_words

_DOING, _WHO = "review the audit log", "an auditor or manager"
MOST_PEOPLE = 50
"""Patients that a search at the desk shows."""


@transaction.atomic
def find_people(*, pharmacy: Pharmacy, words: str, by: Actor, now: datetime) -> list[Patient]:
    """Return the patients whom the words name, as at the counter: name, number, birth date. Recorded with its words."""
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    patients = list(find_patients(pharmacy, words)[:MOST_PEOPLE])
    body = {"words": words[:200], "found": len(patients)}
    audit.record(Event.PATIENT_SEARCHED, pharmacy=pharmacy, by=by, now=now, subject=pharmacy, body=body)
    return patients


@dataclass(frozen=True, slots=True)
class PatientFile:
    """A page of the entries about a patient, newest first; `next` is the place of the page after it, "" after the last."""

    patient: Patient
    lines: list[audit.Line]
    next: str


@transaction.atomic
def open_patient_file(
    *, patient_id: UUID, looks: bool = False, cursor: str = "", by: Actor, now: datetime
) -> PatientFile:
    """Return what happened to a patient or, with `looks`, who read the record. Raises NotFound for another pharmacy's."""
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    patient = Patient.objects.filter(pk=patient_id, pharmacy_id=by.pharmacy_id).first()
    if patient is None:
        raise NotFound("There is no such patient here.")
    kinds = tuple(event.value for event in Event if (event in READINGS) == looks)
    page = searching.search([by.pharmacy_id], Filters(patient=str(patient.pk), actions=kinds), cursor=cursor)
    lines = reader.recheck(audit.lines(page.entries, by.pharmacy_id))
    _record_reading(patient, patient, {"part": "looks" if looks else "events", "shown": len(lines)}, by, now)
    return PatientFile(patient, lines, page.next)


@dataclass(frozen=True, slots=True)
class OrderFile:
    """Every entry about an order, its reviews, answers and supplies, oldest first."""

    prescription: Prescription
    lines: list[audit.Line]


@transaction.atomic
def open_order_file(*, prescription_id: UUID, by: Actor, now: datetime) -> OrderFile:
    """Return what happened to an order, from its arrival to what was printed. Raises NotFound for another pharmacy's."""
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    order = Prescription.objects.select_related("patient").filter(pk=prescription_id, pharmacy=by.pharmacy_id).first()
    if order is None:
        raise NotFound("There is no such order here.")
    lines = reader.recheck(read_order_lines(order))
    _record_reading(order, order.patient, {"part": "events", "shown": len(lines)}, by, now)
    return OrderFile(order, lines)


def read_order_lines(order: Prescription) -> list[audit.Line]:
    """Return the entries about an order, its reviews, answers and supplies, oldest first."""
    seconds = SecondSignature.objects.filter(override__prescription=order)
    subjects: list[Model] = [
        order, *order.reviews.all(), *order.overrides.all(), *seconds, *order.dispenses.all()
    ]  # fmt: skip
    lines = [line for subject in subjects for line in reader.history(subject, pharmacy=order.pharmacy_id)]
    return sorted(lines, key=lambda line: (line.entry.recorded_at, str(line.entry.entry_id)))


def _record_reading(subject: Model, patient: Patient, body: dict[str, object], by: Actor, now: datetime) -> None:
    audit.record(
        Event.RECORD_READ, pharmacy=by.pharmacy_id, by=by, now=now, subject=subject, patient=patient, body=body
    )


def _record_search(pharmacy: Pharmacy, filters: dict[str, object], shown: int, by: Actor, now: datetime) -> None:
    subject = Subject("log", str(pharmacy.pk))
    body = {"filters": filters, "shown": shown}
    audit.record(Event.LOG_SEARCHED, pharmacy=pharmacy, by=by, now=now, subject=subject, body=body)


@transaction.atomic
def read_quality(*, pharmacy: Pharmacy, since: date, until: date, by: Actor, now: datetime) -> Counted:
    """Return the counts of findings and answers of a period, both days included. Raises InvalidInput for one that ends before it begins."""
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    _require_period(since, until)
    counted = read_counts(pharmacy.pk, since, until)
    _record_search(pharmacy, {"counts": "rules", "since": since, "until": until}, len(counted.rules), by, now)
    return counted


@dataclass(frozen=True, slots=True)
class OwnCounts:
    """Counts of the overrides of the reader, and of everybody at the pharmacy together."""

    own: Cell
    everybody: Cell
    days: int


@transaction.atomic
def read_own_counts(*, pharmacy: Pharmacy, since: date, until: date, by: Actor, now: datetime) -> OwnCounts:
    """Return the reader's counts of a period, both days included. Raises InvalidInput for one that ends before it begins."""
    policies.require(policies.may_read_own_answers(by), by, "read their own answers as counts", "a pharmacist")
    policies.require_same_pharmacy(by, pharmacy.pk)
    _require_period(since, until)
    counted = read_counts(pharmacy.pk, since, until)
    everybody = Cell()
    for cell in counted.people.values():
        everybody.add_cell(cell)
    _record_search(pharmacy, {"counts": "own", "since": since, "until": until}, 1, by, now)
    return OwnCounts(counted.people.get(by.name, Cell()), everybody, counted.days)


@transaction.atomic
def read_words(*, pharmacy: Pharmacy, since: date, until: date, by: Actor, now: datetime) -> Wording:
    """Return which words of the answers of a period, both days included, are to be read."""
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    wording = read_wording(pharmacy.pk, *pharmacy.span_of(since, until))
    _record_search(pharmacy, {"words": "to be read", "since": since, "until": until}, len(wording.sayings), by, now)
    return wording


@transaction.atomic
def list_looks(*, pharmacy: Pharmacy, day: date, by: Actor, now: datetime) -> list[Look]:
    """Return who looked at whose record on a day, with the work that explains it."""
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    looks = read_looks(pharmacy.pk, *pharmacy.span_of(day, day))
    _record_search(pharmacy, {"looks": "by day", "since": day, "until": day}, len(looks), by, now)
    return looks


def _require_period(since: date, until: date) -> None:
    if since > until:
        raise InvalidInput(
            "This period ends before it begins.", Problem("since", str(since), "a day up to the last one")
        )


@dataclass(frozen=True, slots=True)
class EditFile:
    """A finding that a change of facts silenced, with the entries of the change and of the hand-over."""

    edit: Edit
    change: audit.Line
    handover: audit.Line


@transaction.atomic
def list_edits(*, pharmacy: Pharmacy, since: date, until: date, by: Actor, now: datetime) -> list[EditFile]:
    """Return the findings that changes of facts of a period, both days included, silenced before a hand-over, newest first.

    Raises InvalidInput for one that ends before it begins.
    """
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    _require_period(since, until)
    edits = read_edits(pharmacy.pk, *pharmacy.span_of(since, until))
    entries = AuditEntry.objects.filter(entry_id__in={key for edit in edits for key in (edit.change, edit.handover)})
    lines = {line.entry.entry_id: line for line in reader.recheck(audit.lines(entries, pharmacy))}
    _record_search(pharmacy, {"edits": "silencing", "since": since, "until": until}, len(edits), by, now)
    edits.sort(key=lambda edit: edit.handed_over_at, reverse=True)
    return [EditFile(edit, lines[edit.change], lines[edit.handover]) for edit in edits]


@dataclass(frozen=True, slots=True)
class DayFile:
    """A day of a pharmacy's log as `audit review` counts it, and who signed that it was looked at."""

    day: date
    counted: Day
    signed: audit.Line | None


@transaction.atomic
def open_day(*, pharmacy: Pharmacy, day: date, by: Actor, now: datetime) -> DayFile:
    """Count a day and point out what asks for a look. Raises InvalidInput for a day that is not over."""
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    counted = _count_day(pharmacy, day, now)
    subject = Subject("day", day.isoformat())
    audit.record(Event.RECORD_READ, pharmacy=pharmacy, by=by, now=now, subject=subject, body={"part": "day"})
    return DayFile(day, counted, _find_signature(pharmacy, day))


@transaction.atomic
def sign_day(*, pharmacy: Pharmacy, day: date, looked_at: Sequence[int], words: str, by: Actor, now: datetime) -> UUID:
    """Sign that a day was looked at: `looked_at` are the numbers of the entries pointed out that were opened or settled.

    Words are asked for where one of them was not. Raises InvalidInput, and Conflict for a day that is signed.
    """
    policies.require(policies.may_read_log(by), by, "sign the review of a day", _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    Pharmacy.objects.select_for_update(no_key=True).get(pk=pharmacy.pk)  # one signature at a time: none is given twice
    counted = _count_day(pharmacy, day, now)
    if _find_signature(pharmacy, day):
        raise Conflict("This day is signed already.")
    left = sorted({point.seq for point in counted.points} - set(looked_at))
    text = clean_words(words, "words", longest=2000, required=False)
    if left and not text:
        raise InvalidInput(
            "Not every entry is ticked as looked at: say in words what is left open, or why.",
            Problem("words", "nothing", "a sentence", f"Entries: {', '.join(map(str, left))}."),
        )
    return audit.record(
        Event.DAY_SIGNED,
        pharmacy=pharmacy,
        by=by,
        now=now,
        subject=Subject("day", day.isoformat()),
        body={"words": text or None, "left": left, "review": counted.body()},
    )


@transaction.atomic
def request_check(*, pharmacy: Pharmacy, by: Actor, now: datetime) -> LogCheck:
    """Ask the sealer's process to verify the whole log of a pharmacy. Raises Conflict while an earlier request is open."""
    policies.require(policies.may_read_log(by), by, "have the audit log verified", _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    try:
        with transaction.atomic():
            check = LogCheck.objects.create(pharmacy=pharmacy, requested_by=by.display or by.name, requested_at=now)
    except IntegrityError as error:
        raise Conflict("This log is being verified already.") from error
    audit.record(Event.CHECK_REQUESTED, pharmacy=pharmacy, by=by, now=now, subject=check, body={})
    return check


def _count_day(pharmacy: Pharmacy, day: date, now: datetime) -> Day:
    if day >= pharmacy.local_day(now):
        raise InvalidInput(
            "This day is not over yet.", Problem("day", day.isoformat(), "a day before today, such as yesterday")
        )
    since, until = pharmacy.span_of(day, day)
    return review_day(raw_connection("default"), pharmacy.pk, since, until, writers=writing_roles())


def _find_signature(pharmacy: Pharmacy, day: date) -> audit.Line | None:
    subject = Subject("day", day.isoformat())
    return next(iter(reader.recheck(audit.history(subject, pharmacy=pharmacy, events=[Event.DAY_SIGNED]))), None)
