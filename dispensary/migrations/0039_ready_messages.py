"""Messages that a bag is ready to be collected."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0038_names_at_shared_addresses")]

    operations = [
        migrations.AlterField(
            model_name="reminder",
            name="kind",
            field=models.CharField(
                choices=[
                    ("refill_due", "next supply due"),
                    ("refill_again", "next supply due, second call"),
                    ("run_out", "supply runs out"),
                    ("dose_change", "the dose changes tomorrow"),
                    ("last_day", "last day of the course"),
                    ("missed_collection", "supply has run out and was not collected"),
                    ("ready", "ready to be collected"),
                ],
                max_length=20,
            ),
        ),
        migrations.RemoveConstraint(model_name="reminder", name="reminder_kind_known"),
        migrations.AddConstraint(
            model_name="reminder",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    kind__in=[
                        "refill_due", "refill_again", "run_out", "dose_change", "last_day", "missed_collection", "ready",
                    ]
                ),
                name="reminder_kind_known",
            ),
        ),
    ]  # fmt: skip
