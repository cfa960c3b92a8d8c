"""Index of the numbers of prescribers, built beside running hand-overs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("dispensary", "0063_numbers_of_prescribers")]

    operations = [
        AddIndexConcurrently(
            "prescriber", models.Index(fields=["pharmacy", "number_key"], name="prescriber_by_number")
        ),
    ]
