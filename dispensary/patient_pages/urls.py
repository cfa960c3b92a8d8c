"""Addresses of the pages behind a signed link."""

from django.urls import path

from dispensary.patient_pages import messages, stop

app_name = "patient_pages"

urlpatterns = [
    path("u/<str:token>", stop.stop_messages, name="stop"),
    path("m/<str:token>", messages.show_messages, name="messages"),
]
