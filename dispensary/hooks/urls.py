"""The addresses that others call."""

from django.urls import path

from dispensary.hooks import patient_page, views

app_name = "hooks"

urlpatterns = [
    path("hooks/<slug:channel>", views.provider_calls, name="hook"),
    path("u/<str:token>", views.stop_messages, name="stop-messages"),
    path("m/<str:token>", patient_page.your_messages, name="patient-page"),
    path("health/reminders", views.reminders_health, name="health-reminders"),
]
