"""Address of provider callbacks."""

from django.urls import path

from dispensary.webhooks import views

app_name = "webhooks"

urlpatterns = [path("hooks/<slug:channel>", views.receive_events, name="provider")]
