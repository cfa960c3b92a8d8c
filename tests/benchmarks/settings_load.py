"""Settings of the benchmark of a load: the deployment's, with the rivals and without a limit of requests."""

from deploy.settings import *  # noqa: F403  (a settings module is a list of names, and this one is that list with changes)
from deploy.settings import DISPENSARY, INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [*INSTALLED_APPS, "simple_history", "tests.benchmarks.dispense_rivals"]
MIDDLEWARE = [*MIDDLEWARE, "simple_history.middleware.HistoryRequestMiddleware"]
ROOT_URLCONF = "tests.benchmarks.dispense_rivals.views"
DISPENSARY = {**DISPENSARY, "token_requests_a_minute": 1_000_000}
