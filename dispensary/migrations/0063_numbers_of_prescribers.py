"""Numbers of prescribers as they are compared: without capitals, blanks and punctuation."""

from django.db import migrations, models

from dispensary.text import number_key


def write_number_keys(apps, schema_editor):
    prescribers = apps.get_model("dispensary", "Prescriber").objects.using(schema_editor.connection.alias)
    for prescriber in prescribers.only("identifier").iterator():
        prescribers.filter(pk=prescriber.pk).update(number_key=number_key(prescriber.identifier))


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0062_letters")]

    operations = [
        migrations.AddField(
            "prescriber",
            "number_key",
            models.TextField(
                db_default="",
                editable=False,
                help_text="the registration number without capitals, blanks and punctuation",
            ),
        ),
        migrations.RunPython(write_number_keys, migrations.RunPython.noop),
    ]
