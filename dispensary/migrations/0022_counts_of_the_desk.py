"""Counts for the review desk, in a schema of their own: made from the log, and made again at will."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "audit" / "log" / "sql"


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0021_messages_that_cannot_wait")]

    operations = [migrations.RunSQL((SQL / "10_desk.sql").read_text(encoding="utf-8"), "DROP SCHEMA desk CASCADE")]
