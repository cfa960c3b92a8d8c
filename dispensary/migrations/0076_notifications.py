"""Notifications of a browser as a medium; the next migration checks the rows of before."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('dispensary', '0075_counts_of_late_entries'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='contactpoint',
            name='contact_medium_known',
        ),
        migrations.AlterField(
            model_name='alertcontact',
            name='medium',
            field=models.CharField(choices=[('email', 'E-mail'), ('sms', 'Text message'), ('voice', 'Telephone call'), ('whatsapp', 'WhatsApp'), ('push', 'Notification')], max_length=8),
        ),
        migrations.AlterField(
            model_name='consent',
            name='medium',
            field=models.CharField(choices=[('email', 'E-mail'), ('sms', 'Text message'), ('voice', 'Telephone call'), ('whatsapp', 'WhatsApp'), ('push', 'Notification')], max_length=8),
        ),
        migrations.AlterField(
            model_name='consentevent',
            name='medium',
            field=models.CharField(choices=[('email', 'E-mail'), ('sms', 'Text message'), ('voice', 'Telephone call'), ('whatsapp', 'WhatsApp'), ('push', 'Notification')], max_length=8),
        ),
        migrations.AlterField(
            model_name='contactpoint',
            name='medium',
            field=models.CharField(choices=[('email', 'E-mail'), ('sms', 'Text message'), ('voice', 'Telephone call'), ('whatsapp', 'WhatsApp'), ('push', 'Notification')], max_length=8),
        ),
        migrations.AlterField(
            model_name='delivery',
            name='medium',
            field=models.CharField(choices=[('email', 'E-mail'), ('sms', 'Text message'), ('voice', 'Telephone call'), ('whatsapp', 'WhatsApp'), ('push', 'Notification')], max_length=8),
        ),
        migrations.AlterField(
            model_name='suppression',
            name='medium',
            field=models.CharField(choices=[('email', 'E-mail'), ('sms', 'Text message'), ('voice', 'Telephone call'), ('whatsapp', 'WhatsApp'), ('push', 'Notification')], max_length=8),
        ),
        AddConstraintNotValid(
            model_name='contactpoint',
            constraint=models.CheckConstraint(condition=models.Q(('medium__in', ['email', 'sms', 'voice', 'whatsapp', 'push'])), name='contact_medium_known'),
        ),
    ]
