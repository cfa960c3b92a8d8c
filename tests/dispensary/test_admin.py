"""Django's admin shows, and writes nothing."""

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import RequestFactory

OURS = [model for model in admin.site._registry if model._meta.app_label == "dispensary"]


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_no_window_lets_even_a_superuser_write(model):
    request = RequestFactory().get("/admin/")
    request.user = get_user_model()(is_superuser=True, is_active=True, is_staff=True)
    window = admin.site._registry[model]
    assert not window.has_add_permission(request)
    assert not window.has_change_permission(request)
    assert not window.has_delete_permission(request)


def test_no_window_shows_a_patient_or_the_log():
    assert {model.__name__ for model in OURS} == {"Pharmacy", "StaffMember", "Product"}
