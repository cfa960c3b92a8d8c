"""Owe a message once a day to each reader; the indexes are built without holding up what is written meanwhile."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

_CONSTRAINT = models.UniqueConstraint(
    fields=["plan", "kind", "local_date", "reader"],
    nulls_distinct=False,
    opclasses=["uuid_ops", "text_ops", "date_ops", "uuid_ops"],
    name="reminder_owed_once_a_reader",
)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("dispensary", "0057_reminders_of_guardians")]

    operations = [
        migrations.RunSQL(
            "CREATE UNIQUE INDEX CONCURRENTLY reminder_owed_once_a_reader ON dispensary_reminder"
            " (plan_id, kind, local_date, reader_id) NULLS NOT DISTINCT",
            "DROP INDEX reminder_owed_once_a_reader",
            state_operations=[migrations.AddConstraint("reminder", _CONSTRAINT)],
        ),
        migrations.RemoveConstraint("reminder", "reminder_owed_once_a_day"),
        AddIndexConcurrently(
            "reminder",
            models.Index(fields=["reader"], condition=models.Q(reader__isnull=False), name="reminder_of_reader"),
        ),
    ]
