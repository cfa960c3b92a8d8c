"""Answers to findings as a table for an inspector: a CSV, its dictionary, and a page of words, in one zip file.

A view, not the evidence: number and leaf find each entry again in a bundle.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from dispensary.audit.evidence.tables import Column, Table, format_utc, write_archive
from dispensary.audit.log.events import Event
from dispensary.audit.log.reader import Line
from dispensary.models import Mitigation, Override, Patient, Pharmacy

_COLUMNS = (
    Column("entry_no", "number of the entry in the log", "not linked yet", "integer"),
    Column("leaf", "SHA-256 that binds the entry and all before it, hexadecimal", "not linked yet"),
    Column("recorded_utc", "when the database recorded it, UTC", type="datetime"),
    Column("recorded_local", "the same in the pharmacy's time zone"),
    Column("pharmacy", "name of the pharmacy"),
    Column("signer", "printed name of who signed"),
    Column("signer_role", "role of the signer at that moment"),
    Column("second_signer", "account of the second signer", "one signature"),
    Column("method", "proof of identity: password, second-factor, token, signed-in"),
    Column("patient_number", "the pharmacy's number of the patient", "the patient is not on file"),
    Column("patient_name", "name of the patient as on file", "the patient is not on file"),
    Column("patient_birth_year", "year of birth", "not known", "integer"),
    Column("prescriber", "name of the prescriber", "the order is not on file"),
    Column("order_id", "id of the order"),
    Column("directions", "directions of the order", "the order has none"),
    Column("rule", "code of the rule"),
    Column("severity", "override: signed with a reason; acknowledge: seen; elsewhere: reported by another system, released nothing here"),
    Column("finding", "the finding as it was shown"),
    Column("observed", "the numbers found, name=value; ...", "none"),
    Column("limit", "the limits they were held against, name=value; ...", "none"),
    Column("limit_source", "where the limits come from", "none"),
    Column("reason_code", "code of FHIR detectedissue-mitigation-action", "an acknowledgement"),
    Column("reason", "the same in words", "an acknowledgement"),
    Column("words", "the signer's own words", "none"),
    Column("asked", "whom the signer spoke to", "nobody named"),
    Column("agreed", "what was agreed", "nothing named"),
    Column("seconds_on_page", "seconds between showing the page and signing", "not on a page, or not recorded", "integer"),
    Column("state", "open, used, withdrawn: what came of the answer", "the row is gone"),
    Column("handed_over_utc", "when the supply that used it was handed over, UTC", "not used", "datetime"),
    Column("quantity", "tablets of that supply", "not used", "number"),
    Column("lot", "lot of that supply", "not used"),
    Column("body_state", "whole; erased; does not fit: the entry does not fit its hash and its details are left out"),
)  # fmt: skip
TABLE = Table(
    "answers",
    1,
    _COLUMNS,
    "This table is a view. The evidence is the bundle of the same entries, checked with verify.py; entry_no and leaf\r\n"
    "find each row in it.",
)
ELSEWHERE = "elsewhere"
"""Answers that another system reported about a card: none of them released anything here."""
EVENTS: Mapping[str, tuple[str, ...]] = {
    "override": (Event.OVERRIDE_SIGNED.value,),
    "acknowledge": (Event.FINDING_ACKNOWLEDGED.value,),
    "both": (Event.OVERRIDE_SIGNED.value, Event.FINDING_ACKNOWLEDGED.value),
    ELSEWHERE: (Event.CARD_ANSWERED.value,),
}
"""Severity of the findings -> events of their answers."""


def make_rows(lines: Iterable[Line], pharmacy: Pharmacy) -> list[dict[str, Any]]:
    """Return a row for each answer, with what the tables say of its order and supply."""
    listed = list(lines)
    patients = {
        str(key): row for key, row in Patient.objects.in_bulk({line.entry.patient_ref for line in listed}).items()
    }
    answers = Override.objects.select_related("dispense", "prescription__prescriber")
    overrides = {str(key): row for key, row in answers.in_bulk({line.entry.subject_id for line in listed}).items()}
    return [
        _row(line, pharmacy, patients.get(line.entry.patient_ref or ""), overrides.get(line.entry.subject_id))
        for line in listed
    ]


def severity_of(action: str) -> str:
    """Return the severity of the findings that an event is an answer to, as in `EVENTS`."""
    return next((name for name, actions in EVENTS.items() if actions == (action,)), ELSEWHERE)


def _row(line: Line, pharmacy: Pharmacy, patient: Patient | None, override: Override | None) -> dict[str, Any]:
    entry = line.entry
    body = {} if line.doubt else line.body or {}
    finding = body.get("finding", {})
    supply = override.dispense if override else None
    order = override.prescription if override else None
    return {
        "entry_no": entry.seq,
        "leaf": bytes(entry.leaf).hex() if entry.leaf else None,
        "recorded_utc": format_utc(entry.recorded_at),
        "recorded_local": f"{entry.recorded_at.astimezone(ZoneInfo(pharmacy.time_zone)):%a %d %b %Y, %H:%M}",
        "pharmacy": pharmacy.name,
        "signer": body.get("signer"),
        "signer_role": entry.actor_role,
        "second_signer": entry.second_actor,
        "method": body.get("method"),
        "patient_number": patient and patient.identifier,
        "patient_name": patient and f"{patient.given_name} {patient.family_name}".strip(),
        "patient_birth_year": patient and patient.birth_date and patient.birth_date.year,
        "prescriber": order and order.prescriber.name,
        "order_id": body.get("prescription"),
        "directions": order and order.directions,
        "rule": " ".join(entry.rule_codes or ()),
        "severity": severity_of(entry.action),
        "finding": finding.get("summary") or body.get("summary") or finding.get("detail"),
        "observed": _pairs(finding.get("observed")),
        "limit": _pairs(finding.get("limit")),
        "limit_source": "; ".join(dict.fromkeys(source["title"] for source in finding.get("sources") or ())),
        "reason_code": entry.reason_code,
        "reason": dict(Mitigation.choices).get(entry.reason_code or ""),
        "words": body.get("words"),
        "asked": body.get("asked"),
        "agreed": body.get("agreed"),
        "seconds_on_page": body.get("seconds"),
        "state": override and override.state,
        "handed_over_utc": supply and format_utc(supply.handed_over_at),
        "quantity": supply and f"{supply.quantity.normalize():f}",
        "lot": supply and supply.lot,
        "body_state": "does not fit" if line.doubt else "erased" if line.body is None else "whole",
    }


def write_zip(rows: Sequence[Mapping[str, Any]], *, sentence: str, now: dt.datetime) -> tuple[bytes, str]:
    """Return the zip file and the SHA-256 of its CSV. `sentence` says which answers these are."""
    archive = io.BytesIO()
    chunks = [TABLE.encode_heading(), TABLE.encode_rows(rows)]
    digest = write_archive(archive, TABLE, {"csv": chunks}, rows=len(rows), sentence=sentence, now=now)
    return archive.getvalue(), digest


def _pairs(amounts: Mapping[str, Any] | None) -> str:
    return "; ".join(f"{name}={value}" for name, value in (amounts or {}).items())
