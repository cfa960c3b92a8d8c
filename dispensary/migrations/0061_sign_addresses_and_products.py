"""Addresses of patients and products are guarded as events are."""

from django.db import migrations

OPEN = {
    "contactpoint": [
        "patient_id", "address", "detail_level", "preference", "fault", "fault_at", "retired_at", "page_code",
    ],
    "product": [],
}  # fmt: skip
"""Table -> columns that change after the row was written: records are joined, addresses encrypted again, stopped and retired."""


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0060_observed_of_answers")]

    operations = [
        migrations.RunSQL([("SELECT audit.sign_events(%s::regclass, %s::text[])", [f"dispensary_{table}", columns])])
        for table, columns in OPEN.items()
    ]
