"""Limits that a pharmacist signed, line by line; a signature of them is begun without an order."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('dispensary', '0031_settings_changes'),
    ]

    operations = [
        migrations.AlterField(
            model_name='begunsignature',
            name='prescription',
            field=models.ForeignKey(blank=True, help_text='none: of limits', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='dispensary.prescription'),
        ),
        migrations.CreateModel(
            name='SignedLimit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(help_text='SHA-256 of the line: place, value, unit, mark and source', max_length=64)),
                ('signer_name', models.CharField(max_length=120)),
                ('signed_at', models.DateTimeField()),
                ('review_on', models.DateField(help_text='from this day it is to be read again')),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signed_limits', to='dispensary.pharmacy')),
            ],
            options={
                'ordering': ['-signed_at'],
                'indexes': [models.Index(fields=['pharmacy', 'digest'], name='signed_limit_of_pharmacy')],
            },
        ),
        migrations.RunSQL([("SELECT audit.sign_events(%s::regclass, %s::text[])", ["dispensary_signedlimit", []])]),
    ]
