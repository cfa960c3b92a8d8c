"""Indexes of the times of changes, built beside running hand-overs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

NAMES = {"prescription": "prescription_by_change", "patient": "patient_by_change", "worklistitem": "work_by_change"}


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("dispensary", "0066_times_of_changes")]

    operations = [
        AddIndexConcurrently(table, models.Index(fields=["pharmacy", "changed_at", "id"], name=name))
        for table, name in NAMES.items()
    ]
