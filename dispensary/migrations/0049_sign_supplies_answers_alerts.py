"""Supplies from elsewhere, answers of patients and alerts of the staff are guarded as events are."""

from django.db import migrations

OPEN = {
    "priorsupply": ["patient_id"],
    "patientanswer": ["patient_id"],
    "staffalert": ["rounds", "next_at", "answered_at", "answered_by", "answerer_name", "words"],
}
"""Table of events -> columns that change after the row was written: records are joined, alerts told and answered."""


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0048_erasures_remove_exports")]

    operations = [
        migrations.RunSQL([("SELECT audit.sign_events(%s::regclass, %s::text[])", [f"dispensary_{table}", columns])])
        for table, columns in OPEN.items()
    ]
