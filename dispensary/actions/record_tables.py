"""Tables of what a pharmacy has recorded: its orders, hand-overs and findings, for another system or an archive."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import reduce
from typing import Any

from django.db.models import Prefetch, QuerySet

from baclofen_rules.text import format_amount
from dispensary.audit.evidence.tables import Column, Table, format_utc
from dispensary.models import Dispense, Finding, Override, Patient, Pharmacy, Prescription

PAGE = 500
"""Rows that are read at once."""
_REMARK = "This table is what was recorded when it was written; the log says who recorded it."


class RecordKind(StrEnum):
    """The kinds of records that are exported."""

    ORDERS = "orders"
    DISPENSES = "dispenses"
    FINDINGS = "findings"


@dataclass(frozen=True, slots=True)
class RecordTable:
    """A table with where its rows come from."""

    table: Table
    rows: Callable[[], QuerySet[Any]]
    pharmacy: str
    """The lookup of the pharmacy."""
    moment: str
    """The lookup of the moment by which rows are chosen."""
    make_row: Callable[[Any], Mapping[str, Any]]


def read_page(
    kind: RecordKind, *, pharmacy: Pharmacy, since: datetime | None, until: datetime, cursor: str
) -> tuple[list[Mapping[str, Any]], str, datetime | None]:
    """Return the next rows, oldest first, the cursor after them ("" after the last), and the moment of the last row."""
    source = RECORDS[kind]
    records = source.rows().filter(**{source.pharmacy: pharmacy, f"{source.moment}__lte": until})
    if since is not None:
        records = records.filter(**{f"{source.moment}__gte": since})
    if cursor:
        records = records.filter(pk__gt=cursor)
    page = list(records.order_by("pk")[: PAGE + 1])
    listed = page[:PAGE]
    if not listed:
        return [], "", None
    moment = reduce(getattr, source.moment.split("__"), listed[-1])
    return [source.make_row(row) for row in listed], str(listed[-1].pk) if len(page) > PAGE else "", moment


def encode_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as NDJSON: amounts as decimal strings, days and moments as ISO 8601."""
    return "".join(
        json.dumps({name: _plain(value) for name, value in row.items()}, ensure_ascii=False) + "\n" for row in rows
    ).encode()


def list_contents(kind: RecordKind, read_chunks: Callable[[], Iterable[bytes]]) -> dict[str, Iterable[bytes]]:
    """Return the files of an export by their ending: the lines as they were stored, and the same as CSV."""
    table = RECORDS[kind].table

    def encode_table() -> Iterator[bytes]:
        yield table.encode_heading()
        for chunk in read_chunks():
            yield table.encode_rows(json.loads(line) for line in chunk.splitlines())

    return {"ndjson": read_chunks(), "csv": encode_table()}


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return format_amount(value)
        case datetime():
            return format_utc(value)
        case date():
            return value.isoformat()
        case None | bool() | int():
            return value
        case _:
            return str(value)


_PATIENT_COLUMNS = (
    Column("patient_id", "id of the patient's record"),
    Column("patient_number", "the pharmacy's number of the patient"),
    Column("patient_number_system", "the system of the number", "the pharmacy's own"),
    Column("family_name", "family name"),
    Column("given_name", "given names", "none"),
    Column("birth_date", "day of birth", "not known", "date"),
)


def _patient_cells(patient: Patient) -> dict[str, Any]:
    return {
        "patient_id": patient.pk,
        "patient_number": patient.identifier,
        "patient_number_system": patient.identifier_system,
        "family_name": patient.family_name,
        "given_name": patient.given_name,
        "birth_date": patient.birth_date,
    }


_ORDERS = Table("orders", 1, (
    Column("order_id", "id of the order"),
    *_PATIENT_COLUMNS,
    Column("prescriber_number", "registration number of the prescriber"),
    Column("prescriber", "name of the prescriber"),
    Column("received_utc", "when it was taken in, UTC", type="datetime"),
    Column("source", "the way it came"),
    Column("sender_numbers", "identifiers of its sender, system|value, with blanks between them", "none"),
    Column("written_on", "day of the order", type="date"),
    Column("starts_on", "planned first day", "from the hand-over", "date"),
    Column("medicine", "medicine as ordered, JSON where it is coded"),
    Column("strength_mg", "mg in a tablet", type="number"),
    Column("form", "form"),
    Column("route", "route"),
    Column("brand", "brand ordered", "any"),
    Column("directions", "directions as written", "none"),
    Column("phases", "doses as read: one day's doses, unit, days; the next phase after a semicolon", "none read"),
    Column("as_needed", "taken as needed", type="boolean"),
    Column("then_stop", "the medicine ends after the last phase", "not said", "boolean"),
    Column("quantity", "tablets ordered", type="number"),
    Column("repeats", "further supplies of the quantity", type="integer"),
    Column("interval_days", "least days between supplies", "not said", "integer"),
    Column("status", "active, on hold or how it ended"),
    Column("ended_utc", "when it ended, UTC", "it has not ended", "datetime"),
    Column("ended_reason", "why", "it has not ended"),
    Column("replaces", "id of the order that it replaces", "none"),
), _REMARK)  # fmt: skip


