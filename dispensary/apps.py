"""How Django finds the house."""

from django.apps import AppConfig


class DispensaryConfig(AppConfig):
    """The app `dispensary`. Its rule book, `baclofen_rules`, is a plain package and no app."""

    name = "dispensary"
    label = "dispensary"
    verbose_name = "Dispensary"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from dispensary import checks, signals  # noqa: F401  (importing registers checks and receivers)

        _register_metrics()
        _hear_of_letters()


def _hear_of_letters() -> None:
    """Take receipts of e-mail where the site sends through django-anymail."""
    from django.apps import apps

    if apps.is_installed("anymail"):
        from anymail.signals import tracking

        from dispensary.hooks.mail_events import on_tracking

        tracking.connect(on_tracking, dispatch_uid="dispensary.mail_events")


def _register_metrics() -> None:
    """Show the reminders' metrics where the site has prometheus_client; a site without it loses nothing else."""
    try:
        from prometheus_client import REGISTRY
    except ModuleNotFoundError:
        return
    from dispensary.hooks.metrics import ReminderCollector

    if not any(isinstance(known, ReminderCollector) for known in list(REGISTRY._collector_to_names)):
        REGISTRY.register(ReminderCollector())
