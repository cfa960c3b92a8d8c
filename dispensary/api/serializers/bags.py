"""Bags that are prepared and checked before they are handed over."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from dispensary.actions.preparations import COUNSELLING
from dispensary.api.fields import Body, Text
from dispensary.api.serializers.handover import ItemIn, PacksIn
from dispensary.api.serializers.therapy import AnswerDecisionIn
from dispensary.models import Preparation


class BagIn(PacksIn):
    """The packs of a bag."""

    also = ItemIn(many=True, required=False, help_text="the packs of the order's other strengths")


NO_LABEL = "why no label was printed here, where none was, such as: labelled by the system that asks"


class BagCheckIn(Body):
    """The acknowledgements and decisions of the checking pharmacist."""

    acknowledged = serializers.ListField(
        child=Text(max_length=64), required=False, max_length=100, help_text="codes of findings that need one step only"
    )
    decisions = AnswerDecisionIn(many=True, required=False, help_text="how the supply stands to what the patient takes")
    no_label = Text(max_length=120, required=False, help_text=NO_LABEL)


class ShelfIn(Body):
    """The place of a bag."""

    shelf = Text(max_length=20)


class CollectIn(Body):
    """The person who collects a bag, and the counselling given."""

    identified = Text(max_length=120, help_text="how the person was identified, such as: said name and date of birth")
    counselled = serializers.ListField(child=serializers.ChoiceField(COUNSELLING), required=False, max_length=10)
    no_label = Text(max_length=120, required=False, help_text=NO_LABEL)


class BagOut(serializers.ModelSerializer[Any]):
    """A bag, its packs, and who did what."""

    class Meta:
        model = Preparation
        fields = [
            "id", "prescription", "stage", "bag", "preparer_name", "prepared_at", "checker_name", "checked_at", "shelf",
            "shelved_at", "dispense", "ended_at", "ended_reason",
        ]  # fmt: skip
