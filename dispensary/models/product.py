"""Products: the packs that are handed over."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Product(models.Model):
    """A pack, identified by its GTIN of fourteen digits (GS1)."""

    gtin = models.CharField(primary_key=True, max_length=14)
    name = models.CharField(max_length=120)
    brand = models.CharField(max_length=64, blank=True)
    ingredient = models.CharField(max_length=64, default="baclofen")
    form = models.CharField(max_length=32, default="tablet")
    strength_mg = models.DecimalField(max_digits=8, decimal_places=3)
    pack_size = models.PositiveSmallIntegerField(help_text=_("tablets"))

    class Meta:
        ordering = ["name", "strength_mg", "pack_size"]
        constraints = [
            models.CheckConstraint(condition=Q(gtin__regex=r"^[0-9]{14}$"), name="product_gtin_fourteen_digits"),
            models.CheckConstraint(condition=Q(strength_mg__gt=Decimal(0)), name="product_strength_positive"),
            models.CheckConstraint(condition=Q(pack_size__gte=1), name="product_pack_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.pack_size}"
