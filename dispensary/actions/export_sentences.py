"""The sentence in an exported table that says what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from dispensary.actions.record_tables import RecordKind
from dispensary.audit import Event
from dispensary.audit.log.search import Filters
from dispensary.models import Mitigation, OverrideState, Patient, Pharmacy
from dispensary.text import rule_title

RECORD_WORDS = {
    RecordKind.ORDERS: "Prescriptions",
    RecordKind.DISPENSES: "Hand-overs",
    RecordKind.FINDINGS: "Findings with the answers that were used",
}
_ANSWER_WORDS: Mapping[tuple[str, ...], str] = {
    (Event.OVERRIDE_SIGNED.value,): "Overrides",
    (Event.FINDING_ACKNOWLEDGED.value,): "Acknowledgements",
    (Event.CARD_ANSWERED.value,): "Answers reported by another system",
}


def describe_records(kind: RecordKind, since: datetime | None, until: datetime | None, pharmacy: Pharmacy) -> str:
    """Return what a table of records holds: `Prescriptions at ..., from ... until before ...`."""
    return f"{RECORD_WORDS[kind]} at {pharmacy.name}, {_describe_period(since, until, pharmacy)}."


def describe_answers(filters: Filters, pharmacy: Pharmacy) -> str:
    """Return what a table of answers holds: `Overrides at ..., from ... until before ..., rule ...`."""
    kinds = _ANSWER_WORDS.get(filters.actions, "Overrides and acknowledgements")
    members = {member.actor().name: member.display_name for member in pharmacy.staff.all()}
    narrowed = {
        "rule": filters.rule and rule_title(filters.rule),
        "reason": dict(Mitigation.choices).get(filters.reason, filters.reason),
        "signed by": filters.actor and members.get(filters.actor, filters.actor),
        "patient No.": filters.patient and _find_number(filters.patient, pharmacy),
        "with the words": filters.text and f"\u201c{filters.text}\u201d",
        "now": ", ".join(OverrideState(state).label.lower() for state in filters.states),
        "without a second signature, of the rules": filters.unseconded
        and (", ".join(map(rule_title, filters.unseconded)) or "(none needs one)"),
        "signed in under": filters.under_seconds and f"{filters.under_seconds} seconds",
    }
    words = "".join(f", {name} {value}" for name, value in narrowed.items() if value)
    return f"{kinds} at {pharmacy.name}, {_describe_period(filters.since, filters.until, pharmacy)}{words}."


def _find_number(patient_id: str, pharmacy: Pharmacy) -> str:
    """Return the number of a patient of the pharmacy; the id where there is none."""
    number = Patient.objects.filter(pk=UUID(patient_id), pharmacy=pharmacy).values_list("identifier", flat=True).first()
    return number or patient_id


def _describe_period(since: datetime | None, until: datetime | None, pharmacy: Pharmacy) -> str:
    zone = ZoneInfo(pharmacy.time_zone)
    words = f"from {since.astimezone(zone):%d %b %Y, %H:%M}" if since else "from the beginning"
    words += f" until before {until.astimezone(zone):%d %b %Y, %H:%M}" if until else ""
    return f"{words} ({pharmacy.time_zone})"
