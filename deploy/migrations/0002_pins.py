"""People's PINs."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("deploy", "0001_cache"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="Pin",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "digest",
                    models.CharField(help_text="a password's digest of the keyed digest of the PIN", max_length=128),
                ),
                ("set_at", models.DateTimeField()),
                (
                    "attempts",
                    models.PositiveSmallIntegerField(default=0, help_text="wrong ones since the last full sign-in"),
                ),
            ],
        ),
    ]
