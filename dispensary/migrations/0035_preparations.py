"""Bags that are prepared and checked before a hand-over, where a pharmacy separates the steps."""

import dispensary.models.keys
import django.db.models.deletion
from django.db import migrations, models


PHARMACY = [
    "name", "phone", "email", "address", "time_zone", "language", "profile", "od_means_once_daily", "refill_lead_days",
    "second_call_days", "message_at", "quiet_from", "quiet_until", "opening_days", "holiday_region", "after_hours_phone",
    "token_signs", "second_signer", "second_signer_minutes", "separate_steps",
]  # fmt: skip
"""Columns of a pharmacy that change only with an entry."""


class Migration(migrations.Migration):

    dependencies = [
        ('dispensary', '0034_limit_trials'),
    ]

    operations = [
        migrations.AddField(
            model_name='pharmacy',
            name='separate_steps',
            field=models.BooleanField(default=False, help_text='preparing, checking and handing over are separate steps, the check by another person'),
        ),
        migrations.CreateModel(
            name='Preparation',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('stage', models.CharField(choices=[('prepared', 'Prepared'), ('checked', 'Checked'), ('shelved', 'On the shelf'), ('handed-over', 'Handed over'), ('returned', 'Put back')], default='prepared', max_length=12)),
                ('bag', models.JSONField(help_text='of each strength: prescription, quantity, and its packs, as they are handed over')),
                ('prepared_by', models.CharField(max_length=64)),
                ('preparer_name', models.CharField(max_length=120)),
                ('prepared_at', models.DateTimeField()),
                ('checked_by', models.CharField(blank=True, max_length=64)),
                ('checker_name', models.CharField(blank=True, max_length=120)),
                ('checked_at', models.DateTimeField(blank=True, null=True)),
                ('shelf', models.CharField(blank=True, max_length=20)),
                ('shelved_at', models.DateTimeField(blank=True, null=True)),
                ('label_prints', models.PositiveSmallIntegerField(default=0, help_text='how often a label was printed')),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_reason', models.CharField(blank=True, max_length=250)),
                ('dispense', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='preparation', to='dispensary.dispense')),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='dispensary.pharmacy')),
                ('prescription', models.ForeignKey(help_text='the order; of one of several strengths the first', on_delete=django.db.models.deletion.PROTECT, related_name='preparations', to='dispensary.prescription')),
            ],
            options={
                'verbose_name': 'bag',
                'ordering': ['prepared_at'],
                'indexes': [models.Index(condition=models.Q(('stage__in', ('prepared', 'checked', 'shelved'))), fields=['pharmacy', 'stage'], name='preparation_open')],
                'constraints': [models.CheckConstraint(condition=models.Q(('stage__in', ['prepared', 'checked', 'shelved', 'handed-over', 'returned'])), name='preparation_stage_known'), models.UniqueConstraint(condition=models.Q(('stage__in', ('prepared', 'checked', 'shelved'))), fields=('prescription',), name='preparation_one_open_for_an_order'), models.CheckConstraint(condition=models.Q(('checked_at__isnull', True), models.Q(('checked_by', models.F('prepared_by')), _negated=True), _connector='OR'), name='preparation_checked_by_another_person'), models.CheckConstraint(condition=models.Q(models.Q(('stage__in', ('checked', 'shelved')), _negated=True), ('checked_at__isnull', False), _connector='OR'), name='preparation_checked_has_a_time'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('stage__in', ('prepared', 'checked', 'shelved'))), models.Q(models.Q(('stage__in', ('prepared', 'checked', 'shelved')), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='preparation_ended_has_a_time'), models.CheckConstraint(condition=models.Q(models.Q(('dispense__isnull', False), ('stage', 'handed-over')), models.Q(models.Q(('stage', 'handed-over'), _negated=True), ('dispense__isnull', True)), _connector='OR'), name='preparation_handed_over_by_a_dispense')],
            },
        ),
        migrations.RunSQL([("SELECT audit.sign_master(%s::regclass, %s::text[])", ["dispensary_pharmacy", PHARMACY])]),
    ]
