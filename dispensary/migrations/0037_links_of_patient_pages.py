from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import dispensary.models.contacts


def give_codes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give each address a code of its own, with the connection that holds the table."""
    points = apps.get_model("dispensary", "ContactPoint").objects.using(schema_editor.connection.alias)
    for pk in list(points.values_list("pk", flat=True)):
        points.filter(pk=pk).update(page_code=dispensary.models.contacts.new_page_code())


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0036_work_about_unknown_senders")]

    operations = [
        migrations.AddField("contactpoint", "page_code", models.CharField(max_length=16, null=True)),
        migrations.RunPython(give_codes, migrations.RunPython.noop),
        migrations.AlterField(
            "contactpoint",
            "page_code",
            models.CharField(
                default=dispensary.models.contacts.new_page_code,
                help_text="in the link to the patient's page",
                max_length=16,
                unique=True,
            ),
        ),
    ]
