"""The deployment's own app: its management commands, and the Celery application made the current one."""

from django.apps import AppConfig


class DeployConfig(AppConfig):
    name = "deploy"
    verbose_name = "Deployment"

    def ready(self) -> None:
        from deploy import celery  # noqa: F401  (importing it makes it the application that shared tasks belong to)
