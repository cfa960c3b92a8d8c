"""Packs and dispenses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from dispensary.api.fields import Amount, Body, Count, Day, Moment, Text
from dispensary.api.serializers.orders import AnswerIn, OverrideOut, ProofIn
from dispensary.api.serializers.staff import InPerson
from dispensary.api.serializers.therapy import AnswerDecisionIn
from dispensary.models import Dispense, Product


class PackIn(Body):
    """The picked pack: the text of its scan, or the fields by hand."""

    scan = Text(max_length=300, required=False, help_text="GS1 text as scanned; GS may be sent as U+241D")
    gtin = Text(max_length=14, required=False)
    lot = Text(max_length=20, required=False, allow_blank=True)
    expiry = Day(required=False)
    serial = Text(max_length=20, required=False, allow_blank=True)

    default_error_messages = {"one_of": "either scan alone, or gtin with what else is known"}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("scan" in attrs) == ("gtin" in attrs) or ("scan" in attrs and len(attrs) > 1):
            self.fail("one_of")
        return attrs


class CountedPackIn(PackIn):
    """One of several packs, with the tablets that come from it."""

    quantity = Amount(max_digits=9, decimal_places=2, min_value=Decimal("0.5"), help_text="tablets, whole or half")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        super().validate({name: value for name, value in attrs.items() if name != "quantity"})
        return attrs


class PacksIn(Body):
    """Tablets with the pack, or the packs, that they come from."""

    quantity = Amount(max_digits=9, decimal_places=2, min_value=Decimal("0.5"), help_text="tablets, whole or half")
    pack = PackIn(required=False)
    packs = CountedPackIn(
        many=True, required=False, help_text="several packs in place of `pack`, with the tablets of each"
    )

    default_error_messages = {
        "one_of": "either pack, or packs with at least one of them",
        "sum": "packs whose tablets add up to the quantity",
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("pack" in attrs) == bool(attrs.get("packs")):
            self.fail("one_of")
        if "packs" in attrs and sum(pack["quantity"] for pack in attrs["packs"]) != attrs["quantity"]:
            self.fail("sum")
        return attrs


class ItemIn(PacksIn):
    """The packs of another strength of the same order."""

    prescription = serializers.UUIDField()


class ItemsIn(PacksIn):
    """The packs of a hand-over, and how it stands to what the patient takes."""

    also = ItemIn(many=True, required=False, help_text="the packs of the order's other strengths")
    decisions = AnswerDecisionIn(
        many=True, required=False, help_text="how the supply stands to what the patient takes; the order is the subject"
    )


class SignatureIn(Body):
    """Answers that are to be signed together."""

    overrides = AnswerIn(many=True)
    handover = ItemsIn(
        required=False,
        help_text="the hand-over with which the answers will be sent: its findings are those of these packs",
    )
    stop = serializers.BooleanField(default=False, help_text="the answers come with the stop of the medicine")
    reason = Text(max_length=64, required=False, allow_blank=True, help_text="of the stop, as it will be sent")


class DispenseIn(ItemsIn):
    """A hand-over to be recorded."""

    overrides = AnswerIn(many=True, required=False, help_text="answers to findings, signed with this request")
    proof = ProofIn(required=False, help_text="an override needs it, unless the pharmacy lets a token sign")
    acknowledged = serializers.ListField(
        child=Text(max_length=64), required=False, max_length=100, help_text="codes of findings that need one step only"
    )


class LateDispenseIn(PacksIn):
    """A hand-over to be recorded late, as it stands on the downtime form."""

    also = ItemIn(many=True, required=False, help_text="the packs of the order's other strengths")
    handed_over_at = Moment(help_text="the true time, with its offset from UTC; at most 14 days ago")
    handed_over_by = Text(max_length=120, help_text="the name on the paper")
    words = Text(max_length=2000, required=False, allow_blank=True, help_text="why in spite of a limit, and who agreed")


class ScanIn(Body):
    """A scanned code."""

    scan = Text(max_length=300)


class ProductOut(serializers.ModelSerializer[Any]):
    """A pack that a scanner can name."""

    strength_mg = Amount()

    class Meta:
        model = Product
        fields = ["gtin", "name", "brand", "ingredient", "form", "strength_mg", "pack_size"]


class ProductIn(InPerson):
    """A pack that is to be compared with scans, as it was compared with the pack in the hand."""

    gtin = Text(max_length=14, help_text="up to 14 digits with the check digit")
    name = Text(max_length=120, help_text="as on the pack, with strength and form")
    brand = Text(max_length=64, default="", allow_blank=True)
    ingredient = Text(max_length=64, default="baclofen")
    strength_mg = Amount(max_digits=8, decimal_places=3, min_value=Decimal("0.5"), max_value=Decimal(1000))
    pack_size = Count(min_value=1, max_value=10_000, help_text="tablets")


class LabelsOut(serializers.Serializer[Any]):
    """Labels to be printed."""

    labels = serializers.ListField(child=serializers.CharField(), help_text="an SVG document for each label")


class ScanOut(serializers.Serializer[Any]):
    """The content of a scan, and the product if it is one of ours."""

    gtin = serializers.CharField()
    lot = serializers.CharField(allow_blank=True)
    expiry = serializers.DateField(allow_null=True)
    serial = serializers.CharField(allow_blank=True)
    product = ProductOut(allow_null=True)


class PackOut(serializers.Serializer[Any]):
    """A pack that tablets were handed over from."""

    gtin = serializers.CharField(allow_null=True)
    lot = serializers.CharField(allow_blank=True)
    expiry = serializers.DateField(allow_null=True)
    serial = serializers.CharField(allow_blank=True)
    quantity = Amount(help_text="tablets")


class DispenseOut(serializers.ModelSerializer[Any]):
    """A dispense."""

    quantity = Amount(help_text="tablets")
    strength_mg = Amount()
    packs = PackOut(many=True, help_text="every pack; product, lot, expiry and serial are those of the first")
    overrides = OverrideOut(many=True)
    recorded_at = serializers.DateTimeField(
        allow_null=True, help_text="when it was typed in, of a hand-over recorded late; null of all others"
    )

    class Meta:
        model = Dispense
        fields = [
            "id", "pharmacy", "patient", "prescription", "review", "number", "status", "quantity", "product", "strength_mg",
            "lot", "expiry", "serial", "packs", "starts_on", "days_supply", "run_out_on", "relation", "relation_how",
            "relation_to", "prepared_at", "handed_over_at",
            "dispenser_name", "overrides", "audit_entry", "ended_at", "ended_reason",
            "recorded_at", "recorder_name", "late_words",
        ]  # fmt: skip


class TrailLine(serializers.Serializer[Any]):
    """One entry of the audit log about a record."""

    id = serializers.UUIDField(source="entry.entry_id")
    at = serializers.DateTimeField(source="entry.recorded_at")
    event = serializers.CharField(source="entry.action")
    outcome = serializers.CharField(source="entry.outcome")
    by = serializers.CharField(source="entry.actor")
    sentence = serializers.CharField()
    doubt = serializers.CharField(help_text="what does not fit its hash, in words; empty: nothing")
