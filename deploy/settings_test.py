"""Settings of the tests: the deployment's, with cheap passwords and no outside world.

The database and broker addresses here lead nowhere on purpose; `tests/conftest.py` puts those of its own servers in their place when the
first test asks for them, so that tests of the rule book start no server at all. The file of a demo that ran here is not read.
"""

import os

os.environ.setdefault("DISPENSARY_RUN_DIR", "/nonexistent")

from deploy.databases import database_settings
from deploy.settings import *  # noqa: F403  (a settings module is a list of names, and this one is that list with changes)

_NOWHERE = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=60"  # a busy machine is slow, not away
DATABASES = {
    alias: database_settings("", _NOWHERE, is_pooled=False, statement_timeout="")
    for alias in ("default", "owner", "sealer")
}
for _alias, _settings in DATABASES.items():
    _settings["CONN_MAX_AGE"] = 0
    # One database behind all aliases: emptying it between tests is the business of `default` alone.
    _settings["TEST"] = {"MIRROR": None if _alias == "default" else "default"}
REDIS_URL = "redis://127.0.0.1:1"
SECRET_KEY = "only-for-tests-" + "0123456789abcdef" * 4
SECRET_KEY_GIVEN = True
HTTPS = False
SECURE_SSL_REDIRECT = False
SECURE_PROXY_SSL_HEADER = None
SECURE_HSTS_SECONDS = 0
SESSION_COOKIE_SECURE = False
CSRF_COOKIE_SECURE = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
METRICS_TOKEN = "metrics-for-tests"
INSTALLED_APPS += ["django.contrib.admin"]  # noqa: F405  (a host may have it: its windows are tested)
