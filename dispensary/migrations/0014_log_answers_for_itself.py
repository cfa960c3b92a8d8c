"""What speaks of the log itself is refused from the application's role; an erasure carries the statement that two people signed."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "audit" / "log" / "sql"


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0013_relations_of_supplies")]

    operations = [
        *(migrations.RunSQL((SQL / f"{name}.sql").read_text(encoding="utf-8")) for name in ("03_append", "06_erase")),
        migrations.RunSQL("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC"),
    ]
