"""Tokens with scopes, accounts of programs, and whether a token alone signs an override."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import dispensary.models.keys

GUARDED = {
    "staffmember": ("user_id", "pharmacy_id", "role", "display_name", "registration", "active", "is_service"),
    "pharmacy": (
        "name", "phone", "email", "address", "time_zone", "language", "profile", "od_means_once_daily", "refill_lead_days",
        "second_call_days", "message_at", "quiet_from", "quiet_until", "token_signs",
    ),
}  # fmt: skip
"""Table of master data -> columns that change only with an entry."""


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("dispensary", "0016_log_answers_for_itself"),
    ]

    operations = [
        migrations.CreateModel(
            name='AccessToken',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('digest', models.CharField(help_text='SHA-256 of the token, hexadecimal', max_length=64, unique=True)),
                ('role', models.CharField(blank=True, choices=[('technician', 'Technician'), ('pharmacist', 'Pharmacist'), ('manager', 'Manager'), ('auditor', 'Auditor')], help_text='none: that of its owner', max_length=16)),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), help_text='parts of the work it is for', size=None)),
                ('label', models.CharField(blank=True, help_text='what it is used for', max_length=120)),
                ('issued_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('minute', models.DateTimeField(blank=True, help_text='in which it was used last', null=True)),
                ('uses', models.PositiveIntegerField(default=0, help_text='in that minute')),
            ],
            options={
                'ordering': ['-issued_at'],
            },
        ),
        migrations.AddField(
            model_name='pharmacy',
            name='token_signs',
            field=models.BooleanField(default=False, help_text='an API token alone signs an override, without a fresh proof of its owner'),
        ),
        migrations.AddField(
            model_name='staffmember',
            name='is_service',
            field=models.BooleanField(default=False, help_text='a program, which has no password and signs nothing'),
        ),
        migrations.AddConstraint(
            model_name='staffmember',
            constraint=models.CheckConstraint(condition=models.Q(('is_service', False), ('role__in', ('technician', 'auditor')), _connector='OR'), name='staff_service_signs_nothing'),
        ),
        migrations.AddField(
            model_name='accesstoken',
            name='pharmacy',
            field=models.ForeignKey(blank=True, help_text='none: each at which its owner works', null=True, on_delete=django.db.models.deletion.PROTECT, to='dispensary.pharmacy'),
        ),
        migrations.AddField(
            model_name='accesstoken',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='dispensary_tokens', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='accesstoken',
            index=models.Index(fields=['user', 'revoked_at'], name='token_of_user'),
        ),
        migrations.AddConstraint(
            model_name='accesstoken',
            constraint=models.CheckConstraint(condition=models.Q(('role', ''), ('role__in', ['technician', 'pharmacist', 'manager', 'auditor']), _connector='OR'), name='token_role_known'),
        ),
        migrations.AddConstraint(
            model_name='accesstoken',
            constraint=models.CheckConstraint(condition=models.Q(('scopes__contained_by', ['read', 'intake', 'dispense', 'messages', 'audit']), ('scopes__len__gt', 0)), name='token_scopes_known'),
        ),
        migrations.AddConstraint(
            model_name='accesstoken',
            constraint=models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('issued_at'))), name='token_expires'),
        ),
        *(
            migrations.RunSQL([("SELECT audit.sign_master(%s::regclass, %s::text[])", [f"dispensary_{table}", list(columns)])])
            for table, columns in GUARDED.items()
        ),
    ]
