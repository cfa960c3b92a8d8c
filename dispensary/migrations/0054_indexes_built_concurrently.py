"""Find deliveries sent together and addresses of carers by indexes, built without holding up what is written meanwhile."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("dispensary", "0053_patients_by_key")]

    operations = [
        AddIndexConcurrently(
            "delivery",
            models.Index(fields=["sent_with"], condition=models.Q(sent_with__isnull=False), name="delivery_sent_with"),
        ),
        AddIndexConcurrently(
            "contactpoint",
            models.Index(fields=["carer"], condition=models.Q(carer__isnull=False), name="contact_of_carer"),
        ),
    ]
