import dispensary.models.keys
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('dispensary', '0044_recorded_late'),
    ]

    operations = [
        migrations.CreateModel(
            name='LogExport',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('requested_by', models.CharField(max_length=120)),
                ('requested_at', models.DateTimeField()),
                ('filters', models.JSONField(help_text='names and values of the filters, times in ISO 8601')),
                ('sentence', models.CharField(help_text='the filters in words', max_length=500)),
                ('purpose', models.CharField(max_length=250)),
                ('seen_at', models.DateTimeField(blank=True, help_text='when the worker last said so', null=True)),
                ('cursor', models.CharField(blank=True, help_text='the place after which it goes on', max_length=200)),
                ('reached', models.DateTimeField(blank=True, help_text='how far back in time it is', null=True)),
                ('rows', models.PositiveIntegerField(default=0)),
                ('sha256', models.CharField(blank=True, max_length=64)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='dispensary.pharmacy')),
            ],
            options={
                'ordering': ['-requested_at'],
            },
        ),
        migrations.CreateModel(
            name='LogExportPart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('content', models.BinaryField()),
                ('export', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='parts', to='dispensary.logexport')),
            ],
            options={
                'ordering': ['number'],
            },
        ),
        migrations.AddConstraint(
            model_name='logexport',
            constraint=models.UniqueConstraint(condition=models.Q(('finished_at__isnull', True)), fields=('pharmacy',), name='log_export_one_open'),
        ),
        migrations.AddConstraint(
            model_name='logexportpart',
            constraint=models.UniqueConstraint(fields=('export', 'number'), name='log_export_part_once'),
        ),
    ]
