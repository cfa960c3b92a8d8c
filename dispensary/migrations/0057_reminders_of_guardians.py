"""A copy of a message for each further guardian who said yes."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0056_alert_of_settings_changes")]

    operations = [
        migrations.AddField(
            model_name="reminder",
            name="reader",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="the guardian of a copy; empty for the first reader, whoever that is when it leaves",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="dispensary.carer",
            ),
        ),
    ]
