"""Second signatures under the worst overrides, and the settings that ask for them."""

import dispensary.models.keys
import django.db.models.deletion
from django.db import migrations, models


PHARMACY = [
    "name", "phone", "email", "address", "time_zone", "language", "profile", "od_means_once_daily", "refill_lead_days",
    "second_call_days", "message_at", "quiet_from", "quiet_until", "opening_days", "holiday_region", "after_hours_phone", "token_signs",
    "second_signer", "second_signer_minutes",
]  # fmt: skip
"""Columns of a pharmacy that change only with an entry."""


class Migration(migrations.Migration):

    dependencies = [
        ('dispensary', '0028_signatures'),
    ]

    operations = [
        migrations.CreateModel(
            name='SecondSignature',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('signed_by', models.CharField(max_length=64)),
                ('signer_name', models.CharField(max_length=120)),
                ('signer_role', models.CharField(max_length=16)),
                ('signature', models.CharField(choices=[('password', 'Password, typed for this signature'), ('second-factor', 'Second factor, for this signature'), ('passkey', 'Passkey, for this signature'), ('token', "API token of the signer's own"), ('signed-in', 'Signed in, no fresh proof (acknowledgements only)')], max_length=16)),
                ('signed_at', models.DateTimeField()),
                ('is_alone', models.BooleanField(default=False, help_text='signed by the first signer, as nobody else answered')),
                ('because', models.CharField(blank=True, help_text='why alone', max_length=250)),
            ],
            options={
                'ordering': ['-signed_at'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='override',
            name='override_one_open_for_a_finding',
        ),
        migrations.RemoveConstraint(
            model_name='override',
            name='override_state_known',
        ),
        migrations.AddField(
            model_name='pharmacy',
            name='second_signer',
            field=models.BooleanField(default=False, help_text='an override of the worst class needs the signatures of two pharmacists'),
        ),
        migrations.AddField(
            model_name='pharmacy',
            name='second_signer_minutes',
            field=models.PositiveSmallIntegerField(default=15, help_text="minutes without an answer after which one signs alone, for three days' supply"),
        ),
        migrations.AlterField(
            model_name='override',
            name='state',
            field=models.CharField(choices=[('waiting', 'Waits for a second pharmacist'), ('open', 'Open'), ('used', 'Used'), ('withdrawn', 'Withdrawn')], default='open', max_length=12),
        ),
        migrations.AddConstraint(
            model_name='override',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ('waiting', 'open'))), fields=('prescription', 'fingerprint'), name='override_one_open_for_a_finding'),
        ),
        migrations.AddConstraint(
            model_name='override',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['waiting', 'open', 'used', 'withdrawn'])), name='override_state_known'),
        ),
        migrations.AddConstraint(
            model_name='pharmacy',
            constraint=models.CheckConstraint(condition=models.Q(('second_signer_minutes__gte', 5), ('second_signer_minutes__lte', 1440)), name='pharmacy_waits_for_a_second_signer'),
        ),
        migrations.AddField(
            model_name='secondsignature',
            name='override',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='second', to='dispensary.override'),
        ),
        migrations.AddConstraint(
            model_name='secondsignature',
            constraint=models.CheckConstraint(condition=models.Q(('is_alone', False), models.Q(('because', ''), _negated=True), _connector='OR'), name='second_signature_alone_because'),
        ),
        migrations.AddConstraint(
            model_name='secondsignature',
            constraint=models.CheckConstraint(condition=models.Q(('signature__in', ['password', 'second-factor', 'passkey'])), name='second_signature_is_fresh'),
        ),
        migrations.RunSQL([("SELECT audit.sign_master(%s::regclass, %s::text[])", ["dispensary_pharmacy", PHARMACY])]),
        migrations.RunSQL([("SELECT audit.sign_events(%s::regclass, %s::text[])", ["dispensary_secondsignature", []])]),
    ]
