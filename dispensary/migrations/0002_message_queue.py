import dispensary.models.keys
import dispensary.models.sealed
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('dispensary', '0002_reminders'),
        ('dispensary', '0006_a_plan_for_each_course'),
        ('dispensary', '0007_sending_since'),
        ('dispensary', '0008_a_plan_knows_its_settings'),
        ('dispensary', '0009_names_of_counters'),
        ('dispensary', '0010_cheaper_checks'),
    ]

    dependencies = [
        ('dispensary', '0001_prescriptions_and_dispenses'),
    ]

    operations = [
        migrations.CreateModel(
            name='EngineHeartbeat',
            fields=[
                ('name', models.CharField(max_length=24, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('count', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='ConsentEvent',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('medium', models.CharField(choices=[('email', 'E-mail'), ('sms', 'Text message')], max_length=8)),
                ('answer', models.CharField(choices=[('not-asked', 'Not asked'), ('yes', 'Yes'), ('no', 'No')], max_length=12)),
                ('source', models.CharField(choices=[('counter', 'At the counter'), ('patient-page', "On the patient's page"), ('one-click', 'One-click unsubscribe'), ('reply', 'Reply to a message'), ('provider', 'Told by the provider'), ('import', 'Taken over from another system')], max_length=16)),
                ('evidence', models.CharField(blank=True, help_text='form, conversation, event number', max_length=250)),
                ('said_at', models.DateTimeField()),
                ('recorded_by', models.CharField(max_length=64)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='consent_events', to='dispensary.patient')),
            ],
            options={
                'ordering': ['-said_at'],
            },
        ),
        migrations.CreateModel(
            name='Consent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('medium', models.CharField(choices=[('email', 'E-mail'), ('sms', 'Text message')], max_length=8)),
                ('answer', models.CharField(choices=[('not-asked', 'Not asked'), ('yes', 'Yes'), ('no', 'No')], max_length=12)),
                ('since', models.DateTimeField()),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='consents', to='dispensary.patient')),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='dispensary.consentevent')),
            ],
        ),
        migrations.CreateModel(
            name='ContactPoint',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('medium', models.CharField(choices=[('email', 'E-mail'), ('sms', 'Text message')], max_length=8)),
                ('address', dispensary.models.sealed.SealedTextField(help_text='encrypted at rest')),
                ('address_digest', models.CharField(db_index=True, max_length=64)),
                ('detail_level', models.CharField(choices=[('plain', 'No medicine, no dose'), ('detailed', 'With medicine and dose, as the patient chose')], default='plain', max_length=8)),
                ('preference', models.PositiveSmallIntegerField(default=1, help_text='the lowest is tried first')),
                ('fault', models.CharField(blank=True, choices=[('refused', 'The provider refuses it for good'), ('wrong-person', 'It belongs to somebody else')], max_length=16)),
                ('fault_at', models.DateTimeField(blank=True, null=True)),
                ('added_at', models.DateTimeField()),
                ('added_by', models.CharField(max_length=64)),
                ('retired_at', models.DateTimeField(blank=True, null=True)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='contact_points', to='dispensary.patient')),
            ],
            options={
                'ordering': ['preference', 'added_at'],
            },
        ),
        migrations.CreateModel(
            name='InboundEvent',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('channel', models.CharField(max_length=24)),
                ('provider_event_id', models.CharField(max_length=200)),
                ('kind', models.CharField(max_length=16)),
                ('facts', models.JSONField(default=dict, help_text='reference, status, digest of the address; no text, no address')),
                ('received_at', models.DateTimeField()),
                ('processed_at', models.DateTimeField(blank=True, null=True)),
                ('result', models.CharField(blank=True, max_length=40)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('processed_at__isnull', True)), fields=['received_at'], name='inbound_waiting')],
                'constraints': [models.UniqueConstraint(fields=('channel', 'provider_event_id'), name='inbound_event_once')],
            },
        ),
        migrations.CreateModel(
            name='Reminder',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('public_id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('refill_due', 'next supply due'), ('refill_again', 'next supply due, second call'), ('run_out', 'supply runs out today'), ('dose_change', 'the dose changes tomorrow'), ('last_day', 'last day of the course'), ('missed_collection', 'supply has run out and was not collected')], max_length=20)),
                ('occurrence', models.CharField(help_text='which one of its kind: a day, or days around run-out', max_length=12)),
                ('local_date', models.DateField()),
                ('local_time', models.TimeField()),
                ('tz_name', models.CharField(max_length=64)),
                ('tzdb_version', models.CharField(max_length=12)),
                ('due_at', models.DateTimeField()),
                ('useful_until', models.DateTimeField(help_text='never sent at or after this')),
                ('despite_quiet', models.BooleanField(default=False, help_text='a person asked for it to leave at once')),
                ('params', models.JSONField(default=dict, help_text='dates and doses that the words need; no name')),
                ('state', models.PositiveSmallIntegerField(choices=[(0, 'Owed'), (1, 'Taken by a worker'), (2, 'Being sent'), (3, 'Sent'), (4, 'Delivered'), (5, 'Withdrawn'), (6, 'Not sent: the patient may not be messaged'), (7, 'Not sent in time'), (8, 'Could not be sent'), (9, 'May or may not have been sent')], default=0)),
                ('round', models.PositiveSmallIntegerField(default=1, help_text='raised when a person sends it again')),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('lost_workers', models.PositiveSmallIntegerField(default=0, help_text='workers that died holding it')),
                ('last_error', models.CharField(blank=True, help_text='a code, never text with an address', max_length=40)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('lease_token', models.UUIDField(blank=True, null=True)),
                ('lease_owner', models.CharField(blank=True, max_length=64)),
                ('patient', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='reminders', to='dispensary.patient')),
                ('pharmacy', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='reminders', to='dispensary.pharmacy')),
            ],
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('medium', models.CharField(choices=[('email', 'E-mail'), ('sms', 'Text message')], max_length=8)),
                ('channel', models.CharField(help_text='which file in channels/ carried it', max_length=24)),
                ('attempt', models.PositiveSmallIntegerField()),
                ('round', models.PositiveSmallIntegerField(default=1)),
                ('key', models.UUIDField(help_text='handed to the provider; equal for every attempt at one intent')),
                ('address_digest', models.CharField(max_length=64)),
                ('provider_message_id', models.CharField(blank=True, max_length=200)),
                ('outcome', models.PositiveSmallIntegerField(choices=[(0, 'Started'), (10, 'Unknown: the answer was lost'), (20, 'Accepted by the provider'), (30, 'Delivered'), (31, 'Not delivered'), (32, 'Bounced'), (33, 'Refused'), (34, 'Unknown, and sent again'), (35, 'Not taken for now; tried again later'), (40, 'Reported as unwanted')], default=0)),
                ('error', models.CharField(blank=True, max_length=40)),
                ('language', models.CharField(max_length=8)),
                ('words_version', models.CharField(max_length=12)),
                ('detailed', models.BooleanField()),
                ('segments', models.PositiveSmallIntegerField(default=0)),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('contact', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='dispensary.contactpoint')),
                ('reminder', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='dispensary.reminder')),
            ],
            options={
                'verbose_name_plural': 'deliveries',
            },
        ),
        migrations.CreateModel(
            name='ReminderPlan',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField()),
                ('facts_digest', models.CharField(help_text='equal facts, equal plan: planning again does nothing', max_length=64)),
                ('run_out_on', models.DateField(help_text='first day not covered')),
                ('more_needed', models.BooleanField(help_text='the course goes on after this supply')),
                ('planned_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_reason', models.CharField(blank=True, choices=[('new-dispense', 'Another supply was handed over'), ('dispense-cancelled', 'The supply was cancelled'), ('dispense-returned', 'The supply came back'), ('prescription-cancelled', 'The prescription was cancelled'), ('prescription-stopped', 'The prescription was stopped'), ('prescription-replaced', 'The prescription was replaced'), ('patient-died', 'The patient died'), ('consent-withdrawn', 'The patient wants no messages'), ('by-hand', 'Withdrawn by a member of staff'), ('facts-changed', 'Planned again with other facts')], max_length=24)),
                ('dispense', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reminder_plans', to='dispensary.dispense')),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='reminder_plans', to='dispensary.patient')),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='dispensary.pharmacy')),
            ],
        ),
        migrations.AddField(
            model_name='reminder',
            name='plan',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='reminders', to='dispensary.reminderplan'),
        ),
        migrations.CreateModel(
            name='Suppression',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('medium', models.CharField(choices=[('email', 'E-mail'), ('sms', 'Text message')], max_length=8)),
                ('address_digest', models.CharField(max_length=64)),
                ('reason', models.CharField(choices=[('opted-out', 'Asked us to stop'), ('complained', 'Reported a message as unwanted'), ('wrong-person', 'Belongs to somebody else')], max_length=16)),
                ('since', models.DateTimeField()),
                ('pharmacy', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='dispensary.pharmacy')),
            ],
        ),
        migrations.CreateModel(
            name='WorklistItem',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('withdrawal-risk', 'Supply ends or has ended, nothing collected'), ('unreachable', 'No address that a message may go to'), ('failed', 'A message could not be sent'), ('maybe-sent', 'A message may or may not have been sent'), ('expired', 'A message was not sent in time'), ('reply', 'The patient answered a message'), ('wrong-person', 'An address belongs to somebody else')], max_length=16)),
                ('reason', models.CharField(help_text='why, in words, as it was when it was opened', max_length=300)),
                ('state', models.CharField(choices=[('open', 'Open'), ('put-off', 'Put off'), ('resolved', 'Done')], default='open', max_length=8)),
                ('opened_at', models.DateTimeField()),
                ('due_by', models.DateTimeField()),
                ('put_off_until', models.DateField(blank=True, null=True)),
                ('resolution', models.CharField(blank=True, choices=[('called', 'Spoke to the patient'), ('sent-again', 'Sent again'), ('address-corrected', 'Corrected the address'), ('supply-arranged', 'Arranged a supply'), ('not-needed', 'No longer needed'), ('by-event', 'Answered by what happened since')], max_length=20)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('resolved_by', models.CharField(blank=True, max_length=64)),
                ('resolved_at', models.DateTimeField(blank=True, null=True)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='work', to='dispensary.patient')),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='work', to='dispensary.pharmacy')),
                ('reminder', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='work', to='dispensary.reminder')),
            ],
            options={
                'ordering': ['due_by'],
            },
        ),
        migrations.AddIndex(
            model_name='consentevent',
            index=models.Index(fields=['patient', 'said_at'], name='consent_of_patient'),
        ),
        migrations.AddConstraint(
            model_name='consentevent',
            constraint=models.CheckConstraint(condition=models.Q(('answer__in', ['yes', 'no'])), name='consent_event_is_an_answer'),
        ),
        migrations.AddConstraint(
            model_name='consentevent',
            constraint=models.CheckConstraint(condition=models.Q(('source__in', ['counter', 'patient-page', 'one-click', 'reply', 'provider', 'import'])), name='consent_event_source_known'),
        ),
        migrations.AddConstraint(
            model_name='consent',
            constraint=models.UniqueConstraint(fields=('patient', 'medium'), name='consent_one_in_force'),
        ),
        migrations.AddConstraint(
            model_name='consent',
            constraint=models.CheckConstraint(condition=models.Q(('answer__in', ['not-asked', 'yes', 'no'])), name='consent_answer_known'),
        ),
        migrations.AddConstraint(
            model_name='contactpoint',
            constraint=models.UniqueConstraint(condition=models.Q(('retired_at__isnull', True)), fields=('patient', 'medium', 'address_digest'), name='contact_known_once'),
        ),
        migrations.AddConstraint(
            model_name='contactpoint',
            constraint=models.CheckConstraint(condition=models.Q(('medium__in', ['email', 'sms'])), name='contact_medium_known'),
        ),
        migrations.AddConstraint(
            model_name='contactpoint',
            constraint=models.CheckConstraint(condition=models.Q(('detail_level__in', ['plain', 'detailed'])), name='contact_detail_known'),
        ),
        migrations.AddConstraint(
            model_name='contactpoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('fault', ''), ('fault_at__isnull', True)), models.Q(models.Q(('fault', ''), _negated=True), ('fault_at__isnull', False)), _connector='OR'), name='contact_fault_has_a_time'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(fields=('reminder', 'medium', 'attempt'), name='delivery_attempt_unique'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(condition=models.Q(('outcome__in', (0, 10, 20, 30))), fields=('reminder', 'medium', 'round'), name='delivery_one_alive'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(condition=models.Q(('provider_message_id', ''), _negated=True), fields=('channel', 'provider_message_id'), name='delivery_provider_number_unique'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(('outcome__in', [0, 10, 20, 30, 31, 32, 33, 34, 35, 40])), name='delivery_outcome_known'),
        ),
        migrations.AddIndex(
            model_name='reminderplan',
            index=models.Index(condition=models.Q(('ended_at__isnull', True), ('more_needed', True)), fields=['pharmacy', 'run_out_on'], name='plan_running_out'),
        ),
        migrations.AddConstraint(
            model_name='reminderplan',
            constraint=models.UniqueConstraint(fields=('patient', 'version'), name='plan_version_unique'),
        ),
        migrations.AddConstraint(
            model_name='reminderplan',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('patient',), name='plan_one_in_force'),
        ),
        migrations.AddConstraint(
            model_name='reminderplan',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('ended_reason', '')), models.Q(('ended_at__isnull', False), models.Q(('ended_reason', ''), _negated=True)), _connector='OR'), name='plan_end_has_a_reason'),
        ),
        migrations.AddIndex(
            model_name='reminder',
            index=models.Index(condition=models.Q(('state', 0)), fields=['due_at', 'id'], name='reminder_due'),
        ),
        migrations.AddIndex(
            model_name='reminder',
            index=models.Index(condition=models.Q(('state__in', (1, 2))), fields=['lease_until'], name='reminder_held'),
        ),
        migrations.AddIndex(
            model_name='reminder',
            index=models.Index(fields=['patient', 'due_at'], name='reminder_of_patient'),
        ),
        migrations.AddIndex(
            model_name='reminder',
            index=models.Index(fields=['pharmacy', 'due_at'], name='reminder_of_pharmacy'),
        ),
        migrations.AddConstraint(
            model_name='reminder',
            constraint=models.UniqueConstraint(fields=('plan', 'kind', 'occurrence'), name='reminder_owed_once'),
        ),
        migrations.AddConstraint(
            model_name='reminder',
            constraint=models.CheckConstraint(condition=models.Q(('useful_until__gt', models.F('due_at'))), name='reminder_useful_when_due'),
        ),
        migrations.AddConstraint(
            model_name='reminder',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['refill_due', 'refill_again', 'run_out', 'dose_change', 'last_day', 'missed_collection'])), name='reminder_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='reminder',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])), name='reminder_state_known'),
        ),
        migrations.AddConstraint(
            model_name='reminder',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('lease_token__isnull', False), ('lease_until__isnull', False), ('state__in', (1, 2))), models.Q(models.Q(('state__in', (1, 2)), _negated=True), ('lease_token__isnull', True), ('lease_until__isnull', True)), _connector='OR'), name='reminder_held_has_a_lease'),
        ),
        migrations.AddConstraint(
            model_name='suppression',
            constraint=models.UniqueConstraint(fields=('medium', 'address_digest'), name='suppression_one_for_an_address'),
        ),
        migrations.AddConstraint(
            model_name='suppression',
            constraint=models.CheckConstraint(condition=models.Q(('reason__in', ['opted-out', 'complained', 'wrong-person'])), name='suppression_reason_known'),
        ),
        migrations.AddIndex(
            model_name='worklistitem',
            index=models.Index(condition=models.Q(('state', 'resolved'), _negated=True), fields=['pharmacy', 'due_by'], name='work_open'),
        ),
        migrations.AddConstraint(
            model_name='worklistitem',
            constraint=models.UniqueConstraint(condition=models.Q(('reminder__isnull', False), models.Q(('state', 'resolved'), _negated=True)), fields=('reminder', 'kind'), name='work_once_for_a_reminder'),
        ),
        migrations.AddConstraint(
            model_name='worklistitem',
            constraint=models.UniqueConstraint(condition=models.Q(('reminder__isnull', True), models.Q(('state', 'resolved'), _negated=True)), fields=('patient', 'kind'), name='work_once_for_a_patient'),
        ),
        migrations.AddConstraint(
            model_name='worklistitem',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('resolved_at__isnull', False), ('state', 'resolved'), models.Q(('resolution', ''), _negated=True)), models.Q(models.Q(('state', 'resolved'), _negated=True), ('resolution', ''), ('resolved_at__isnull', True)), _connector='OR'), name='work_done_says_how'),
        ),
        migrations.AddConstraint(
            model_name='worklistitem',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'put-off'), _negated=True), ('put_off_until__isnull', False), _connector='OR'), name='work_put_off_has_a_day'),
        ),
        # Rows change state several times in their short life: room on the page and an early vacuum keep the claim's index small.
        migrations.RunSQL(
            "ALTER TABLE dispensary_reminder SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);"
            "ALTER TABLE dispensary_delivery SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);",
            "ALTER TABLE dispensary_reminder RESET (fillfactor, autovacuum_vacuum_scale_factor);"
            "ALTER TABLE dispensary_delivery RESET (fillfactor, autovacuum_vacuum_scale_factor);",
        ),
        migrations.RemoveConstraint(
            model_name='reminderplan',
            name='plan_one_in_force',
        ),
        migrations.AddConstraint(
            model_name='reminderplan',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at__isnull', True)), fields=('patient', 'dispense'), name='plan_one_in_force'),
        ),
        migrations.RemoveConstraint(
            model_name='reminder',
            name='reminder_state_known',
        ),
        migrations.RemoveConstraint(
            model_name='reminder',
            name='reminder_held_has_a_lease',
        ),
        migrations.RemoveIndex(
            model_name='reminder',
            name='reminder_held',
        ),
        migrations.AddField(
            model_name='reminder',
            name='sending_since',
            field=models.DateTimeField(blank=True, help_text='begun, its end not recorded yet: what a dead worker leaves in doubt', null=True),
        ),
        migrations.RunSQL(
            "UPDATE dispensary_reminder SET state = 1, sending_since = clock_timestamp() WHERE state = 2",
            migrations.RunSQL.noop,
        ),
        migrations.AlterField(
            model_name='reminder',
            name='state',
            field=models.PositiveSmallIntegerField(choices=[(0, 'Owed'), (1, 'Taken by a worker'), (3, 'Sent'), (4, 'Delivered'), (5, 'Withdrawn'), (6, 'Not sent: the patient may not be messaged'), (7, 'Not sent in time'), (8, 'Could not be sent'), (9, 'May or may not have been sent')], default=0),
        ),
        migrations.AddIndex(
            model_name='reminder',
            index=models.Index(condition=models.Q(('state', 1)), fields=['lease_until'], name='reminder_held'),
        ),
        migrations.AddConstraint(
            model_name='reminder',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', [0, 1, 3, 4, 5, 6, 7, 8, 9])), name='reminder_state_known'),
        ),
        migrations.AddConstraint(
            model_name='reminder',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('lease_token__isnull', False), ('lease_until__isnull', False), ('state', 1)), models.Q(models.Q(('state', 1), _negated=True), ('lease_token__isnull', True), ('lease_until__isnull', True), ('sending_since__isnull', True)), _connector='OR'), name='reminder_held_has_a_lease'),
        ),
        migrations.AddField(
            model_name='pharmacy',
            name='timing_version',
            field=models.PositiveIntegerField(default=1, help_text='raised with each change of what decides when messages leave; older plans are planned again'),
        ),
        migrations.AddField(
            model_name='reminderplan',
            name='timing_version',
            field=models.PositiveIntegerField(default=1, help_text="the pharmacy's, as it was planned with"),
        ),
        migrations.AlterField(
            model_name='reminderplan',
            name='pharmacy',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='dispensary.pharmacy'),
        ),
        migrations.AddIndex(
            model_name='reminderplan',
            index=models.Index(condition=models.Q(('ended_at__isnull', True)), fields=['pharmacy', 'timing_version'], name='plan_in_force'),
        ),
        migrations.AlterField(
            model_name='engineheartbeat',
            name='name',
            field=models.CharField(max_length=80, primary_key=True, serialize=False),
        ),
        migrations.RemoveConstraint(
            model_name='delivery',
            name='delivery_outcome_known',
        ),
        migrations.RemoveConstraint(
            model_name='reminder',
            name='reminder_state_known',
        ),
        migrations.AlterField(
            model_name='delivery',
            name='attempt',
            field=models.SmallIntegerField(),
        ),
        migrations.AlterField(
            model_name='delivery',
            name='outcome',
            field=models.SmallIntegerField(choices=[(0, 'Started'), (10, 'Unknown: the answer was lost'), (20, 'Accepted by the provider'), (30, 'Delivered'), (31, 'Not delivered'), (32, 'Bounced'), (33, 'Refused'), (34, 'Unknown, and sent again'), (35, 'Not taken for now; tried again later'), (40, 'Reported as unwanted')], default=0),
        ),
        migrations.AlterField(
            model_name='delivery',
            name='round',
            field=models.SmallIntegerField(default=1),
        ),
        migrations.AlterField(
            model_name='delivery',
            name='segments',
            field=models.SmallIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name='reminder',
            name='attempts',
            field=models.SmallIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name='reminder',
            name='lost_workers',
            field=models.SmallIntegerField(default=0, help_text='workers that died holding it'),
        ),
        migrations.AlterField(
            model_name='reminder',
            name='round',
            field=models.SmallIntegerField(default=1, help_text='raised when a person sends it again'),
        ),
        migrations.AlterField(
            model_name='reminder',
            name='state',
            field=models.SmallIntegerField(choices=[(0, 'Owed'), (1, 'Taken by a worker'), (3, 'Sent'), (4, 'Delivered'), (5, 'Withdrawn'), (6, 'Not sent: the patient may not be messaged'), (7, 'Not sent in time'), (8, 'Could not be sent'), (9, 'May or may not have been sent')], default=0),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(('outcome__range', (0, 40))), name='delivery_outcome_known'),
        ),
        migrations.AddConstraint(
            model_name='reminder',
            constraint=models.CheckConstraint(condition=models.Q(('state__range', (0, 9))), name='reminder_state_known'),
        ),
    ]
