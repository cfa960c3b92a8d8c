"""Address of the reminder engine's health check."""

from django.urls import path

from dispensary.monitoring import views

app_name = "monitoring"

urlpatterns = [path("health/reminders", views.check_reminders, name="reminders")]
