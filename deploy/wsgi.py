"""The web server's entry: `gunicorn deploy.wsgi`."""

import os

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
os.environ.setdefault("STATEMENT_TIMEOUT", "20s")  # a page that takes longer is given up, and its thread is free
if not settings.SECRET_KEY_GIVEN:
    # Each process would make a key of its own: sessions signed by one would be refused by the next.
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Put fifty random characters into it, the same for every process."
    )
application = get_wsgi_application()
