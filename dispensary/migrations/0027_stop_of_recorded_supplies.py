"""Reviews of, and answers about, a stop of what was supplied elsewhere; the columns stay as they were written."""

import django.db.models.deletion
from django.db import migrations, models

OPEN = {"review": [], "override": ["state", "dispense_id"]}
"""Table of events -> columns that change after the row was written; all others, the new ones too, do not."""


class Migration(migrations.Migration):

    dependencies = [
        ('dispensary', '0026_orders_at_the_counter'),
    ]

    operations = [
        migrations.AddField(
            model_name='override',
            name='prior_supply',
            field=models.ForeignKey(blank=True, help_text='the supply from elsewhere whose course was stopped', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='overrides', to='dispensary.priorsupply'),
        ),
        migrations.AddField(
            model_name='review',
            name='prior_supply',
            field=models.ForeignKey(blank=True, help_text='the supply from elsewhere whose course was to be stopped', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to='dispensary.priorsupply'),
        ),
        migrations.AlterField(
            model_name='override',
            name='prescription',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='overrides', to='dispensary.prescription'),
        ),
        migrations.AlterField(
            model_name='review',
            name='prescription',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to='dispensary.prescription'),
        ),
        migrations.AddConstraint(
            model_name='override',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('prior_supply', 'fingerprint'), name='override_one_open_for_a_recorded_supply'),
        ),
        migrations.AddConstraint(
            model_name='override',
            constraint=models.CheckConstraint(condition=models.Q(('prescription__isnull', True), ('prior_supply__isnull', True), _connector='XOR'), name='override_is_about_one_thing'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(('prescription__isnull', True), ('prior_supply__isnull', True), _connector='XOR'), name='review_is_about_one_thing'),
        ),
        *(
            migrations.RunSQL([("SELECT audit.sign_events(%s::regclass, %s::text[])", [f"dispensary_{table}", columns])])
            for table, columns in OPEN.items()
        ),
    ]
