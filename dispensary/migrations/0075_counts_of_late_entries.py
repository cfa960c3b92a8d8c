"""Hand-overs that were recorded late count as such; what was counted without them is counted again."""

from django.db import migrations

SQL = """
DELETE FROM desk.rule_day;
DELETE FROM desk.person_day;
DELETE FROM desk.made;
"""


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0074_subject_requests")]

    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
