from django.db import migrations, models

PHARMACY = [
    "name", "phone", "email", "address", "time_zone", "language", "profile", "od_means_once_daily", "refill_lead_days",
    "second_call_days", "message_at", "quiet_from", "quiet_until", "opening_days", "holiday_region", "after_hours_phone",
    "token_signs", "second_signer", "second_signer_minutes", "separate_steps", "shared_names",
]  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0037_links_of_patient_pages")]

    operations = [
        migrations.AddField(
            model_name="pharmacy",
            name="shared_names",
            field=models.CharField(
                choices=[("initials", "initials"), ("first-name", "first name")],
                default="initials",
                help_text="how messages to an address of several patients say for whom they are",
                max_length=10,
            ),
        ),
        migrations.RunSQL([("SELECT audit.sign_master(%s::regclass, %s::text[])", ["dispensary_pharmacy", PHARMACY])]),
    ]
