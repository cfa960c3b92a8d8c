"""The bare view (one SELECT, three INSERTs), and receive, look and dispense in plain Django REST Framework with a history."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import Sum
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deploy.urls import urlpatterns as deployed
from dispensary.models import Product
from tests.benchmarks.dispense_rivals.models import (
    BareHandOver,
    BareLine,
    BareReview,
    PeerDispense,
    PeerOrder,
    PeerPatient,
    PeerReminder,
    PeerReview,
)

CASE = '{"findings":[],"format":"baclofen-review/1","outcome":"pass","profile":{"name":"lioresal"}}' * 12


class BareIn(serializers.Serializer[Any]):
    """A quantity and a lot."""

    quantity = serializers.DecimalField(max_digits=9, decimal_places=3)
    lot = serializers.CharField(max_length=20)


class BareView(APIView):
    """One SELECT and three INSERTs in a transaction; nothing is checked, nothing recorded."""

    def post(self, request: Request, pk: str) -> Response:
        order = get_object_or_404(PeerOrder, pk=pk)
        body = BareIn(data=request.data)
        body.is_valid(raise_exception=True)
        with transaction.atomic():
            row = BareHandOver.objects.create(order=order, **body.validated_data)
            BareReview.objects.create(hand_over=row, case=CASE)
            BareLine.objects.create(hand_over=row, actor=f"user:{request.user.pk}")
        return Response({"id": str(row.pk), "quantity": str(row.quantity), "lot": row.lot}, 201)


class PeerPatientShape(serializers.ModelSerializer[Any]):
    """A patient."""

    class Meta:
        model = PeerPatient
        fields = ["id", "family_name", "given_name", "birth_date", "facts"]


class PeerReviewShape(serializers.ModelSerializer[Any]):
    """A review."""

    class Meta:
        model = PeerReview
        fields = ["id", "outcome", "findings", "reviewed_at"]


class PeerDispenseShape(serializers.ModelSerializer[Any]):
    """A hand-over."""

    class Meta:
        model = PeerDispense
        fields = ["id", "order", "review", "quantity", "gtin", "lot", "expiry", "dispensed_by", "handed_over_at"]
        read_only_fields = ("order", "review", "dispensed_by")


class PeerOrderShape(serializers.ModelSerializer[Any]):
    """An order with what was made of it."""

    reviews = PeerReviewShape(many=True, read_only=True)
    dispenses = PeerDispenseShape(many=True, read_only=True)

    class Meta:
        model = PeerOrder
        fields: ClassVar = [
            "id", "patient", "prescriber", "status", "directions", "strength_mg", "quantity", "repeats", "phases",
            "received_at", "reviews", "dispenses",
        ]  # fmt: skip


def review(order: PeerOrder) -> PeerReview:
    """Compare the order's dose with one limit and store the answer."""
    most = max(sum(Decimal(str(dose)) for dose in phase["doses"]) for phase in order.phases)
    return PeerReview.objects.create(
        order=order, outcome="pass" if most <= 80 else "stop", findings=[{"mg": str(most)}]
    )


class PeerOrders(APIView):
    """Taking an order in."""

    @transaction.atomic
    def post(self, request: Request) -> Response:
        body = PeerOrderShape(data=request.data)
        body.is_valid(raise_exception=True)
        order = body.save()
        review(order)
        return Response(PeerOrderShape(order).data, 201)


class PeerOrderView(generics.RetrieveAPIView[PeerOrder]):
    """One order."""

    queryset = PeerOrder.objects.select_related("patient", "prescriber").prefetch_related("reviews", "dispenses")
    serializer_class = PeerOrderShape


class PeerDispenses(APIView):
    """Handing over: what is left is checked under a lock, the dose again, and three messages are owed."""

    @transaction.atomic
    def post(self, request: Request, pk: str) -> Response:
        order = get_object_or_404(PeerOrder.objects.select_for_update().select_related("patient"), pk=pk)
        body = PeerDispenseShape(data=request.data)
        body.is_valid(raise_exception=True)
        product = get_object_or_404(Product, pk=body.validated_data["gtin"])
        handed_over = order.dispenses.aggregate(total=Sum("quantity"))["total"] or Decimal(0)
        left = order.quantity * (1 + order.repeats) - handed_over
        if (
            order.status != "active"
            or body.validated_data["quantity"] > left
            or product.strength_mg != order.strength_mg
        ):
            raise serializers.ValidationError({"quantity": f"{left} left"})
        row = body.save(order=order, review=review(order), dispensed_by=request.user)
        if row.quantity == left:
            order.status = "completed"
            order.save()
        for days in (7, 14, 21):
            due = timezone.now() + timedelta(days=days)
            PeerReminder.objects.create(
                patient=order.patient, dispense=row, due_at=due, text="Time for your next supply"
            )
        return Response(PeerDispenseShape(row).data, 201)


urlpatterns = [
    path("bare/<uuid:pk>/", BareView.as_view()),
    path("peer/orders/", PeerOrders.as_view()),
    path("peer/orders/<uuid:pk>/", PeerOrderView.as_view()),
    path("peer/orders/<uuid:pk>/dispenses/", PeerDispenses.as_view()),
    *deployed,
]
