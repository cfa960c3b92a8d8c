"""Orders without a prescriber, for emergency supplies, and the work of the order that is owed."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('dispensary', '0032_signed_limits'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='prescription',
            name='prescription_source_known',
        ),
        migrations.AlterField(
            model_name='prescription',
            name='source',
            field=models.CharField(choices=[('case', 'Case format'), ('fhir', 'FHIR MedicationRequest'), ('counter', 'Typed at the counter'), ('no-order', 'Emergency supply, without an order')], max_length=8),
        ),
        migrations.AlterField(
            model_name='worklistitem',
            name='kind',
            field=models.CharField(choices=[('red-flag', 'A message that cannot wait'), ('withdrawal-risk', 'Supply ends or has ended, nothing collected'), ('unreachable', 'No address that a message may go to'), ('failed', 'A message could not be sent'), ('maybe-sent', 'A message may or may not have been sent'), ('expired', 'A message was not sent in time'), ('reply', 'The patient answered a message'), ('wrong-person', 'An address belongs to somebody else'), ('order-withdrawn', 'An order was withdrawn after a supply'), ('papers-outdated', 'Papers no longer true'), ('order-owed', 'The order for an emergency supply is owed'), ('relation-unknown', 'Whether supplies replace each other is not known')], max_length=16),
        ),
        migrations.AddConstraint(
            model_name='prescription',
            constraint=models.CheckConstraint(condition=models.Q(('source__in', ['case', 'fhir', 'counter', 'no-order'])), name='prescription_source_known'),
        ),
    ]
