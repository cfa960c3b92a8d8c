"""Owe a message once a day to each reader; the indexes are built without holding up what is written meanwhile."""

from uuid import UUID

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Coalesce

_CONSTRAINT = models.UniqueConstraint(
    "plan",
    "kind",
    "local_date",
    Coalesce("reader", models.Value(UUID(int=0)), output_field=models.UUIDField()),
    name="reminder_owed_once_a_reader",
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("dispensary", "0057_reminders_of_guardians")]

    operations = [
        migrations.RunSQL(
            "CREATE UNIQUE INDEX CONCURRENTLY reminder_owed_once_a_reader ON dispensary_reminder"
            " (plan_id, kind, local_date, coalesce(reader_id, '00000000-0000-0000-0000-000000000000'::uuid))",
            "DROP INDEX reminder_owed_once_a_reader",
            state_operations=[migrations.AddConstraint("reminder", _CONSTRAINT)],
        ),
        migrations.RemoveConstraint("reminder", "reminder_owed_once_a_day"),
        AddIndexConcurrently(
            "reminder",
            models.Index(fields=["reader"], condition=models.Q(reader__isnull=False), name="reminder_of_reader"),
        ),
    ]
