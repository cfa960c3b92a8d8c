"""Several packs of one hand-over: the others with the tablets of each."""

from __future__ import annotations

from django.db import migrations, models


OPEN_COLUMNS = ["status", "ended_at", "ended_reason", "label_prints"]
"""Columns of a hand-over that may change; all others, the new one too, do not."""


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0019_requests_of_checks")]

    operations = [
        migrations.AddField(
            model_name="dispense",
            name="further_packs",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="other packs that its tablets come from: gtin, lot, expiry, serial and quantity of each",
            ),
        ),
        migrations.RunSQL([("SELECT audit.sign_events(%s::regclass, %s::text[])", ["dispensary_dispense", OPEN_COLUMNS])]),
    ]
