"""The deployment as a Django app: its own table and its own checks."""

from django.apps import AppConfig


class DeployConfig(AppConfig):
    """The app `deploy`."""

    name = "deploy"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from deploy import checks, signals  # noqa: F401  (importing registers the checks)

        signals.connect()
