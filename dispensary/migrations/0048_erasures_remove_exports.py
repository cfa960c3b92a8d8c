"""An erasure removes the exports of its pharmacy: what is erased may stand in them."""

from pathlib import Path

from django.db import migrations

ERASE = Path(__file__).resolve().parent.parent / "audit" / "log" / "sql" / "06_erase.sql"


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0047_answers_of_patients")]

    operations = [migrations.RunSQL(ERASE.read_text(encoding="utf-8"))]
