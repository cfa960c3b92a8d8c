"""The audit log: schema `audit`, in plain SQL. It has no way back: a log that a migration can drop is no log."""

from pathlib import Path

import django.contrib.postgres.fields
from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "audit" / "log" / "sql"
FILES = ("01_tables", "02_header", "03_append", "04_guards", "05_partitions", "06_erase", "07_views", "08_retire")


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0002_message_queue")]

    operations = [
        *(migrations.RunSQL((SQL / f"{name}.sql").read_text(encoding="utf-8")) for name in FILES),
        migrations.CreateModel(
            name='AuditBody',
            fields=[
                ('entry_id', models.UUIDField(primary_key=True, serialize=False)),
                ('recorded_at', models.DateTimeField()),
                ('salt', models.BinaryField()),
                ('body', models.TextField()),
                ('pharmacy', models.UUIDField()),
            ],
            options={
                'db_table': '"audit"."readable_body"',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='AuditCheckpoint',
            fields=[
                ('pk', models.CompositePrimaryKey('log_id', 'size', blank=True, editable=False, primary_key=True, serialize=False)),
                ('log_id', models.UUIDField()),
                ('size', models.BigIntegerField()),
                ('root', models.BinaryField()),
                ('note', models.TextField()),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'db_table': '"audit"."checkpoint"',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('entry_id', models.UUIDField(primary_key=True, serialize=False)),
                ('log_id', models.UUIDField()),
                ('pharmacy', models.UUIDField()),
                ('origin', models.TextField()),
                ('seq', models.BigIntegerField(null=True)),
                ('leaf', models.BinaryField(null=True)),
                ('recorded_at', models.DateTimeField()),
                ('occurred_at', models.DateTimeField()),
                ('txid', models.BigIntegerField()),
                ('db_role', models.TextField()),
                ('actor', models.TextField()),
                ('actor_role', models.TextField()),
                ('second_actor', models.TextField(null=True)),
                ('station', models.TextField(null=True)),
                ('request_id', models.TextField(null=True)),
                ('action', models.TextField()),
                ('outcome', models.TextField()),
                ('reason_code', models.TextField(null=True)),
                ('subject_type', models.TextField()),
                ('subject_id', models.TextField()),
                ('patient_ref', models.TextField(null=True)),
                ('drug_code', models.TextField(null=True)),
                ('rule_codes', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), null=True, size=None)),
                ('ruleset', models.BinaryField(null=True)),
                ('engine', models.TextField(null=True)),
                ('corrects_seq', models.BigIntegerField(null=True)),
                ('body_commit', models.BinaryField()),
                ('body_kind', models.SmallIntegerField()),
                ('v', models.SmallIntegerField()),
            ],
            options={
                'db_table': '"audit"."line"',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='AuditLog',
            fields=[
                ('log_id', models.UUIDField(primary_key=True, serialize=False)),
                ('origin', models.TextField()),
                ('pharmacy', models.UUIDField()),
                ('lane', models.SmallIntegerField()),
                ('incarnation', models.IntegerField()),
                ('opened_at', models.DateTimeField()),
                ('closed_at', models.DateTimeField(null=True)),
                ('predecessor_note', models.TextField(null=True)),
                ('genesis', models.BinaryField()),
                ('format', models.SmallIntegerField()),
            ],
            options={
                'db_table': '"audit"."log"',
                'managed': False,
            },
        ),
    ]
