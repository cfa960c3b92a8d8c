"""The days on which a pharmacy is open, and whom its patients call when it is closed; they change with an entry."""

from django.db import migrations, models

import dispensary.models.opening

PHARMACY = (
    "name", "phone", "email", "address", "time_zone", "language", "profile", "od_means_once_daily", "refill_lead_days",
    "second_call_days", "message_at", "quiet_from", "quiet_until", "opening_days", "holiday_region", "after_hours_phone",
    "token_signs",
)  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0024_cards_of_cds_hooks")]

    operations = [
        migrations.AddField(
            model_name="pharmacy",
            name="opening_days",
            field=models.CharField(
                default="1234567",
                help_text="weekdays on which it is open, from 1 (Monday) to 7",
                max_length=7,
                validators=[dispensary.models.opening.validate_weekdays],
            ),
        ),
        migrations.AddField(
            model_name="pharmacy",
            name="holiday_region",
            field=models.CharField(
                blank=True,
                help_text="where its public holidays are those of, such as GB-ENG; empty: open on all of them",
                max_length=12,
                validators=[dispensary.models.opening.validate_region],
            ),
        ),
        migrations.AddField(
            model_name="pharmacy",
            name="after_hours_phone",
            field=models.CharField(
                blank=True, help_text="whom patients call while it is closed, such as 111", max_length=32
            ),
        ),
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
                ],
                max_length=20,
            ),
        ),
        migrations.RunSQL(
            [("SELECT audit.sign_master(%s::regclass, %s::text[])", ["dispensary_pharmacy", list(PHARMACY)])]
        ),
    ]
