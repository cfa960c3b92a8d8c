import datetime
import dispensary.models.keys
import dispensary.models.pharmacy
import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.lookups
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('dispensary', '0001_initial'),
        ('dispensary', '0004_notes_of_a_prescription'),
        ('dispensary', '0005_manners_of_a_pharmacy'),
    ]

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Pharmacy',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=120)),
                ('phone', models.CharField(blank=True, max_length=32)),
                ('email', models.EmailField(blank=True, max_length=254)),
                ('address', models.CharField(blank=True, max_length=250)),
                ('time_zone', models.CharField(default='UTC', max_length=64, validators=[dispensary.models.pharmacy.validate_time_zone])),
                ('language', models.CharField(choices=[('en', 'English'), ('es', 'Spanish'), ('fr', 'French'), ('ar', 'Arabic')], default='en', max_length=8)),
                ('profile', models.CharField(default='lioresal', help_text='rule book profile', max_length=64)),
                ('od_means_once_daily', models.BooleanField(blank=True, help_text="how this site reads 'od'; unknown means that it is asked back", null=True)),
                ('refill_lead_days', models.PositiveSmallIntegerField(default=7, help_text='days before run-out of the first call')),
                ('second_call_days', models.PositiveSmallIntegerField(default=2, help_text='days before run-out of the second call')),
                ('message_at', models.TimeField(default=datetime.time(10, 0), help_text='local time at which messages are planned')),
                ('quiet_from', models.TimeField(default=datetime.time(20, 0), help_text='no message from this local time')),
                ('quiet_until', models.TimeField(default=datetime.time(9, 0), help_text='until this one')),
                ('opened_at', models.DateTimeField()),
                ('version', models.PositiveIntegerField(default=1)),
            ],
            options={
                'verbose_name_plural': 'pharmacies',
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='pharmacy_has_a_name'), models.CheckConstraint(condition=models.Q(('second_call_days__lt', models.F('refill_lead_days'))), name='pharmacy_second_call_after_the_first')],
            },
        ),
        migrations.CreateModel(
            name='Patient',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('identifier', models.CharField(help_text="the pharmacy's own number for the patient", max_length=64)),
                ('family_name', models.CharField(max_length=120)),
                ('given_name', models.CharField(blank=True, max_length=120)),
                ('birth_date', models.DateField(blank=True, null=True)),
                ('sex', models.CharField(choices=[('female', 'Female'), ('male', 'Male'), ('other', 'Other'), ('unknown', 'Unknown')], default='unknown', max_length=8)),
                ('language', models.CharField(choices=[('en', 'English'), ('es', 'Spanish'), ('fr', 'French'), ('ar', 'Arabic')], default='en', max_length=8)),
                ('time_zone', models.CharField(blank=True, max_length=64, validators=[dispensary.models.pharmacy.validate_time_zone])),
                ('died_on', models.DateField(blank=True, null=True)),
                ('weight_kg', models.DecimalField(blank=True, decimal_places=6, max_digits=9, null=True)),
                ('egfr', models.DecimalField(blank=True, decimal_places=6, help_text='mL/min/1.73 m²', max_digits=9, null=True)),
                ('dialysis', models.BooleanField(blank=True, null=True)),
                ('pregnant', models.BooleanField(blank=True, null=True)),
                ('breastfeeding', models.BooleanField(blank=True, null=True)),
                ('allergies', models.JSONField(blank=True, null=True)),
                ('conditions', models.JSONField(blank=True, null=True)),
                ('medicines', models.JSONField(blank=True, null=True)),
                ('alcohol_use', models.BooleanField(blank=True, null=True)),
                ('drives', models.BooleanField(blank=True, null=True)),
                ('intrathecal_pump', models.BooleanField(blank=True, null=True)),
                ('facts_at', models.DateTimeField(blank=True, help_text='when the facts were last asked', null=True)),
                ('version', models.PositiveIntegerField(default=1)),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='patients', to='dispensary.pharmacy')),
            ],
            options={
                'ordering': ['family_name', 'given_name'],
            },
        ),
        migrations.CreateModel(
            name='IdempotentRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('actor', models.CharField(max_length=64)),
                ('key', models.CharField(max_length=64)),
                ('request_digest', models.CharField(help_text='SHA-256 over method, path and body', max_length=64)),
                ('status', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('body', models.JSONField(blank=True, null=True)),
                ('created_at', models.DateTimeField(db_index=True)),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='dispensary.pharmacy')),
            ],
        ),
        migrations.CreateModel(
            name='Dispense',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveSmallIntegerField(help_text='first, second, ... supply on this prescription')),
                ('status', models.CharField(choices=[('completed', 'Handed over'), ('cancelled', 'Cancelled'), ('returned', 'Returned')], default='completed', max_length=12)),
                ('quantity', models.DecimalField(decimal_places=3, help_text='tablets', max_digits=9)),
                ('strength_mg', models.DecimalField(decimal_places=3, max_digits=8)),
                ('lot', models.CharField(blank=True, max_length=20)),
                ('expiry', models.DateField(blank=True, null=True)),
                ('serial', models.CharField(blank=True, max_length=20)),
                ('starts_on', models.DateField(help_text='first day that this supply is for')),
                ('days_supply', models.PositiveIntegerField()),
                ('run_out_on', models.DateField()),
                ('prepared_at', models.DateTimeField()),
                ('handed_over_at', models.DateTimeField()),
                ('dispensed_by', models.CharField(max_length=64)),
                ('dispenser_name', models.CharField(max_length=120)),
                ('key', models.CharField(help_text='idempotency key', max_length=64)),
                ('audit_entry', models.UUIDField(help_text='the entry in the audit log that was written with it')),
                ('label_prints', models.PositiveSmallIntegerField(default=0, help_text='how often a label was printed')),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_reason', models.CharField(blank=True, max_length=250)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='dispenses', to='dispensary.patient')),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='dispenses', to='dispensary.pharmacy')),
            ],
            options={
                'ordering': ['-handed_over_at'],
            },
        ),
        migrations.CreateModel(
            name='Prescriber',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('identifier', models.CharField(help_text='registration number', max_length=64)),
                ('name', models.CharField(max_length=120)),
                ('phone', models.CharField(blank=True, max_length=32)),
                ('organisation', models.CharField(blank=True, max_length=120)),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='prescribers', to='dispensary.pharmacy')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Prescription',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('active', 'Active'), ('completed', 'Completed'), ('cancelled', 'Cancelled'), ('stopped', 'Stopped'), ('replaced', 'Replaced')], default='active', max_length=12)),
                ('written_on', models.DateField(blank=True, null=True)),
                ('route', models.CharField(blank=True, max_length=100)),
                ('form', models.CharField(blank=True, max_length=32)),
                ('strength_mg', models.DecimalField(blank=True, decimal_places=3, max_digits=8, null=True)),
                ('brand', models.CharField(blank=True, max_length=200)),
                ('then_stop', models.BooleanField(blank=True, help_text='the medicine ends after the last phase', null=True)),
                ('directions', models.TextField(blank=True)),
                ('phases_from_directions', models.BooleanField(default=False, help_text='the phases were read from the directions, not sent as structure')),
                ('quantity', models.DecimalField(blank=True, decimal_places=3, help_text='tablets', max_digits=9, null=True)),
                ('repeats', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('source', models.CharField(choices=[('case', 'Case format'), ('fhir', 'FHIR MedicationRequest'), ('counter', 'Typed at the counter')], max_length=8)),
                ('document', models.JSONField(help_text='the order exactly as it came in')),
                ('received_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('ended_reason', models.CharField(blank=True, max_length=250)),
                ('version', models.PositiveIntegerField(default=1)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='prescriptions', to='dispensary.patient')),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='prescriptions', to='dispensary.pharmacy')),
                ('prescriber', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='prescriptions', to='dispensary.prescriber')),
                ('replaces', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='replaced_by', to='dispensary.prescription')),
            ],
            options={
                'ordering': ['-received_at'],
            },
        ),
        migrations.CreateModel(
            name='Phase',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('doses', django.contrib.postgres.fields.ArrayField(base_field=models.DecimalField(decimal_places=6, max_digits=13), help_text="one day's doses", size=None)),
                ('unit', models.CharField(choices=[('mg', 'mg'), ('microgram', 'microgram')], default='mg', max_length=12)),
                ('days', models.PositiveIntegerField(blank=True, help_text='unknown on an open last phase', null=True)),
                ('from_day', models.PositiveIntegerField(blank=True, help_text='day of the course on which the order says that it begins; 1 is the first', null=True)),
                ('prescription', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='phases', to='dispensary.prescription')),
            ],
            options={
                'ordering': ['prescription', 'number'],
            },
        ),
        migrations.CreateModel(
            name='Override',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('code', models.CharField(help_text='rule code, or not-assessed', max_length=64)),
                ('severity', models.CharField(choices=[('information', 'Information'), ('acknowledge', 'Acknowledge'), ('override', 'Override'), ('stop', 'Stop')], max_length=12)),
                ('summary', models.CharField(help_text='the finding as shown', max_length=200)),
                ('detail', models.TextField(blank=True, help_text='its arithmetic as shown')),
                ('fingerprint', models.CharField(max_length=64)),
                ('mitigation', models.CharField(blank=True, choices=[('1', 'Therapy appropriate'), ('2', 'Assessed patient'), ('3', 'Patient explanation'), ('4', 'Consulted other source'), ('5', 'Consulted prescriber'), ('6', 'Consulted prescriber, declined change'), ('7', 'Interacting therapy no longer active'), ('8', 'Other action'), ('9', 'Instituted ongoing monitoring'), ('10', 'Provided patient education'), ('11', 'Added concurrent therapy'), ('12', 'Temporarily suspended concurrent therapy'), ('13', 'Stopped concurrent therapy'), ('14', 'Supply appropriate'), ('15', 'Replacement'), ('16', 'Vacation supply'), ('17', 'Weekend supply'), ('18', 'Leave of absence'), ('19', 'Consulted supplier'), ('20', 'Additional quantity on separate dispense'), ('21', 'Authorisation confirmed'), ('22', 'Appropriate indication or diagnosis'), ('23', 'Prior therapy documented'), ('EMAUTH', 'Emergency authorisation override')], max_length=8)),
                ('words', models.TextField(blank=True, max_length=2000)),
                ('asked', models.CharField(blank=True, help_text='whom the signer spoke to', max_length=120)),
                ('asked_at', models.DateTimeField(blank=True, null=True)),
                ('agreed', models.CharField(blank=True, help_text='what was agreed', max_length=500)),
                ('signed_by', models.CharField(max_length=64)),
                ('signer_name', models.CharField(max_length=120)),
                ('signer_role', models.CharField(max_length=16)),
                ('signature', models.CharField(choices=[('password', 'Password, typed for this signature'), ('second-factor', 'Second factor, for this signature'), ('token', "API token of the signer's own"), ('signed-in', 'Signed in, no fresh proof (acknowledgements only)')], max_length=16)),
                ('signed_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('open', 'Open'), ('used', 'Used'), ('withdrawn', 'Withdrawn')], default='open', max_length=12)),
                ('dispense', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='overrides', to='dispensary.dispense')),
                ('prescription', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='overrides', to='dispensary.prescription')),
            ],
            options={
                'ordering': ['-signed_at'],
            },
        ),
        migrations.AddField(
            model_name='dispense',
            name='prescription',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='dispenses', to='dispensary.prescription'),
        ),
        migrations.CreateModel(
            name='PriorSupply',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('dispensed_on', models.DateField()),
                ('doses', django.contrib.postgres.fields.ArrayField(base_field=models.DecimalField(decimal_places=6, max_digits=13), help_text="one day's doses, mg", size=None)),
                ('strength_mg', models.DecimalField(blank=True, decimal_places=3, max_digits=8, null=True)),
                ('days_supply', models.PositiveSmallIntegerField()),
                ('dose_since', models.DateField(blank=True, null=True)),
                ('relation', models.CharField(choices=[('same-course', 'Same course'), ('concurrent', 'Still meant to run beside it')], default='same-course', max_length=16)),
                ('recorded_at', models.DateTimeField()),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='prior_supplies', to='dispensary.patient')),
            ],
            options={
                'verbose_name_plural': 'prior supplies',
                'ordering': ['dispensed_on', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Product',
            fields=[
                ('gtin', models.CharField(max_length=14, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=120)),
                ('brand', models.CharField(blank=True, max_length=64)),
                ('ingredient', models.CharField(default='baclofen', max_length=64)),
                ('form', models.CharField(default='tablet', max_length=32)),
                ('strength_mg', models.DecimalField(decimal_places=3, max_digits=8)),
                ('pack_size', models.PositiveSmallIntegerField(help_text='tablets')),
            ],
            options={
                'ordering': ['name', 'strength_mg', 'pack_size'],
                'constraints': [models.CheckConstraint(condition=models.Q(('gtin__regex', '^[0-9]{14}$')), name='product_gtin_fourteen_digits'), models.CheckConstraint(condition=models.Q(('strength_mg__gt', Decimal('0'))), name='product_strength_positive'), models.CheckConstraint(condition=models.Q(('pack_size__gte', 1)), name='product_pack_not_empty')],
            },
        ),
        migrations.AddField(
            model_name='dispense',
            name='product',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='dispenses', to='dispensary.product'),
        ),
        migrations.CreateModel(
            name='Review',
            fields=[
                ('id', models.UUIDField(default=dispensary.models.keys.uuid7, editable=False, primary_key=True, serialize=False)),
                ('reason', models.CharField(choices=[('received', 'The prescription came in'), ('checked', 'Somebody checked it'), ('dispense', 'It was about to be handed over'), ('stop', 'It was about to be stopped')], max_length=12)),
                ('case_text', models.TextField(help_text='the case, canonical JSON')),
                ('result_text', models.TextField(help_text='the review, canonical JSON')),
                ('outcome', models.CharField(choices=[('pass', 'Pass'), ('acknowledge', 'Needs an acknowledgement'), ('override', 'Needs an override'), ('stop', 'Stop')], max_length=12)),
                ('profile_name', models.CharField(max_length=64)),
                ('profile_digest', models.CharField(max_length=80)),
                ('rules_version', models.CharField(max_length=32)),
                ('reviewed_at', models.DateTimeField()),
                ('reviewed_by', models.CharField(max_length=64)),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to='dispensary.pharmacy')),
                ('prescription', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to='dispensary.prescription')),
            ],
            options={
                'ordering': ['-reviewed_at'],
            },
        ),
        migrations.CreateModel(
            name='Finding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('code', models.CharField(max_length=64)),
                ('severity', models.CharField(choices=[('information', 'Information'), ('acknowledge', 'Acknowledge'), ('override', 'Override'), ('stop', 'Stop')], max_length=12)),
                ('summary', models.CharField(max_length=200)),
                ('detail', models.TextField(blank=True)),
                ('dur', models.CharField(blank=True, help_text='NCPDP reason for service, 439-E4', max_length=8)),
                ('detected_issue', models.CharField(blank=True, help_text='v3-ActCode', max_length=16)),
                ('fingerprint', models.CharField(help_text='the same finding on the same facts has the same one', max_length=64)),
                ('review', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='findings', to='dispensary.review')),
            ],
            options={
                'ordering': ['review', 'number'],
            },
        ),
        migrations.AddField(
            model_name='dispense',
            name='review',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='dispense', to='dispensary.review'),
        ),
        migrations.CreateModel(
            name='StaffMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('technician', 'Technician'), ('pharmacist', 'Pharmacist'), ('manager', 'Manager'), ('auditor', 'Auditor')], max_length=16)),
                ('display_name', models.CharField(help_text='as printed on labels and signatures', max_length=120)),
                ('registration', models.CharField(blank=True, help_text='professional registration number', max_length=32)),
                ('active', models.BooleanField(default=True)),
                ('pharmacy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='staff', to='dispensary.pharmacy')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='dispensary_staff', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['pharmacy', 'display_name'],
            },
        ),
        migrations.AddIndex(
            model_name='patient',
            index=models.Index(fields=['pharmacy', 'family_name', 'given_name'], name='patient_by_name'),
        ),
        migrations.AddConstraint(
            model_name='patient',
            constraint=models.UniqueConstraint(fields=('pharmacy', 'identifier'), name='patient_number_unique_in_pharmacy'),
        ),
        migrations.AddConstraint(
            model_name='patient',
            constraint=models.CheckConstraint(condition=models.Q(('family_name', ''), _negated=True), name='patient_has_a_name'),
        ),
        migrations.AddConstraint(
            model_name='patient',
            constraint=models.CheckConstraint(condition=models.Q(('birth_date__isnull', True), ('birth_date__gte', datetime.date(1890, 1, 1)), _connector='OR'), name='patient_birth_believable'),
        ),
        migrations.AddConstraint(
            model_name='patient',
            constraint=models.CheckConstraint(condition=models.Q(('weight_kg__isnull', True), models.Q(('weight_kg__gt', Decimal('0')), ('weight_kg__lte', Decimal('650'))), _connector='OR'), name='patient_weight_believable'),
        ),
        migrations.AddConstraint(
            model_name='patient',
            constraint=models.CheckConstraint(condition=models.Q(('egfr__isnull', True), models.Q(('egfr__gte', Decimal('0')), ('egfr__lte', Decimal('300'))), _connector='OR'), name='patient_egfr_believable'),
        ),
        migrations.AddConstraint(
            model_name='idempotentrequest',
            constraint=models.UniqueConstraint(fields=('pharmacy', 'actor', 'key'), name='idempotent_request_once'),
        ),
        migrations.AddConstraint(
            model_name='prescriber',
            constraint=models.UniqueConstraint(fields=('pharmacy', 'identifier'), name='prescriber_number_unique_in_pharmacy'),
        ),
        migrations.AddConstraint(
            model_name='prescriber',
            constraint=models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='prescriber_has_a_name'),
        ),
        migrations.AddIndex(
            model_name='prescription',
            index=models.Index(fields=['pharmacy', 'status', 'received_at'], name='prescription_queue'),
        ),
        migrations.AddIndex(
            model_name='prescription',
            index=models.Index(fields=['patient', 'received_at'], name='prescription_of_patient'),
        ),
        migrations.AddConstraint(
            model_name='prescription',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['active', 'completed', 'cancelled', 'stopped', 'replaced'])), name='prescription_status_known'),
        ),
        migrations.AddConstraint(
            model_name='prescription',
            constraint=models.CheckConstraint(condition=models.Q(('source__in', ['case', 'fhir', 'counter'])), name='prescription_source_known'),
        ),
        migrations.AddConstraint(
            model_name='prescription',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__isnull', True), ('quantity__gt', Decimal('0')), _connector='OR'), name='prescription_quantity_positive'),
        ),
        migrations.AddConstraint(
            model_name='prescription',
            constraint=models.CheckConstraint(condition=models.Q(('strength_mg__isnull', True), ('strength_mg__gt', Decimal('0')), _connector='OR'), name='prescription_strength_positive'),
        ),
        migrations.AddConstraint(
            model_name='prescription',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('status', 'active')), models.Q(models.Q(('status', 'active'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='prescription_ended_has_a_time'),
        ),
        migrations.AddConstraint(
            model_name='phase',
            constraint=models.UniqueConstraint(fields=('prescription', 'number'), name='phase_number_unique'),
        ),
        migrations.AddConstraint(
            model_name='phase',
            constraint=models.CheckConstraint(condition=models.Q(('number__gte', 1)), name='phase_number_from_one'),
        ),
        migrations.AddConstraint(
            model_name='phase',
            constraint=models.CheckConstraint(condition=models.Q(('days__isnull', True), ('days__gte', 1), _connector='OR'), name='phase_lasts'),
        ),
        migrations.AddConstraint(
            model_name='phase',
            constraint=models.CheckConstraint(condition=models.Q(('doses__len__gte', 1)), name='phase_has_doses'),
        ),
        migrations.AddConstraint(
            model_name='phase',
            constraint=models.CheckConstraint(condition=models.Q(('unit__in', ['mg', 'microgram'])), name='phase_unit_known'),
        ),
        migrations.AddIndex(
            model_name='override',
            index=models.Index(fields=['prescription', 'state'], name='override_of_prescription'),
        ),
        migrations.AddConstraint(
            model_name='override',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('prescription', 'fingerprint'), name='override_one_open_for_a_finding'),
        ),
        migrations.AddConstraint(
            model_name='override',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['open', 'used', 'withdrawn'])), name='override_state_known'),
        ),
        migrations.AddConstraint(
            model_name='override',
            constraint=models.CheckConstraint(condition=models.Q(('signature__in', ['password', 'second-factor', 'token', 'signed-in'])), name='override_signature_known'),
        ),
        migrations.AddConstraint(
            model_name='override',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'used'), ('dispense__isnull', False)), models.Q(models.Q(('state', 'used'), _negated=True), ('dispense__isnull', True)), _connector='OR'), name='override_used_by_a_dispense'),
        ),
        migrations.AddConstraint(
            model_name='override',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('severity', 'override'), _negated=True), models.Q(models.Q(('mitigation', ''), _negated=True), models.Q(('words', ''), _negated=True)), _connector='OR'), name='override_has_reason_and_words'),
        ),
        migrations.AddConstraint(
            model_name='override',
            constraint=models.CheckConstraint(condition=models.Q(('severity', 'stop'), _negated=True), name='override_never_answers_a_stop'),
        ),
        migrations.AddConstraint(
            model_name='override',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('severity', 'override'), _negated=True), models.Q(('signature', 'signed-in'), _negated=True), _connector='OR'), name='override_is_signed_afresh'),
        ),
        migrations.AddConstraint(
            model_name='priorsupply',
            constraint=models.UniqueConstraint(fields=('patient', 'dispensed_on', 'relation', 'doses', 'days_supply'), name='prior_supply_told_once'),
        ),
        migrations.AddConstraint(
            model_name='priorsupply',
            constraint=models.CheckConstraint(condition=models.Q(('relation__in', ['same-course', 'concurrent'])), name='prior_supply_relation_known'),
        ),
        migrations.AddConstraint(
            model_name='priorsupply',
            constraint=models.CheckConstraint(condition=models.Q(('days_supply__gte', 1)), name='prior_supply_lasts'),
        ),
        migrations.AddIndex(
            model_name='review',
            index=models.Index(fields=['prescription', 'reviewed_at'], name='review_of_prescription'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(('outcome__in', ['pass', 'acknowledge', 'override', 'stop'])), name='review_outcome_known'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(('reason__in', ['received', 'checked', 'dispense', 'stop'])), name='review_reason_known'),
        ),
        migrations.AddIndex(
            model_name='finding',
            index=models.Index(fields=['code', 'severity'], name='finding_by_code'),
        ),
        migrations.AddConstraint(
            model_name='finding',
            constraint=models.UniqueConstraint(fields=('review', 'number'), name='finding_number_unique'),
        ),
        migrations.AddConstraint(
            model_name='finding',
            constraint=models.CheckConstraint(condition=models.Q(('severity__in', ['information', 'acknowledge', 'override', 'stop'])), name='finding_severity_known'),
        ),
        migrations.AddIndex(
            model_name='dispense',
            index=models.Index(fields=['patient', 'handed_over_at'], name='dispense_of_patient'),
        ),
        migrations.AddIndex(
            model_name='dispense',
            index=models.Index(fields=['pharmacy', 'run_out_on'], name='dispense_by_run_out'),
        ),
        migrations.AddConstraint(
            model_name='dispense',
            constraint=models.UniqueConstraint(fields=('pharmacy', 'key'), name='dispense_key_unique'),
        ),
        migrations.AddConstraint(
            model_name='dispense',
            constraint=models.UniqueConstraint(fields=('prescription', 'number'), name='dispense_number_unique'),
        ),
        migrations.AddConstraint(
            model_name='dispense',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gt', Decimal('0'))), name='dispense_quantity_positive'),
        ),
        migrations.AddConstraint(
            model_name='dispense',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['completed', 'cancelled', 'returned'])), name='dispense_status_known'),
        ),
        migrations.AddConstraint(
            model_name='dispense',
            constraint=models.CheckConstraint(condition=models.Q(('run_out_on__gte', models.F('starts_on'))), name='dispense_runs_out_after_it_starts'),
        ),
        migrations.AddConstraint(
            model_name='dispense',
            constraint=models.CheckConstraint(condition=models.Q(('handed_over_at__gte', models.F('prepared_at'))), name='dispense_prepared_before_handed_over'),
        ),
        migrations.AddConstraint(
            model_name='dispense',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('status', 'completed')), models.Q(models.Q(('status', 'completed'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='dispense_ended_has_a_time'),
        ),
        migrations.AddConstraint(
            model_name='staffmember',
            constraint=models.UniqueConstraint(fields=('user', 'pharmacy'), name='staff_one_role_at_a_pharmacy'),
        ),
        migrations.AddConstraint(
            model_name='staffmember',
            constraint=models.CheckConstraint(condition=models.Q(('role__in', ['technician', 'pharmacist', 'manager', 'auditor'])), name='staff_role_known'),
        ),
        migrations.AddField(
            model_name='prescription',
            name='notes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), blank=True, default=list, help_text='how something unusual in it was read, or that it was not read: for whoever hands over', size=None),
        ),
        migrations.AddConstraint(
            model_name='pharmacy',
            constraint=models.CheckConstraint(condition=models.Q(('refill_lead_days__lte', 60), ('second_call_days__gte', 1)), name='pharmacy_calls_within_sixty_days'),
        ),
        migrations.AddConstraint(
            model_name='pharmacy',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('quiet_until__gte', models.F('quiet_from')), django.db.models.lookups.LessThanOrEqual(django.db.models.expressions.CombinedExpression(models.F('quiet_until'), '-', models.F('quiet_from')), datetime.timedelta(seconds=64800))), models.Q(('quiet_until__lt', models.F('quiet_from')), django.db.models.lookups.GreaterThanOrEqual(django.db.models.expressions.CombinedExpression(models.F('quiet_from'), '-', models.F('quiet_until')), datetime.timedelta(seconds=21600))), _connector='OR'), name='pharmacy_quiet_for_eighteen_hours_at_most'),
        ),
    ]
