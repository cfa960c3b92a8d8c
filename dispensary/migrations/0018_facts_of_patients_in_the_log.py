"""Allergies, conditions, other medicines and the days of facts change with an entry, as all else of a patient does."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "audit" / "log" / "sql"
PATIENT = (
    "identifier", "identifier_system", "family_name", "given_name", "birth_date", "sex", "language", "time_zone",
    "died_on", "weight_kg", "egfr", "egfr_on", "dialysis", "pregnant", "breastfeeding", "alcohol_use", "drives",
    "intrathecal_pump", "anaesthesia_planned", "indication", "joined_to_id",
    "allergies", "conditions", "medicines", "recorded_on",
)  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0017_tokens")]

    operations = [
        migrations.RunSQL((SQL / "09_rows.sql").read_text(encoding="utf-8")),
        migrations.RunSQL("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC"),
        migrations.RunSQL(
            [("SELECT audit.sign_master(%s::regclass, %s::text[])", ["dispensary_patient", list(PATIENT)])]
        ),
    ]