def _order_row(order: Prescription) -> dict[str, Any]:
    phases = [
        f"{' '.join(format_amount(dose) for dose in phase.doses)} {phase.unit} x {phase.days or '-'} d"
        for phase in order.phases.all()
    ]
    medicine = order.medicine
    return {
        "order_id": order.pk,
        **_patient_cells(order.patient),
        "prescriber_number": order.prescriber.identifier,
        "prescriber": order.prescriber.name,
        "received_utc": order.received_at,
        "source": order.source,
        "sender_numbers": " ".join(f"{row.system}|{row.value}" for row in order.identifiers.all()),
        "written_on": order.written_on,
        "starts_on": order.starts_on,
        "medicine": json.dumps(medicine, ensure_ascii=False) if isinstance(medicine, dict) else medicine,
        "strength_mg": order.strength_mg,
        "form": order.form,
        "route": order.route,
        "brand": order.brand,
        "directions": order.directions,
        "phases": "; ".join(phases),
        "as_needed": order.as_needed,
        "then_stop": order.then_stop,
        "quantity": order.quantity,
        "repeats": order.repeats,
        "interval_days": order.interval_days,
        "status": order.status,
        "ended_utc": order.ended_at,
        "ended_reason": order.ended_reason,
        "replaces": order.replaces_id,
    }


_DISPENSES = Table("dispenses", 1, (
    Column("dispense_id", "id of the hand-over"),
    Column("order_id", "id of its order"),
    *_PATIENT_COLUMNS,
    Column("number", "first, second, ... supply of the order", type="integer"),
    Column("handed_over_utc", "when it was handed over, UTC", type="datetime"),
    Column("handed_over_by", "name of who handed it over"),
    Column("quantity", "tablets", type="number"),
    Column("strength_mg", "mg in a tablet", type="number"),
    Column("packs", "packs as JSON: gtin, lot, expiry, serial, quantity of each"),
    Column("starts_on", "first day that it is for", type="date"),
    Column("days_supply", "days that it covers", type="integer"),
    Column("run_out_on", "first day not covered", type="date"),
    Column("status", "completed, cancelled or returned"),
    Column("ended_utc", "when it was taken back, UTC", "it stands", "datetime"),
    Column("ended_reason", "why", "it stands"),
    Column("recorded_late_utc", "when it was typed in from paper, UTC", "at the hand-over", "datetime"),
), _REMARK)  # fmt: skip


def _dispense_row(dispense: Dispense) -> dict[str, Any]:
    packs = [{name: _plain(value) for name, value in pack.items()} for pack in dispense.packs]
    return {
        "dispense_id": dispense.pk,
        "order_id": dispense.prescription_id,
        **_patient_cells(dispense.patient),
        "number": dispense.number,
        "handed_over_utc": dispense.handed_over_at,
        "handed_over_by": dispense.dispenser_name,
        "quantity": dispense.quantity,
        "strength_mg": dispense.strength_mg,
        "packs": json.dumps(packs),
        "starts_on": dispense.starts_on,
        "days_supply": dispense.days_supply,
        "run_out_on": dispense.run_out_on,
        "status": dispense.status,
        "ended_utc": dispense.ended_at,
        "ended_reason": dispense.ended_reason,
        "recorded_late_utc": dispense.recorded_at,
    }


_FINDINGS = Table("findings", 1, (
    Column("review_id", "id of the review"),
    Column("order_id", "id of the order", "the review is of a supply made elsewhere"),
    Column("dispense_id", "id of the hand-over that the review was made for", "nothing was handed over on it"),
    Column("patient_id", "id of the patient's record"),
    Column("reviewed_utc", "when it was reviewed, UTC", type="datetime"),
    Column("reviewed_by", "account of who asked for it"),
    Column("profile", "name of the profile of limits"),
    Column("rules_version", "version of the rule book"),
    Column("rule", "code of the rule"),
    Column("severity", "information, acknowledge, override, stop"),
    Column("summary", "the finding in one sentence"),
    Column("detail", "its arithmetic", "none"),
    Column("detected_issue", "v3-ActCode", "none"),
    Column("answer_code", "code of the answer that the hand-over used", "none, or an acknowledgement"),
    Column("answer_words", "its words", "none"),
    Column("answered_by", "name of who signed it", "not answered"),
    Column("answered_utc", "when it was signed, UTC", "not answered", "datetime"),
), _REMARK)  # fmt: skip


def _finding_row(finding: Finding) -> dict[str, Any]:
    review = finding.review
    dispense = getattr(review, "dispense", None)
    used = dispense.overrides.all() if dispense else ()
    answer = next((row for row in used if row.fingerprint == finding.fingerprint), None)
    subject = review.prescription or review.prior_supply
    return {
        "review_id": review.pk,
        "order_id": review.prescription_id,
        "dispense_id": dispense and dispense.pk,
        "patient_id": subject and subject.patient_id,
        "reviewed_utc": review.reviewed_at,
        "reviewed_by": review.reviewed_by,
        "profile": review.profile_name,
        "rules_version": review.rules_version,
        "rule": finding.code,
        "severity": finding.severity,
        "summary": finding.summary,
        "detail": finding.detail,
        "detected_issue": finding.detected_issue,
        "answer_code": answer and answer.mitigation,
        "answer_words": answer and answer.words,
        "answered_by": answer and answer.signer_name,
        "answered_utc": answer and answer.signed_at,
    }


RECORDS: Mapping[RecordKind, RecordTable] = {
    RecordKind.ORDERS: RecordTable(
        _ORDERS,
        lambda: Prescription.objects.select_related("patient", "prescriber").prefetch_related("phases", "identifiers"),
        "pharmacy",
        "received_at",
        _order_row,
    ),
    RecordKind.DISPENSES: RecordTable(
        _DISPENSES, lambda: Dispense.objects.select_related("patient"), "pharmacy", "handed_over_at", _dispense_row
    ),
    RecordKind.FINDINGS: RecordTable(
        _FINDINGS,
        lambda: Finding.objects.select_related(
            "review__prescription", "review__prior_supply", "review__dispense"
        ).prefetch_related(Prefetch("review__dispense__overrides", Override.objects.order_by("pk"))),
        "review__pharmacy",
        "review__reviewed_at",
        _finding_row,
    ),
}
