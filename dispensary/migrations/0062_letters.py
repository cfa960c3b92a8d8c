"""A letter to a patient whom no message reaches, printed from the work and posted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dispensary", "0061_sign_addresses_and_products")]

    operations = [
        migrations.AddField(
            model_name="worklistitem",
            name="letter_printed_at",
            field=models.DateTimeField(blank=True, help_text="when a letter about it was printed", null=True),
        ),
        migrations.AlterField(
            model_name="worklistitem",
            name="resolution",
            field=models.CharField(
                blank=True,
                choices=[
                    ("called", "Spoke to the patient"),
                    ("sent-again", "Sent again"),
                    ("posted", "Posted a letter"),
                    ("address-corrected", "Corrected the address"),
                    ("supply-arranged", "Arranged a supply"),
                    ("reviewed", "Reviewed what was recorded late"),
                    ("not-needed", "No longer needed"),
                    ("by-event", "Answered by what happened since"),
                ],
                max_length=20,
            ),
        ),
    ]
