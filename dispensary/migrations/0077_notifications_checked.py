"""The check of media, for the rows of before, beside running hand-overs."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0076_notifications")]

    operations = [ValidateConstraint("contactpoint", "contact_medium_known")]
