"""The name of a patient as it is printed; it changes with an entry, as all else of a patient does."""

from django.db import migrations, models

PATIENT = (
    "identifier", "identifier_system", "family_name", "given_name", "printed_name", "birth_date", "sex", "language", "time_zone",
    "died_on", "weight_kg", "egfr", "egfr_on", "dialysis", "pregnant", "breastfeeding", "alcohol_use", "drives",
    "intrathecal_pump", "anaesthesia_planned", "indication", "joined_to_id",
    "allergies", "conditions", "medicines", "recorded_on",
)  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0022_counts_of_the_desk")]

    operations = [
        migrations.AddField(
            model_name="patient",
            name="printed_name",
            field=models.CharField(
                blank=True,
                help_text="the name as labels and calendars have it, where the recorded one cannot be printed",
                max_length=80,
            ),
        ),
        migrations.RunSQL(
            [("SELECT audit.sign_master(%s::regclass, %s::text[])", ["dispensary_patient", list(PATIENT)])]
        ),
    ]
