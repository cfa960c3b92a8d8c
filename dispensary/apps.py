"""The Django app `dispensary`."""

from django.apps import AppConfig


class DispensaryConfig(AppConfig):
    """The app `dispensary`. Its rule book, `baclofen_rules`, is a plain package and no app."""

    name = "dispensary"
    label = "dispensary"
    verbose_name = "Dispensary"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from dispensary import checks, sign_ins  # noqa: F401  (importing registers checks and receivers)

        _register_metrics()
        _connect_mail_events()


def _connect_mail_events() -> None:
    """Receive receipts of e-mail where the site sends through django-anymail."""
    from django.apps import apps

    if apps.is_installed("anymail"):
        from anymail.signals import inbound, tracking

        from dispensary.webhooks.mail_events import receive_inbound, receive_tracking

        tracking.connect(receive_tracking, dispatch_uid="dispensary.mail_events")
        inbound.connect(receive_inbound, dispatch_uid="dispensary.mail_replies")


def _register_metrics() -> None:
    """Register the metrics of the reminders where the site has prometheus_client."""
    try:
        from prometheus_client import REGISTRY
    except ModuleNotFoundError:
        return
    from dispensary.monitoring.metrics import ReminderCollector

    if not any(isinstance(collector, ReminderCollector) for collector in list(REGISTRY._collector_to_names)):
        REGISTRY.register(ReminderCollector())
