"""The reference deployment's addresses: Dispensary, accounts, health and metrics."""

from django.conf import settings
from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerSplitView

from deploy import health, people, pins

# Scripts and styles in files of their own, without the library's inline style: the page obeys the policy of all the others.
API_DOCS = SpectacularSwaggerSplitView.as_view(url_name="dispensary-api:schema", template_name="api_docs.html")

# Without a secret anybody could say that a letter has bounced: then there is no such address.
MAIL_EVENTS = (
    [path("hooks/mail/", include("anymail.urls"))]
    if "anymail" in settings.INSTALLED_APPS and settings.ANYMAIL.get("WEBHOOK_SECRET")
    else []
)

urlpatterns = [
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", health.metrics, name="metrics"),
    path("accounts/login/", pins.sign_in, name="account_login"),
    path("accounts/", include("allauth.urls")),
    path("people/<int:pk>/reset-factors", people.reset_factors, name="reset-factors"),
    path("people/<int:pk>/unlock", people.unlock, name="unlock-person"),
    path("people/signed-in/", people.signed_in, name="signed-in"),
    path("people/signed-in/<int:pk>/end", people.sign_out, name="sign-out-person"),
    path("pin", pins.pin, name="pin"),
    path("switch", pins.switch, name="switch-person"),
    path("api/docs/", API_DOCS, name="api-docs"),
    *MAIL_EVENTS,
    path("", include("dispensary.urls")),
]

handler500 = "deploy.failures.answer_failure"
