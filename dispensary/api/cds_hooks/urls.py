"""Routes of CDS Hooks, below the site's base address."""

from django.urls import path

from dispensary.api.views import cds_hooks

app_name = "cds-hooks"

urlpatterns = [
    path("cds-services", cds_hooks.DiscoveryView.as_view(), name="services"),
    path("cds-services/<str:service>", cds_hooks.ServiceView.as_view(), name="service"),
    path("cds-services/<str:service>/feedback", cds_hooks.FeedbackView.as_view(), name="feedback"),
]
