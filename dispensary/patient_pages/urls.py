"""Addresses of the pages behind a signed link."""

from django.urls import path

from dispensary.patient_pages import notifications, page, stop

app_name = "patient_pages"

urlpatterns = [
    path("u/<str:token>", stop.stop_messages, name="stop"),
    path("m/notifications.js", notifications.show_worker, name="worker"),  # before the codes: a code is no file
    path("m/<str:code>", page.show_page, name="own-page"),
    path("m/<str:code>/opened", notifications.note_opened, name="opened"),
    path("m/<str:code>/calendar.ics", page.show_feed, name="feed"),
    path("m/<str:code>/papers/<uuid:pk>.pdf", page.show_paper, name="paper"),
    path("m/<str:code>/papers/<uuid:pk>/<slug:name>.pdf", page.show_paper, name="named-paper"),
]
