"""A short name of a pharmacy for text messages, guarded as its other master data."""

from django.db import migrations, models

PHARMACY = [
    "name", "phone", "email", "address", "time_zone", "language", "profile", "od_means_once_daily", "refill_lead_days",
    "second_call_days", "message_at", "quiet_from", "quiet_until", "opening_days", "holiday_region", "after_hours_phone",
    "second_signer", "second_signer_minutes", "separate_steps", "shared_names", "usual_times", "label_layout", "text_name",
]  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0058_reminders_once_a_reader")]

    operations = [
        migrations.AddField(
            model_name="pharmacy",
            name="text_name",
            field=models.CharField(
                blank=True,
                default="",
                db_default="",
                help_text="short name in text messages; empty: the whole name",
                max_length=20,
            ),
        ),
        migrations.RunSQL([("SELECT audit.sign_master(%s::regclass, %s::text[])", ["dispensary_pharmacy", PHARMACY])]),
    ]
