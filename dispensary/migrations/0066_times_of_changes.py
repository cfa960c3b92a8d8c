"""When an order, a patient, a piece of work and a reminder changed last, in what a FHIR client reads of them.

Rows from before have the time of this migration: since it they are read with such a time.
"""

from django.db import migrations, models
from django.db.models.functions import Now

_FUNCTION = """
CREATE OR REPLACE FUNCTION dispensary_set_changed_at() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_at := pg_catalog.clock_timestamp();
    RETURN NEW;
END $$"""
COLUMNS = {
    "patient": (
        "identifier", "identifier_system", "family_name", "given_name", "birth_date", "sex", "language", "died_on", "joined_to_id",
        "version",
    ),
    "prescription": ("patient_id", "status", "awaiting", "ended_reason", "withdrawn_as"),
    "reminder": ("patient_id", "state", "sending_since", "last_error"),
    "worklistitem": (
        "patient_id", "reminder_id", "reason", "state", "put_off_until", "due_by", "resolution", "note", "resolved_by", "resolved_at",
    ),
}  # fmt: skip
"""Table -> columns that a FHIR client reads and that change. Of a patient `version` stands for records that were joined to it."""


def make_trigger(table: str, columns: tuple[str, ...]) -> str:
    old, new = (", ".join(f"{row}.{name}" for name in columns) for row in ("OLD", "NEW"))
    return f"""
        CREATE OR REPLACE TRIGGER changed BEFORE UPDATE ON dispensary_{table} FOR EACH ROW
        WHEN (({old}) IS DISTINCT FROM ({new})) EXECUTE FUNCTION dispensary_set_changed_at()"""


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0065_answers_to_free_text")]

    operations = [
        *(
            migrations.AddField(
                table,
                "changed_at",
                models.DateTimeField(db_default=Now(), editable=False, help_text="kept by a trigger"),
            )
            for table in COLUMNS
        ),
        migrations.RunSQL(_FUNCTION, migrations.RunSQL.noop),
        *(migrations.RunSQL(make_trigger(table, columns), migrations.RunSQL.noop) for table, columns in COLUMNS.items()),
    ]
