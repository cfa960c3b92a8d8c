"""The rows of tables that the log is compared with, and where each of their columns stands in an entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Model

from dispensary.audit.log.events import Event
from dispensary.audit.log.signed import COLUMNS, PATIENT_JSON
from dispensary.models import (
    ConsentEvent,
    ContactPoint,
    Decision,
    Dispense,
    DispenseStatus,
    Finding,
    Override,
    OverrideState,
    Patient,
    PatientAnswer,
    Pharmacy,
    Phase,
    Prescription,
    Product,
    Review,
    SecondSignature,
    StaffAlert,
    StaffMember,
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Rows of a model, and the events of which each has exactly one entry.

    `where` narrows the rows; `moment` is the column that names the entry or its time, "" for the time in the row's key.
    """

    model: type[Model]
    events: tuple[Event, ...]
    where: str = "TRUE"
    moment: str = ""


PAIRS = (
    Pair(Dispense, (Event.DISPENSED,), "t.recorded_at IS NULL", "audit_entry"),
    Pair(Dispense, (Event.DISPENSED_LATE,), "t.recorded_at IS NOT NULL", "audit_entry"),
    Pair(Dispense, (Event.DISPENSE_CANCELLED,), f"t.status = '{DispenseStatus.CANCELLED.value}'", "ended_at"),
    Pair(Dispense, (Event.DISPENSE_RETURNED,), f"t.status = '{DispenseStatus.RETURNED.value}'", "ended_at"),
    Pair(Review, (Event.REVIEW_RECORDED,)),
    Pair(Override, (Event.OVERRIDE_SIGNED, Event.FINDING_ACKNOWLEDGED)),
    Pair(Override, (Event.OVERRIDE_WITHDRAWN,), f"t.state = '{OverrideState.WITHDRAWN.value}'"),
    Pair(SecondSignature, (Event.OVERRIDE_SECONDED, Event.OVERRIDE_ALONE)),
    Pair(Prescription, (Event.PRESCRIPTION_RECEIVED,)),
    Pair(Patient, (Event.PATIENT_REGISTERED,)),
    Pair(PatientAnswer, (Event.PATIENT_ANSWERED,)),
    Pair(StaffAlert, (Event.ALERT_OPENED,)),
    Pair(StaffAlert, (Event.ALERT_ANSWERED,), "t.answered_at IS NOT NULL", "answered_at"),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """A model, the events whose first entry tells what its rows say, and where each column stands.

    A value is a path in the body (`pack.lot`), or a column of the entry after an "@". What an object of the body leaves out is
    unknown; a key that the body itself lacks was not written when the entry was made. A column of a row that is never NULL and that
    the entry lacks is younger than the entry: its row has the column's default. Of master data the newest entry counts.
    """

    model: type[Model]
    events: tuple[Event, ...]
    columns: Mapping[str, str]
    is_master: bool = False
    may_lack: tuple[str, ...] = ()
    """Columns that are NULL in rows of a release before, whose entries have the value; without it more is asked."""


def _same(*columns: str) -> dict[str, str]:
    return {name: name for name in columns}


def _in_row(event: Event) -> dict[str, str]:
    return {name: f"row.{name}" for name in COLUMNS[event]}


_DISPENSE = {
    **_same("quantity", "strength_mg", "starts_on", "days_supply", "run_out_on", "relation", "relation_how", "relation_to"),
    "prescription_id": "prescription", "review_id": "review", "product_id": "pack.gtin", "lot": "pack.lot",
    "expiry": "pack.expiry", "further_packs": "further_packs", "serial": "pack.serial", "patient_id": "@patient_ref",
}  # fmt: skip

COMPARED = (
    Compared(
        Dispense,
        (Event.DISPENSED,),
        _DISPENSE | {"dispensed_by": "@actor", "dispenser_name": "by", "handed_over_at": "@occurred_at"},
    ),
    Compared(
        Dispense,
        (Event.DISPENSED_LATE,),
        _DISPENSE
        | _same("dispensed_by", "dispenser_name", "handed_over_at", "late_words")
        | {"recorded_by": "@actor", "recorder_name": "by", "recorded_at": "@occurred_at"},
    ),
    Compared(
        Review,
        (Event.REVIEW_RECORDED,),
        {
            "prescription_id": "prescription", "prior_supply_id": "prior_supply", "reason": "reason", "profile_name": "profile", "case_text": "case",
            "result_text": "review", "outcome": "@reason_code", "rules_version": "@engine", "reviewed_at": "@occurred_at",
            "reviewed_by": "@actor",
        },
    ),
    Compared(
        Override,
        (Event.OVERRIDE_SIGNED, Event.FINDING_ACKNOWLEDGED),
        {
            **_same("words", "asked", "asked_at", "agreed", "fingerprint"), "prescription_id": "prescription", "prior_supply_id": "prior_supply",
            "code": "finding.code", "detail": "finding.detail", "observed": "finding.observed", "summary": "summary", "severity": "severity",
            "signer_name": "signer", "signature": "method", "signed_at": "at", "signed_by": "@actor",
            "signer_role": "@actor_role", "mitigation": "@reason_code",
        },
        may_lack=("observed",),
    ),
    Compared(
        SecondSignature,
        (Event.OVERRIDE_SECONDED, Event.OVERRIDE_ALONE),
        {
            **_same("is_alone", "because"), "override_id": "answer", "signer_name": "signer", "signature": "method",
            "signed_at": "at", "signed_by": "@actor", "signer_role": "@actor_role",
        },
    ),
    Compared(
        Decision,
        (Event.THERAPY_DECIDED,),
        {
            **_same("kind", "on", "tablets", "mg", "days", "words", "asked", "asked_at"), "course": "object",
            "starts_on": "from", "corrects_id": "corrects", "decided_by": "@actor", "decider_name": "by",
            "decided_at": "@occurred_at", "mitigation": "@reason_code", "patient_id": "@patient_ref",
        },
    ),
    Compared(
        ConsentEvent,
        (Event.CONSENT_CHANGED,),
        {**_same("medium", "source", "evidence"), "answer": "@reason_code", "recorded_by": "@actor", "patient_id": "@patient_ref"},
    ),
    Compared(
        PatientAnswer,
        (Event.PATIENT_ANSWERED,),
        {"answer": "@reason_code", "source": "source", "answered_at": "@occurred_at"},
    ),
    Compared(StaffAlert, (Event.ALERT_OPENED,), {"kind": "@reason_code", "subject_id": "about", "opened_at": "@occurred_at"}),
    Compared(
        StaffAlert,
        (Event.ALERT_ANSWERED,),
        {"answered_by": "@actor", "answerer_name": "by", "words": "words", "answered_at": "@occurred_at"},
    ),
    Compared(Prescription, (Event.PRESCRIPTION_RECEIVED,), _in_row(Event.PRESCRIPTION_RECEIVED)),
    Compared(ContactPoint, (Event.CONTACT_CHANGED,), _same("medium", "address_digest")),
    Compared(Product, (Event.PRODUCT_CHANGED,), _same("name", "brand", "ingredient", "form", "strength_mg", "pack_size")),
    Compared(
        Patient,
        (Event.PATIENT_REGISTERED, Event.PATIENT_CHANGED, Event.PATIENT_CORRECTED, Event.NAMESAKE_ANSWERED),
        _in_row(Event.PATIENT_CHANGED) | {name: f"row.facts.{name}" for name in PATIENT_JSON},
        is_master=True,
    ),
    Compared(StaffMember, (Event.ACCESS_CHANGED,), _in_row(Event.ACCESS_CHANGED), is_master=True),
    Compared(
        Pharmacy, (Event.PHARMACY_OPENED, Event.SETTINGS_CHANGED, Event.PROFILE_CHANGED), _in_row(Event.SETTINGS_CHANGED),
        is_master=True,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that belong to another, numbered from 1, and the list in the entry about that other one which holds them."""

    model: type[Model]
    parent: type[Model]
    event: Event
    items: str
    """The list, as an expression over the body `j.body`."""
    columns: tuple[str, ...]


PARTS = (
    Part(
        Finding, Review, Event.REVIEW_RECORDED, "(j.body ->> 'review')::jsonb -> 'findings'",
        ("code", "severity", "summary", "detail", "dur", "detected_issue"),
    ),
    Part(
        Phase, Prescription, Event.PRESCRIPTION_RECEIVED, "j.body -> 'phases'",
        ("doses", "times", "unit", "days", "from_day"),
    ),
)  # fmt: skip
