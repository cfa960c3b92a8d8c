from django.db import migrations, models

from dispensary.text import name_keys


def write_search_texts(apps, schema_editor):
    prescribers = apps.get_model("dispensary", "Prescriber").objects.using(schema_editor.connection.alias)
    for prescriber in prescribers.only("name").iterator():
        prescribers.filter(pk=prescriber.pk).update(search_text="\n".join(sorted(name_keys(prescriber.name, ""))))


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0013_relations_of_supplies")]

    operations = [
        migrations.AddField(
            "prescriber",
            "search_text",
            models.TextField(default="", editable=False, help_text="the spellings of the name that a search finds"),
            preserve_default=False,
        ),
        migrations.RunPython(write_search_texts, migrations.RunPython.noop),
    ]
