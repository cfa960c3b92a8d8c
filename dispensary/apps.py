"""The app's registration."""

from django.apps import AppConfig


class DispensaryConfig(AppConfig):
    name = "dispensary"
    default_auto_field = "django.db.models.BigAutoField"
