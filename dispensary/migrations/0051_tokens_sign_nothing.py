"""No pharmacy lets a token alone sign an override: the setting goes, and what waits for it.

The column stays with a default for the code of the release before, which reads and writes it until it is stopped.
"""

from django.db import migrations

PHARMACY = [
    "name", "phone", "email", "address", "time_zone", "language", "profile", "od_means_once_daily", "refill_lead_days",
    "second_call_days", "message_at", "quiet_from", "quiet_until", "opening_days", "holiday_region", "after_hours_phone",
    "second_signer", "second_signer_minutes", "separate_steps", "shared_names", "usual_times", "label_layout",
]  # fmt: skip
KEEP_COLUMN = "ALTER TABLE dispensary_pharmacy ALTER COLUMN token_signs SET DEFAULT false"
FORGET = "UPDATE dispensary_settingschange SET changes = changes - 'token_signs' WHERE decided_at IS NULL"


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0050_deliveries_sent_together")]

    operations = [
        migrations.RunSQL(FORGET, migrations.RunSQL.noop),
        migrations.RunSQL([("SELECT audit.sign_master(%s::regclass, %s::text[])", ["dispensary_pharmacy", PHARMACY])]),
        migrations.RunSQL(
            KEEP_COLUMN,
            "ALTER TABLE dispensary_pharmacy ALTER COLUMN token_signs DROP DEFAULT",
            state_operations=[migrations.RemoveField("pharmacy", "token_signs")],
        ),
    ]
