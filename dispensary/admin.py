"""Read-only pages of Django's admin. Records change through actions only."""

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


class OfPharmacy(Window):
    """Rows of a pharmacy: filtered by it, without patients' names in the list."""

    list_filter = ("pharmacy",)


@admin.register(models.Pharmacy)
class PharmacyWindow(Window):
    list_display = ("name", "profile", "time_zone", "opened_at")


@admin.register(models.StaffMember)
class StaffMemberWindow(OfPharmacy):
    list_display = ("display_name", "role", "pharmacy", "active")


@admin.register(models.Product)
class ProductWindow(Window):
    list_display = ("gtin", "name", "strength_mg", "pack_size")


@admin.register(models.Prescription)
class PrescriptionWindow(OfPharmacy):
    list_display = ("id", "pharmacy", "status", "received_at")


@admin.register(models.Review)
class ReviewWindow(OfPharmacy):
    list_display = ("id", "pharmacy", "reason", "outcome", "profile_name", "reviewed_at")


@admin.register(models.Override)
class OverrideWindow(Window):
    list_display = ("code", "severity", "signer_name", "signature", "signed_at", "state")
    list_filter = ("state", "severity", "code")


@admin.register(models.Dispense)
class DispenseWindow(OfPharmacy):
    list_display = ("id", "pharmacy", "status", "quantity", "strength_mg", "handed_over_at", "dispenser_name")
