"""Hand-overs recorded late: who typed them in, when and in which words, their review, and the work of it."""

from django.db import migrations, models

OPEN_COLUMNS = ["status", "ended_at", "ended_reason", "label_prints"]
"""Columns of a hand-over that may change; all others, the new ones too, do not."""


class Migration(migrations.Migration):

    dependencies = [
        ('dispensary', '0043_times_of_day_and_labels'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='review',
            name='review_reason_known',
        ),
        migrations.AddField(
            model_name='dispense',
            name='late_words',
            field=models.CharField(blank=True, db_default='', default='', help_text='what stands on the paper: why in spite of a limit, and who agreed', max_length=2000),
        ),
        migrations.AddField(
            model_name='dispense',
            name='recorded_at',
            field=models.DateTimeField(blank=True, help_text='when it was typed in, of a hand-over that was recorded late', null=True),
        ),
        migrations.AddField(
            model_name='dispense',
            name='recorded_by',
            field=models.CharField(blank=True, db_default='', default='', max_length=64),
        ),
        migrations.AddField(
            model_name='dispense',
            name='recorder_name',
            field=models.CharField(blank=True, db_default='', default='', help_text='who typed it in', max_length=120),
        ),
        migrations.AlterField(
            model_name='review',
            name='reason',
            field=models.CharField(choices=[('received', 'The prescription came in'), ('checked', 'Somebody checked it'), ('dispense', 'It was about to be handed over'), ('stop', 'It was about to be stopped'), ('late', 'Its hand-over was recorded late, and is reviewed as of then')], max_length=12),
        ),
        migrations.AlterField(
            model_name='worklistitem',
            name='kind',
            field=models.CharField(choices=[('red-flag', 'A message that cannot wait'), ('withdrawal-risk', 'Supply ends or has ended, nothing collected'), ('unreachable', 'No address that a message may go to'), ('failed', 'A message could not be sent'), ('maybe-sent', 'A message may or may not have been sent'), ('expired', 'A message was not sent in time'), ('reply', 'The patient answered a message'), ('wrong-person', 'An address belongs to somebody else'), ('order-withdrawn', 'An order was withdrawn after a supply'), ('papers-outdated', 'Papers no longer true'), ('order-owed', 'The order for an emergency supply is owed'), ('late-entry', 'A hand-over recorded late, to be reviewed by a pharmacist'), ('relation-unknown', 'Whether supplies replace each other is not known')], max_length=16),
        ),
        migrations.AlterField(
            model_name='worklistitem',
            name='resolution',
            field=models.CharField(blank=True, choices=[('called', 'Spoke to the patient'), ('sent-again', 'Sent again'), ('address-corrected', 'Corrected the address'), ('supply-arranged', 'Arranged a supply'), ('reviewed', 'Reviewed what was recorded late'), ('not-needed', 'No longer needed'), ('by-event', 'Answered by what happened since')], max_length=20),
        ),
        migrations.AddConstraint(
            model_name='dispense',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('late_words', ''), ('recorded_at__isnull', True), ('recorded_by', ''), ('recorder_name', '')), models.Q(('recorded_at__gte', models.F('handed_over_at')), models.Q(('recorded_by', ''), _negated=True)), _connector='OR'), name='dispense_recorded_late_says_by_whom'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(('reason__in', ['received', 'checked', 'dispense', 'stop', 'late'])), name='review_reason_known'),
        ),
        migrations.RunSQL([("SELECT audit.sign_events(%s::regclass, %s::text[])", ["dispensary_dispense", OPEN_COLUMNS])]),
    ]
