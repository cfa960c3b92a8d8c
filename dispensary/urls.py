"""The addresses of Dispensary, for `include("dispensary.urls")`."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
