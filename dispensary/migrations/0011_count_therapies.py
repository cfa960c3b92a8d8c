from django.db import migrations

UNCOUNTED = """
INSERT INTO dispensary_countedtherapy (patient_id, pharmacy_id, timing_version, counted_on)
SELECT id, pharmacy_id, 0, DATE '2000-01-01' FROM dispensary_patient
"""
# The ticks count what was counted long ago: lists and messages then follow from the therapies.


class Migration(migrations.Migration):

    dependencies = [
        ('dispensary', '0010_one_plan_a_patient'),
    ]

    operations = [
        migrations.RunSQL(UNCOUNTED, migrations.RunSQL.noop),
    ]
