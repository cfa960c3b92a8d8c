"""No pharmacy lets a token alone sign an override: the setting goes, and what waits for it."""

from django.db import migrations

PHARMACY = [
    "name", "phone", "email", "address", "time_zone", "language", "profile", "od_means_once_daily", "refill_lead_days",
    "second_call_days", "message_at", "quiet_from", "quiet_until", "opening_days", "holiday_region", "after_hours_phone",
    "second_signer", "second_signer_minutes", "separate_steps", "shared_names", "usual_times", "label_layout",
]  # fmt: skip
FORGET = "UPDATE dispensary_settingschange SET changes = changes - 'token_signs' WHERE decided_at IS NULL"


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0050_deliveries_sent_together")]

    operations = [
        migrations.RunSQL(FORGET, migrations.RunSQL.noop),
        migrations.RunSQL([("SELECT audit.sign_master(%s::regclass, %s::text[])", ["dispensary_pharmacy", PHARMACY])]),
        migrations.RemoveField("pharmacy", "token_signs"),
    ]
