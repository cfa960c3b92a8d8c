"""The signed columns of rows: columns of master data, written into the body of each entry that changes them.

The database holds the two together (`sql/09_rows.sql`): a transaction that changes one of these columns without such an entry
does not commit. Columns of JSON stand in an object of their own, `row.facts`, which is there even where all of them are unknown.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import Model

from baclofen_rules.facts import FACTS, LISTS
from dispensary.audit.log.events import Event

PATIENT = (
    "identifier", "identifier_system", "family_name", "given_name", "printed_name", "language", "time_zone", "died_on", "joined_to_id",
    *(name for name, fact in FACTS.items() if fact.kind not in LISTS),
)  # fmt: skip
PATIENT_JSON = (*(name for name, fact in FACTS.items() if fact.kind in LISTS), "recorded_on")
STAFF = ("user_id", "pharmacy_id", "role", "display_name", "registration", "active", "is_service", "factor_due_at")
PHARMACY = (
    "name", "phone", "email", "address", "time_zone", "language", "profile", "od_means_once_daily", "refill_lead_days",
    "second_call_days", "message_at", "quiet_from", "quiet_until", "opening_days",
    "holiday_region", "after_hours_phone", "second_signer", "second_signer_minutes",
    "separate_steps", "shared_names", "usual_times", "label_layout", "text_name",
)  # fmt: skip
PRESCRIPTION = (
    "prescriber_id", "written_on", "starts_on", "route", "form", "strength_mg", "brand", "then_stop", "as_needed",
    "max_mg_per_day", "directions", "quantity", "expected_days", "repeats", "interval_days", "source", "received_at",
    "replaces_id",
)  # fmt: skip
GUARDED = {"patient": PATIENT + PATIENT_JSON, "staffmember": STAFF, "pharmacy": PHARMACY}
"""Columns of master data that change only with an entry, by table; `audit.sign_master` in a migration sets the guard."""
COLUMNS = {
    Event.PATIENT_REGISTERED: PATIENT,
    Event.PATIENT_CHANGED: PATIENT,
    Event.PATIENT_CORRECTED: PATIENT,
    Event.NAMESAKE_ANSWERED: PATIENT,
    Event.ACCESS_CHANGED: STAFF,
    Event.PHARMACY_OPENED: PHARMACY,
    Event.SETTINGS_CHANGED: PHARMACY,
    Event.PROFILE_CHANGED: PHARMACY,
    Event.PRESCRIPTION_RECEIVED: PRESCRIPTION,
}
"""Events whose entries hold the subject's values of these columns, in the body's key `row`."""


def signed_row(event: Event, subject: object) -> dict[str, Any]:
    """Return `{"row": ...}` for the body of an entry, {} where the event signs no row."""
    columns = COLUMNS.get(event)
    if columns is None or not isinstance(subject, Model):
        return {}
    values = {name: getattr(subject, name) for name in columns}
    row = {name: str(value) if isinstance(value, dt.time) else value for name, value in values.items()}
    if columns is PATIENT:
        row["facts"] = {name: getattr(subject, name) for name in PATIENT_JSON}
    return {"row": row}
