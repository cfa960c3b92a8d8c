"""What speaks of the log itself is refused from the application's role; rows answer to the log.

An erasure carries the statement that two people signed. Rows of events do not change; rows of master data change with an entry.
"""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "audit" / "log" / "sql"
FILES = ("03_append", "06_erase", "09_rows")
OPEN = {
    "dispense": ("status", "ended_at", "ended_reason", "label_prints"),
    "review": (),
    "finding": (),
    "override": ("state", "dispense_id"),
    "consentevent": (),
    "phase": (),
    "prescription": ("patient_id", "status", "ended_at", "ended_reason", "withdrawn_as", "version"),
}
"""Table of events -> columns that change after the row was written."""
MASTER = {
    "patient": (
        "identifier", "identifier_system", "family_name", "given_name", "birth_date", "sex", "language", "time_zone",
        "died_on", "weight_kg", "egfr", "egfr_on", "dialysis", "pregnant", "breastfeeding", "alcohol_use", "drives",
        "intrathecal_pump", "anaesthesia_planned", "indication", "joined_to_id",
    ),
    "staffmember": ("user_id", "pharmacy_id", "role", "display_name", "registration", "active"),
    "pharmacy": (
        "name", "phone", "email", "address", "time_zone", "language", "profile", "od_means_once_daily",
        "refill_lead_days", "second_call_days", "message_at", "quiet_from", "quiet_until",
    ),
}  # fmt: skip
"""Table of master data -> columns that change only with an entry."""


def guard(function: str, table: str, columns: tuple[str, ...]) -> migrations.RunSQL:
    return migrations.RunSQL([(f"SELECT audit.{function}(%s::regclass, %s::text[])", [f"dispensary_{table}", list(columns)])])


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0015_what_facts_are_since")]

    operations = [
        *(migrations.RunSQL((SQL / f"{name}.sql").read_text(encoding="utf-8")) for name in FILES),
        migrations.RunSQL("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC"),
        *(guard("sign_events", table, columns) for table, columns in OPEN.items()),
        *(guard("sign_master", table, columns) for table, columns in MASTER.items()),
    ]
