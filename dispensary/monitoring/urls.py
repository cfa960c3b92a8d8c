"""Addresses of the health checks."""

from django.urls import path

from dispensary.monitoring import views

app_name = "monitoring"

urlpatterns = [
    path("health/reminders", views.check_reminders, name="reminders"),
    path("health/audit", views.check_audit, name="audit"),
]
