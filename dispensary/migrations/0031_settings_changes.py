"""Changes of limits and of who signs that wait for another manager, or for a day."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('dispensary', '0030_second_factors'),
    ]

    operations = [
        migrations.CreateModel(
            name='SettingsChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('changes', models.JSONField(help_text='names and new values of settings')),
                ('asked_by', models.CharField(max_length=64)),
                ('asker_name', models.CharField(max_length=120)),
                ('asked_at', models.DateTimeField()),
                ('due_at', models.DateTimeField(blank=True, help_text='when it comes into force; none: another manager decides', null=True)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='settings_changes', to='dispensary.pharmacy')),
            ],
            options={
                'ordering': ['asked_at'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('decided_at', None)), fields=('pharmacy',), name='settings_change_one_open_at_a_pharmacy')],
            },
        ),
    ]
