from django.db import migrations

UNCOUNTED = """
INSERT INTO dispensary_countedtherapy (patient_id, pharmacy_id, timing_version, counted_on)
SELECT id, pharmacy_id, 0, DATE '2000-01-01' FROM dispensary_patient
ON CONFLICT (patient_id) DO UPDATE SET counted_on = excluded.counted_on
"""
# What is counted has changed since these rows were written; the lists would be of the old count until the next day.


class Migration(migrations.Migration):

    dependencies = [
        ('dispensary', '0039_ready_messages'),
    ]

    operations = [
        migrations.RunSQL(UNCOUNTED, migrations.RunSQL.noop),
    ]
