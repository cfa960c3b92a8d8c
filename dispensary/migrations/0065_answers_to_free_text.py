"""Who was told lately whom to call about a message that nobody has read is found by the time of it."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("dispensary", "0064_prescribers_by_number")]

    operations = [
        AddIndexConcurrently(
            model_name="inboundevent",
            index=models.Index(
                condition=models.Q(("result__in", ["free text", "free text, answered"])),
                fields=["received_at"],
                name="inbound_free_text",
            ),
        ),
    ]
