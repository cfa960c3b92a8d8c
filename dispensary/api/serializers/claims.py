"""Work on an order: a claim and the person who has it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework import serializers

from dispensary.actions.order_states import CLAIM_LASTS
from dispensary.api.fields import Body, Flag
from dispensary.models import OrderClaim


class ClaimIn(Body):
    """Work on an order."""

    take_over = Flag(default=False, help_text="also where another person works on it")


class ClaimOut(serializers.ModelSerializer[Any]):
    """The person who works on an order."""

    by = serializers.CharField(source="display", help_text="name of the person")
    is_yours = serializers.SerializerMethodField()
    until = serializers.SerializerMethodField()

    class Meta:
        model = OrderClaim
        fields = ["prescription", "by", "is_yours", "claimed_at", "until"]

    def get_is_yours(self, claim: OrderClaim) -> bool:
        """Say whether the caller works on it."""
        return bool(claim.actor == self.context["by"].name)

    def get_until(self, claim: OrderClaim) -> datetime:
        """Return when the notice lapses."""
        return claim.claimed_at + CLAIM_LASTS
