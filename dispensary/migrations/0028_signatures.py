"""Signatures that are begun and used once, locks of signatures, and passkeys among the proofs."""

import dispensary.models.keys
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('dispensary', '0027_stop_of_recorded_supplies'),
    ]

    operations = [
        migrations.CreateModel(
            name='BegunSignature',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('signer', models.CharField(help_text='name of the actor', max_length=64)),
                ('shown', models.CharField(help_text='SHA-256 of what the signer was shown, hexadecimal', max_length=64)),
                ('begun_at', models.DateTimeField(db_index=True)),
                ('used_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-begun_at'],
            },
        ),
        migrations.CreateModel(
            name='SignatureLock',
            fields=[
                ('signer', models.CharField(help_text='name of the actor', max_length=64, primary_key=True, serialize=False)),
                ('since', models.DateTimeField()),
                ('failures', models.PositiveSmallIntegerField(default=0)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='override',
            name='override_signature_known',
        ),
        migrations.AlterField(
            model_name='override',
            name='signature',
            field=models.CharField(choices=[('password', 'Password, typed for this signature'), ('second-factor', 'Second factor, for this signature'), ('passkey', 'Passkey, for this signature'), ('token', "API token of the signer's own"), ('signed-in', 'Signed in, no fresh proof (acknowledgements only)')], max_length=16),
        ),
        migrations.AddConstraint(
            model_name='override',
            constraint=models.CheckConstraint(condition=models.Q(('signature__in', ['password', 'second-factor', 'passkey', 'token', 'signed-in'])), name='override_signature_known'),
        ),
        migrations.AddField(
            model_name='begunsignature',
            name='prescription',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='dispensary.prescription'),
        ),
        migrations.AddIndex(
            model_name='begunsignature',
            index=models.Index(fields=['prescription', 'signer'], name='begun_signature_of_signer'),
        ),
    ]
