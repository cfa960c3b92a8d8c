"""Entries of the log as a person reads them: what was found, said, signed, handed over and printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from baclofen_rules.rulebook import limit_words
from baclofen_rules.text import format_amount
from dispensary.audit import Event, Line, sentence
from dispensary.counter.visit import Visit
from dispensary.documents.words import NB
from dispensary.models import Mitigation, Patient, SignatureMethod
from dispensary.models.reminders import ReminderKind
from dispensary.text import format_amounts, join_values, rule_title

Details = list[tuple[str, str]]
"""Names and values, in the order of a page."""
_REASONS: Mapping[str, str] = {member.value: str(member.label) for member in Mitigation}
_KINDS: Mapping[str, str] = {member.value: str(member.label) for member in ReminderKind}
_METHODS: Mapping[str, str] = {member.value: str(member.label) for member in SignatureMethod}


@dataclass(frozen=True, slots=True)
class ShownLine:
    """An entry with its sentence and details; of one that does not fit its hash the details are withheld."""

    line: Line
    sentence: str
    details: Details


def find_patient_row(visit: Visit, patient_id: object) -> Patient | None:
    """Return the patient of this pharmacy with an id, None for none and for what is no id."""
    try:
        return Patient.objects.filter(pk=UUID(str(patient_id)), pharmacy=visit.pharmacy).first()
    except ValueError:
        return None


def show_line(line: Line, patient: Patient | None = None) -> ShownLine:
    """Return an entry for a page; `patient` is the one whom it is about, where known."""
    words = sentence(line.entry, line.body, f"{patient.given_name} {patient.family_name}".strip() if patient else "")
    return ShownLine(line, words, [] if line.doubt else describe(line))


def describe(line: Line) -> Details:
    """Return what an entry says, for a person; [] where its sentence says all, or its body is gone."""
    explain = _DETAILS.get(line.entry.action)
    if explain is None or line.body is None:
        return []
    return [(name, value) for name, value in explain(line, line.body) if value]


def place_title(place: str) -> str:
    """Return what a number of a profile is: `Quantity: part by which a quantity may differ from the directions`."""
    section, _, name = place.removeprefix("rules.").rpartition(".")
    title = "All rules" if section == "terms" else rule_title(section)
    return f"{title}: {limit_words(place) or name.replace('_', ' ')}"


_UNITS = {
    "mg/day": "mg a day",
    "mg/kg/day": "mg/kg a day",
    "doses/day": "doses a day",
    "mL/min/1.73m2": "mL/min/1.73 m²",
}


def limit_value(value: str, unit: str) -> str:
    """Return a number of a profile with its unit as words: `60 mg a day`, `34 %`, `Override`, `none`."""
    if unit == "rules":
        return ", ".join(rule_title(code) for code in value.split(", "))
    if unit == "severity" or value == "none":
        return value
    if unit == "fraction":
        return f"{format_amount(Decimal(value) * 100)}{NB}%"
    return f"{value}{NB}{_UNITS.get(unit, unit)}"


def reason_words(code: str | None) -> str:
    """Return a reason code as words; the code itself where it is none of ours."""
    return _REASONS.get(code or "", code or "")


def _answer(line: Line, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    finding = body.get("finding", {})
    yield "Finding", finding.get("summary") or body.get("summary") or rule_title(finding.get("code", ""))
    yield "How it was worked out", finding.get("detail", "")
    yield "Found", format_amounts(finding.get("observed") or {})
    yield "Limit", format_amounts(finding.get("limit") or {})
    yield "Source", "; ".join(dict.fromkeys(source["title"] for source in finding.get("sources") or ()))
    yield "Reason", reason_words(line.entry.reason_code)
    yield "In words", body.get("words", "")
    yield "Asked", body.get("asked", "")
    yield "Agreed", body.get("agreed", "")
    yield "Signed by", f"{body.get('signer', '')}: {body.get('meaning', '')}"
    yield "Proof of identity", _METHODS.get(body.get("method", ""), "")
    yield "On the page for", f"{body['seconds']} seconds" if "seconds" in body else ""


def _second(_: Line, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Finding", body.get("summary", "")
    yield "Signed first by", body.get("first", "")
    yield "Signed by", body.get("signer", "")
    yield "Alone, because", body.get("because", "")
    yield "Proof of identity", _METHODS.get(body.get("method", ""), "")


def _review(line: Line, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    review = json.loads(body.get("review") or "{}")
    yield "Outcome", (line.entry.reason_code or "").capitalize()
    for finding in review.get("findings", ()):
        yield finding["severity"].capitalize(), f"{finding['summary']} ({rule_title(finding['code'])})"
    missing = [rule_title(rule["code"]) for rule in review.get("not_assessed", ())]
    yield "Could not be assessed", ", ".join(missing)
    yield "Profile", body.get("profile", "")


def _supply(_: Line, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    pack = body.get("pack", {})
    yield "Tablets", f"{_plain(body.get('quantity', ''))} of {_plain(body.get('strength_mg', ''))} mg"
    yield "Lot", pack.get("lot", "")
    yield "Expires", pack.get("expiry", "")
    yield "First day not covered", body.get("run_out_on", "")


def _late(line: Line, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _supply(line, body)
    yield "Handed over", body.get("handed_over_at", "")
    yield "Handed over by", body.get("dispenser_name", "")
    yield "On the paper", body.get("late_words", "")


def _order(_: Line, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    row = body.get("row", {})
    yield "Directions", row.get("directions", "")
    yield "Quantity", _plain(row.get("quantity") or "")
    yield "Written on", row.get("written_on") or ""
    yield "Notes", " ".join(body.get("notes") or ())


def _print(_: Line, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Print", str(body.get("print", ""))
    yield "Says", " ".join(body.get("says", ()))
    yield "Document", body.get("document", "")


def _change(_: Line, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, change in (body.get("changed") or {}).items():
        before, after = (join_values(change.get(end) or "not known") for end in ("from", "to"))
        yield name.replace("_", " ").capitalize(), f"{before}, now {after}"


def _ending(line: Line, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Reason", str(body.get("reason") or line.entry.reason_code or "")


def _refusal(_: Line, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for reason in body.get("reasons") or ():
        yield "Because", reason


def _message(line: Line, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    reason = line.entry.reason_code or ""
    yield "Kind", _KINDS.get(reason, reason.replace("-", " ")).capitalize()
    yield "Channel", str(body.get("channel", ""))


def _judgement(_: Line, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Judgement", str(body.get("judgement", "")).capitalize()
    yield "Finding right for this patient", str(body.get("finding_right", "")).capitalize()
    yield "Answer fitting", str(body.get("answer_fitting", "")).capitalize()
    yield "In words", body.get("words") or ""


def _file(_: Line, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Asked for by the patient on", str(body.get("received_on", ""))
    yield "Prepared for", body.get("requested_by", "")
    yield "Details left out of the entries", ", ".join(map(str, body.get("withheld") or ()))
    yield "Who only looked", "named" if body.get("names_staff") else ""
    yield "In words", body.get("words", "")


def _plain(number: Any) -> str:
    text = str(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


_DETAILS: Mapping[str, Callable[[Line, Mapping[str, Any]], Iterator[tuple[str, str]]]] = {
    event.value: explain
    for explain, events in {
        _answer: (Event.OVERRIDE_SIGNED, Event.FINDING_ACKNOWLEDGED),
        _second: (Event.OVERRIDE_SECONDED, Event.OVERRIDE_ALONE),
        _review: (Event.REVIEW_RECORDED,),
        _supply: (Event.DISPENSED,),
        _late: (Event.DISPENSED_LATE,),
        _order: (Event.PRESCRIPTION_RECEIVED,),
        _print: (Event.LABEL_PRINTED, Event.LABEL_REPRINTED, Event.DOCUMENT_PRINTED),
        _change: (Event.PATIENT_CHANGED, Event.PATIENT_CORRECTED),
        _ending: (
            Event.OVERRIDE_WITHDRAWN, Event.DISPENSE_CANCELLED, Event.DISPENSE_RETURNED, Event.PRESCRIPTION_CANCELLED,
            Event.PRESCRIPTION_STOPPED, Event.PRESCRIPTION_PAUSED, Event.PRESCRIPTION_RESUMED, Event.WORKLIST_OPENED, Event.RECORD_BROKEN_INTO,
        ),
        _judgement: (Event.REVIEW_JUDGED,),
        _file: (Event.FILE_RELEASED, Event.FILE_REFUSED),
        _refusal: (Event.DISPENSE_REFUSED, Event.PRESCRIPTION_STOP_REFUSED),
        _message: (Event.REMINDER_SENT, Event.REMINDER_FAILED, Event.REMINDER_PLANNED, Event.REMINDER_DELIVERED),
    }.items()
    for event in events
}  # fmt: skip
