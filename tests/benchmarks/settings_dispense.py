"""Settings of the benchmark of a dispense: those of the tests with connections that are kept, and the rivals."""

from deploy.settings_test import *  # noqa: F403  (a settings module is a list of names, and this one is that list with changes)
from deploy.settings_test import DATABASES, INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [*INSTALLED_APPS, "simple_history", "tests.benchmarks.dispense_rivals"]
MIDDLEWARE = [*MIDDLEWARE, "simple_history.middleware.HistoryRequestMiddleware"]
ROOT_URLCONF = "tests.benchmarks.dispense_rivals.views"
for _settings in DATABASES.values():
    _settings["CONN_MAX_AGE"] = None  # one process of the database, whose CPU is counted, for the whole run
    _settings["OPTIONS"]["prepare_threshold"] = 5
LOGGING_CONFIG = None
WHITENOISE_AUTOREFRESH = False
