"""Views of the downtime form and of its late entry."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary.actions.downtime import print_form
from dispensary.actions.idempotency import Reply
from dispensary.actions.late_entries import record_late
from dispensary.api.schema import PHARMACY, REQUIRED_KEY
from dispensary.api.serializers.downtime import DowntimeQuery
from dispensary.api.serializers.handover import DispenseOut, LateDispenseIn
from dispensary.api.views.base import DISPENSE, PDF, BaseView, PDFView, reply
from dispensary.api.views.handover import build_others, build_packs, render_dispense
from dispensary.documents import Paper
from dispensary.models import Prescription


class LateDispensesView(BaseView):
    """Hand-overs of a prescription that are typed in afterwards."""

    may: ClassVar = {"POST": DISPENSE}

    @extend_schema(
        request=LateDispenseIn,
        responses={201: DispenseOut},
        parameters=[PHARMACY, REQUIRED_KEY],
        summary="Record a hand-over late, with its true time; no rule stops it, a pharmacist reviews it",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        prescription = self.get_own(Prescription.objects.all(), pk)
        by, body = self.authorize(prescription.pharmacy_id), self.parse_body(LateDispenseIn)
        pack, further = build_packs(body)
        also = build_others(self, body)
        paper = {name: body[name] for name in ("quantity", "handed_over_at", "handed_over_by")}

        def do() -> Reply:
            done = record_late(
                prescription=prescription, pack=pack, further=further, also=also, words=body.get("words", ""),
                key=request.headers["Idempotency-Key"], by=by, now=self.now, **paper,
            )  # fmt: skip
            return reply(201, render_dispense(done))

        return self.answer_once(by, do, required=True)


class DowntimeFormView(PDFView):
    """The form for the hours without computers."""

    @extend_schema(
        parameters=[PHARMACY, DowntimeQuery],
        responses=PDF,
        summary="The downtime form of everybody who is due, as PDF; each record on it counts as read",
    )
    def get(self, request: Request) -> HttpResponse:
        by, query = self.authorize(), self.parse_query(DowntimeQuery)
        paper = Paper(query["paper"])
        content = print_form(pharmacy=self.pharmacy, days=query["days"], paper=paper, by=by, now=self.now)
        return self.answer(content, f"downtime-{self.pharmacy.local_day(self.now)}.pdf")
