"""Until when who signs, manages or audits adds a second factor; those who are there already have two weeks from this migration."""

from django.db import migrations, models

STAFF = ["user_id", "pharmacy_id", "role", "display_name", "registration", "active", "is_service", "factor_due_at"]
"""Columns of a member of staff that change only with an entry."""
GRACE = """
    UPDATE dispensary_staffmember SET factor_due_at = now() + interval '14 days'
    WHERE active AND NOT is_service AND role IN ('pharmacist', 'manager', 'auditor')"""


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0029_second_signatures")]

    operations = [
        migrations.AddField(
            model_name="staffmember",
            name="factor_due_at",
            field=models.DateTimeField(
                blank=True, help_text="until when a second factor is added; none for a role that needs none", null=True
            ),
        ),
        migrations.RunSQL(GRACE, migrations.RunSQL.noop),
        migrations.RunSQL([("SELECT audit.sign_master(%s::regclass, %s::text[])", ["dispensary_staffmember", STAFF])]),
    ]
