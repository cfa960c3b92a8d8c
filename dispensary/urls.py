"""The addresses of Dispensary, for `include("dispensary.urls")`."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include("dispensary.api.urls")),  # first, as the busiest: addresses are tried in their order
    path("", include("dispensary.webhooks.urls")),
    path("", include("dispensary.patient_pages.urls")),
    path("", include("dispensary.monitoring.urls")),
    path("", include("dispensary.api.cds_hooks.urls")),
    path("", include("dispensary.counter.urls")),
]
