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
