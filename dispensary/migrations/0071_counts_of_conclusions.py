"""Counts of how findings ended, of the time on the page and of the hand-overs; what was counted without them is counted again."""

from django.db import migrations

SQL = """
ALTER TABLE desk.rule_day
    ADD COLUMN repeated integer DEFAULT 0 NOT NULL,
    ADD COLUMN changed integer DEFAULT 0 NOT NULL,
    ADD COLUMN waited integer DEFAULT 0 NOT NULL,
    ADD COLUMN unread integer DEFAULT 0 NOT NULL,
    ADD COLUMN dwell jsonb DEFAULT '{}' NOT NULL,
    ADD COLUMN chosen jsonb DEFAULT '{}' NOT NULL;
ALTER TABLE desk.made
    ADD COLUMN orders integer DEFAULT 0 NOT NULL,
    ADD COLUMN handovers integer DEFAULT 0 NOT NULL,
    ADD COLUMN repeats integer DEFAULT 0 NOT NULL;
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
    dependencies = [("dispensary", "0070_letters_asked")]

    operations = [migrations.RunSQL(SQL, REVERSE)]
