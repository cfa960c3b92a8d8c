"""The reference deployment's addresses: Dispensary, accounts, the admin's windows, health and metrics."""

from django.contrib import admin
from django.urls import include, path

from deploy import health

urlpatterns = [
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", health.metrics, name="metrics"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("", include("dispensary.urls")),
]
