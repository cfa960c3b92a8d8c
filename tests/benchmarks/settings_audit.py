"""Settings of the audit benchmark: those of the tests, and the rivals."""

from deploy.settings_test import *  # noqa: F403  (a settings module is a list of names, and this one is that list with changes)
from deploy.settings_test import INSTALLED_APPS

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "pgtrigger",
    "pghistory",
    "auditlog",
    "simple_history",
    "tests.benchmarks.audit_rivals",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING_CONFIG = None
