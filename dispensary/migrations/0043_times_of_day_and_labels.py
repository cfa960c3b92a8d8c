from django.db import migrations, models

PHARMACY = [
    "name", "phone", "email", "address", "time_zone", "language", "profile", "od_means_once_daily", "refill_lead_days",
    "second_call_days", "message_at", "quiet_from", "quiet_until", "opening_days", "holiday_region", "after_hours_phone",
    "token_signs", "second_signer", "second_signer_minutes", "separate_steps", "shared_names", "usual_times", "label_layout",
]  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0042_alerts_of_staff")]

    operations = [
        migrations.AddField(
            model_name="pharmacy",
            name="usual_times",
            field=models.CharField(
                choices=[
                    ("none", "none: only as often as the order says"),
                    ("evening", "morning, midday and evening"),
                    ("bedtime", "morning, midday and bedtime"),
                ],
                default="evening",
                help_text="times of day on papers, pages and messages where an order says none",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="pharmacy",
            name="label_layout",
            field=models.CharField(
                choices=[
                    ("uk", "United Kingdom (HMR 2012, Schedule 25), 70 x 35 mm"),
                    ("us", "United States (USP <17>), 4 x 2 inches"),
                ],
                default="uk",
                help_text="content and size of labels",
                max_length=2,
            ),
        ),
        migrations.RunSQL([("SELECT audit.sign_master(%s::regclass, %s::text[])", ["dispensary_pharmacy", PHARMACY])]),
    ]
