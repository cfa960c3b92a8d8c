"""Split EngineHeartbeat, whose names carried prefixes, into counters, turns and rests of channels."""

from django.db import migrations, models

SPLIT = """
INSERT INTO dispensary_channelrest (channel, until, times)
     SELECT substr(name, 6), at, count FROM dispensary_engineheartbeat WHERE name LIKE 'rest %';
INSERT INTO dispensary_engineturn (name, at, count, position)
     SELECT name, at, count, 0 FROM dispensary_engineheartbeat WHERE name IN ('withdrawal-risk', 'time-zones', 'staff-alert');
INSERT INTO dispensary_engineturn (name, at, count, position)
     SELECT 'missing-receipts', asking.at, asking.count, coalesce(silent.count, 0)
       FROM dispensary_engineheartbeat asking
       LEFT JOIN dispensary_engineheartbeat silent ON silent.name = 'mark silent'
      WHERE asking.name = 'mark asking';
INSERT INTO dispensary_enginecounter (name, at, count)
     SELECT name, at, count FROM dispensary_engineheartbeat
      WHERE name NOT LIKE 'rest %' AND name NOT LIKE 'mark %'
        AND name NOT IN ('withdrawal-risk', 'time-zones', 'staff-alert');
"""
JOIN = """
INSERT INTO dispensary_engineheartbeat (name, at, count) SELECT name, at, count FROM dispensary_enginecounter;
INSERT INTO dispensary_engineheartbeat (name, at, count) SELECT 'rest ' || channel, until, times FROM dispensary_channelrest;
INSERT INTO dispensary_engineheartbeat (name, at, count)
     SELECT CASE name WHEN 'missing-receipts' THEN 'mark asking' ELSE name END, at, count FROM dispensary_engineturn;
INSERT INTO dispensary_engineheartbeat (name, at, count)
     SELECT 'mark silent', at, position FROM dispensary_engineturn WHERE name = 'missing-receipts';
"""


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0003_indexes_of_the_queue")]

    operations = [
        migrations.CreateModel(
            name="EngineCounter",
            fields=[
                ("name", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("count", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="EngineTurn",
            fields=[
                ("name", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("count", models.BigIntegerField(default=0)),
                (
                    "position",
                    models.BigIntegerField(default=0, help_text="key of the row after which the next turn goes on"),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ChannelRest",
            fields=[
                ("channel", models.CharField(max_length=24, primary_key=True, serialize=False)),
                ("until", models.DateTimeField()),
                ("times", models.IntegerField(help_text="rests since it last accepted a message")),
            ],
        ),
        migrations.RunSQL(SPLIT, JOIN),
        migrations.DeleteModel(name="EngineHeartbeat"),
    ]
