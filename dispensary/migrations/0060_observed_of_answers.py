"""An answer keeps what was found, so that a later finding can be compared with it. Answers before this have none, and answer only the same."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0059_short_names_in_texts")]

    operations = [
        migrations.AddField(
            model_name="override",
            name="observed",
            field=models.JSONField(blank=True, help_text="the numbers and words found, by name", null=True),
        ),
        migrations.RunSQL([("SELECT audit.sign_events(%s::regclass, %s::text[])", ["dispensary_override", ["state", "dispense_id"]])]),
    ]
