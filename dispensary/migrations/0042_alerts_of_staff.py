import dispensary.models.keys
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('dispensary', '0041_namesake_moved'),
    ]

    operations = [
        migrations.CreateModel(
            name='AlertContact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rank', models.PositiveSmallIntegerField(choices=[(1, 'Named person'), (2, 'Deputy')])),
                ('medium', models.CharField(choices=[('email', 'E-mail'), ('sms', 'Text message')], max_length=8)),
                ('address', models.CharField(max_length=254)),
                ('named_at', models.DateTimeField()),
                ('member', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='dispensary.staffmember')),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='dispensary.pharmacy')),
            ],
            options={
                'ordering': ['rank'],
                'constraints': [models.UniqueConstraint(fields=('pharmacy', 'rank'), name='alert_contact_one_of_a_rank'), models.UniqueConstraint(fields=('pharmacy', 'member'), name='alert_contact_two_people'), models.CheckConstraint(condition=models.Q(('rank__in', [1, 2])), name='alert_contact_rank_known')],
            },
        ),
        migrations.CreateModel(
            name='StaffAlert',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('red-flag', 'A message that cannot wait is unread'), ('verification', 'The log or the tables failed their check'), ('override', 'An override of the worst class was signed'), ('unsigned-day', 'Nobody signed the review of a day')], max_length=16)),
                ('subject_id', models.CharField(help_text='work, entry, second signature, or day', max_length=64)),
                ('version', models.CharField(blank=True, help_text='of a subject that may become urgent again', max_length=16)),
                ('opened_at', models.DateTimeField()),
                ('rounds', models.PositiveSmallIntegerField(default=0, help_text='how often people were told')),
                ('next_at', models.DateTimeField(help_text='when the next people are told, unless somebody answers before')),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('answered_by', models.CharField(blank=True, max_length=64)),
                ('answerer_name', models.CharField(blank=True, max_length=120)),
                ('words', models.CharField(blank=True, max_length=500)),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='dispensary.pharmacy')),
            ],
            options={
                'ordering': ['opened_at'],
                'indexes': [models.Index(condition=models.Q(('answered_at__isnull', True)), fields=['next_at'], name='staff_alert_open')],
                'constraints': [models.UniqueConstraint(fields=('pharmacy', 'kind', 'subject_id', 'version'), name='staff_alert_once'), models.CheckConstraint(condition=models.Q(('kind__in', ['red-flag', 'verification', 'override', 'unsigned-day'])), name='staff_alert_kind_known')],
            },
        ),
    ]
