"""What an order on hold waits for, who works on it, and the phase that is taken today."""

import django.db.models.deletion
from django.db import migrations, models


OPEN_COLUMNS = ("patient_id", "status", "awaiting", "ended_at", "ended_reason", "withdrawn_as", "version")
"""Columns of an order that may change; all others do not."""


class Migration(migrations.Migration):

    dependencies = [
        ('dispensary', '0025_opening_days'),
    ]

    operations = [
        migrations.CreateModel(
            name='OrderClaim',
            fields=[
                ('prescription', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='claim', serialize=False, to='dispensary.prescription')),
                ('actor', models.CharField(max_length=64)),
                ('display', models.CharField(max_length=120)),
                ('claimed_at', models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name='ordersummary',
            name='awaiting',
            field=models.CharField(blank=True, help_text='of the order', max_length=12),
        ),
        migrations.AddField(
            model_name='ordersummary',
            name='phase',
            field=models.PositiveSmallIntegerField(help_text='the phase that is taken today; null before the first and where there is one alone', null=True),
        ),
        migrations.AddField(
            model_name='prescription',
            name='awaiting',
            field=models.CharField(blank=True, choices=[('prescriber', 'the prescriber'), ('stock', 'stock'), ('patient', 'the patient')], help_text='what an order waits for that was put on hold here', max_length=12),
        ),
        migrations.AddConstraint(
            model_name='prescription',
            constraint=models.CheckConstraint(condition=models.Q(('awaiting', ''), models.Q(('awaiting__in', ['prescriber', 'stock', 'patient']), ('status', 'on-hold')), _connector='OR'), name='prescription_awaits_on_hold'),
        ),
        migrations.RunSQL(
            [("SELECT audit.sign_events(%s::regclass, %s::text[])", ["dispensary_prescription", list(OPEN_COLUMNS)])]
        ),
    ]
