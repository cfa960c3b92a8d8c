"""The place of open orders in the queue."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from dispensary.models import OrderSummary


class WaitingOrder(serializers.ModelSerializer[Any]):
    """The place of an open order in the queue."""

    class Meta:
        model = OrderSummary
        fields = ["prescription", "state", "due_on", "earliest_on", "outcome", "finding", "received_at"]


class NextOrderOut(serializers.Serializer[Any]):
    """The next order of the queue."""

    next = WaitingOrder(allow_null=True, help_text="null where none is left")
