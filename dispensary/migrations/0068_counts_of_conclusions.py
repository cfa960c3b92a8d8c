"""Counts of how findings ended, of the time on the page and of the hand-overs; what was counted without them is counted again."""

from django.db import migrations

SQL = """
ALTER TABLE desk.rule_day
    ADD COLUMN repeated integer NOT NULL DEFAULT 0,
    ADD COLUMN changed integer NOT NULL DEFAULT 0,
    ADD COLUMN waited integer NOT NULL DEFAULT 0,
    ADD COLUMN unread integer NOT NULL DEFAULT 0,
    ADD COLUMN dwell jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN chosen jsonb NOT NULL DEFAULT '{}';
ALTER TABLE desk.made
    ADD COLUMN orders integer NOT NULL DEFAULT 0,
    ADD COLUMN handovers integer NOT NULL DEFAULT 0,
    ADD COLUMN repeats integer NOT NULL DEFAULT 0;
DELETE FROM desk.rule_day;
DELETE FROM desk.person_day;
DELETE FROM desk.made;
"""
REVERSE = """
ALTER TABLE desk.rule_day DROP COLUMN repeated, DROP COLUMN changed, DROP COLUMN waited, DROP COLUMN unread, DROP COLUMN dwell,
    DROP COLUMN chosen;
ALTER TABLE desk.made DROP COLUMN orders, DROP COLUMN handovers, DROP COLUMN repeats;
"""


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0067_changes_by_time")]

    operations = [migrations.RunSQL(SQL, REVERSE)]
