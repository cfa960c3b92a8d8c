"""When a channel was asked to post a letter, until it answers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0069_telephone_calls_checked")]

    operations = [
        migrations.AddField(
            model_name="worklistitem",
            name="letter_asked_at",
            field=models.DateTimeField(
                blank=True, help_text="when a channel was asked to post one; empty once it has answered", null=True
            ),
        ),
    ]
