"""Views of a proposed taper or titration: planned, printed for the prescriber, taken as the new order."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary.actions import plans
from dispensary.actions.idempotency import Reply
from dispensary.api.schema import CREATES
from dispensary.api.serializers import plans as shapes
from dispensary.api.serializers.orders import ReceivedOut
from dispensary.api.views.base import PDF, RECEIVE, SIGN, BaseView, PDFView
from dispensary.api.views.orders import received_reply
from dispensary.handover import order_number
from dispensary.models import Prescription


class PlanView(BaseView):
    """A plan from what the patient takes to where it should lead."""

    may: ClassVar = {"POST": RECEIVE}

    @extend_schema(
        request=shapes.WishesIn,
        responses=shapes.PlanOut,
        summary="Propose a taper or a slow start that keeps the rules; reading it is logged, nothing changes",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        prescription = self.get_own(Prescription.objects.select_related("pharmacy", "patient__pharmacy"), pk)
        self.authorize(prescription.pharmacy_id)
        wishes = shapes.build_wishes(self.parse_body(shapes.WishesIn))
        proposal = plans.propose(prescription, wishes, on=prescription.pharmacy.local_day(self.now))
        self.record_reading(prescription.patient)
        return Response(shapes.render_proposal(proposal))


class PlanRequestView(PDFView):
    """A plan printed for the prescriber."""

    may: ClassVar = {"POST": RECEIVE}

    @extend_schema(
        request=shapes.WishesIn,
        responses=PDF,
        summary="The request to the prescriber for a plan, one page as PDF; each print is recorded",
    )
    def post(self, request: Request, pk: UUID) -> HttpResponse:
        rows = Prescription.objects.select_related("pharmacy", "patient__pharmacy", "prescriber")
        prescription = self.get_own(rows, pk)
        by = self.authorize(prescription.pharmacy_id)
        wishes = shapes.build_wishes(self.parse_body(shapes.WishesIn))
        content = plans.print_request(prescription=prescription, wishes=wishes, by=by, now=self.now)
        return self.answer(content, f"{order_number(prescription)}-request.pdf")


class PlanTakeView(BaseView):
    """An agreed plan taken as the new order."""

    may: ClassVar = {"POST": SIGN}

    @extend_schema(
        request=shapes.AgreedIn,
        responses={201: ReceivedOut},
        parameters=CREATES,
        summary="Take a plan that the prescriber agreed to as the new order, in place of the one it was made for",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        prescription = self.get_own(Prescription.objects.select_related("pharmacy"), pk)
        by, body = self.authorize(prescription.pharmacy_id), self.parse_body(shapes.AgreedIn)

        def do() -> Reply:
            agreement = {name: body[name] for name in ("sentence", "agreed_with", "agreed")}
            wishes = shapes.build_wishes(body)
            return received_reply(
                plans.take_plan(prescription=prescription, wishes=wishes, **agreement, by=by, now=self.now), self
            )

        return self.answer_once(by, do)
