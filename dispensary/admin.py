"""Read-only pages of Django's admin, none with a patient: who looks at one leaves a line in the log, and here nothing would."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from dispensary import models


class Window(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """A list and a page of a model, without writing."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(models.Pharmacy)
class PharmacyWindow(Window):
    list_display = ("name", "profile", "time_zone", "opened_at")


@admin.register(models.StaffMember)
class StaffMemberWindow(Window):
    list_display = ("display_name", "role", "pharmacy", "active")
    list_filter = ("pharmacy",)


@admin.register(models.Product)
class ProductWindow(Window):
    list_display = ("gtin", "name", "strength_mg", "pack_size")
