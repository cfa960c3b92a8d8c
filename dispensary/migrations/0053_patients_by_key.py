"""Index of a pharmacy's patients by key, for pages of all of them; built beside running hand-overs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("dispensary", "0052_carers")]

    operations = [
        AddIndexConcurrently(
            model_name="patient",
            index=models.Index(condition=models.Q(("joined_to__isnull", True)), fields=["pharmacy", "id"], name="patient_by_key"),
        ),
    ]
