"""Views of bags: prepared, checked, shelved, put back, handed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary.actions import preparations
from dispensary.actions.handover_problems import Item
from dispensary.actions.idempotency import Reply
from dispensary.actions.refusals import Refused
from dispensary.api.fields import Body
from dispensary.api.schema import CREATES, PHARMACY, REQUIRED_KEY
from dispensary.api.serializers import bags as shapes
from dispensary.api.serializers.handover import DispenseOut
from dispensary.api.serializers.messages import Nothing
from dispensary.api.serializers.orders import Reason
from dispensary.api.serializers.therapy import build_decided
from dispensary.api.views.base import CHECK, DISPENSE, BaseView, refusal_reply, reply
from dispensary.api.views.handover import build_others, build_packs, render_dispense
from dispensary.models import Preparation, Prescription, SignatureMethod


def render_bag(row: Preparation) -> dict[str, Any]:
    """Return a bag as a response body."""
    return shapes.BagOut(row).data


class BagsView(BaseView):
    """The bags of a prescription."""

    may: ClassVar = {"POST": DISPENSE}

    @extend_schema(
        request=shapes.BagIn, responses={201: shapes.BagOut}, parameters=CREATES,
        summary="Prepare a bag, where the pharmacy separates the steps",
    )  # fmt: skip
    def post(self, request: Request, pk: UUID) -> Response:
        prescription = self.get_own(Prescription.objects.all(), pk)
        by, body = self.authorize(prescription.pharmacy_id), self.parse_body(shapes.BagIn)
        items = [Item(prescription, body["quantity"], *build_packs(body)), *build_others(self, body)]

        def do() -> Reply:
            return reply(201, render_bag(preparations.prepare(items=items, by=by, now=self.now)))

        return self.answer_once(by, do)


class BagView(BaseView):
    """One bag."""

    @extend_schema(parameters=[PHARMACY], responses=shapes.BagOut, summary="A bag; reading it is logged")
    def get(self, request: Request, pk: UUID) -> Response:
        self.authorize()
        row = self.get_own(Preparation.objects.select_related("prescription__patient"), pk)
        self.record_reading(row.prescription.patient)
        return Response(render_bag(row))


class BagCheckView(BaseView):
    """The check of a bag."""

    may: ClassVar = {"POST": CHECK}

    @extend_schema(
        request=shapes.BagCheckIn, responses=shapes.BagOut, parameters=CREATES,
        summary="Check a bag that another person prepared; what nobody has answered is a 409 with the findings",
    )  # fmt: skip
    def post(self, request: Request, pk: UUID) -> Response:
        row = self.get_own(Preparation.objects.all(), pk)
        by, body = self.authorize(row.pharmacy_id), self.parse_body(shapes.BagCheckIn)
        decisions = [build_decided(fields, SignatureMethod.SIGNED_IN) for fields in body.get("decisions", ())]

        def do() -> Reply:
            result = preparations.check(
                preparation=row,
                acknowledged=body.get("acknowledged", ()),
                decisions=decisions,
                no_label=body.get("no_label", ""),
                by=by,
                now=self.now,
            )
            return refusal_reply(result) if isinstance(result, Refused) else reply(200, render_bag(result))

        return self.answer_once(by, do)


class BagShelveView(BaseView):
    """Putting a bag on a shelf."""

    may: ClassVar = {"POST": DISPENSE}

    @extend_schema(
        request=shapes.ShelfIn, responses=shapes.BagOut, parameters=CREATES, summary="Put a checked bag on a shelf"
    )
    def post(self, request: Request, pk: UUID) -> Response:
        return take_step(self, pk, preparations.shelve, shapes.ShelfIn)


class BagPutBackView(BaseView):
    """Putting a bag back into stock."""

    may: ClassVar = {"POST": DISPENSE}

    @extend_schema(
        request=Reason, responses=shapes.BagOut, parameters=CREATES, summary="Put the packs of a bag back into stock"
    )
    def post(self, request: Request, pk: UUID) -> Response:
        return take_step(self, pk, preparations.put_back, Reason)


class BagUncheckView(BaseView):
    """Asking for another check of a bag."""

    may: ClassVar = {"POST": DISPENSE}

    @extend_schema(
        request=Nothing, responses=shapes.BagOut, parameters=CREATES, summary="Let a checked bag be checked once more"
    )
    def post(self, request: Request, pk: UUID) -> Response:
        return take_step(self, pk, preparations.uncheck, Nothing)


def take_step(view: BaseView, pk: UUID, action: Callable[..., Preparation], shape: type[Body]) -> Response:
    """Change a bag by an action that takes the fields of a body."""
    row = view.get_own(Preparation.objects.all(), pk)
    by = view.authorize(row.pharmacy_id)
    body = view.parse_body(shape)
    return view.answer_once(by, lambda: reply(200, render_bag(action(preparation=row, **body, by=by, now=view.now))))


class BagCollectView(BaseView):
    """The hand-over of a bag."""

    may: ClassVar = {"POST": DISPENSE}

    @extend_schema(
        request=shapes.CollectIn, responses={201: DispenseOut}, parameters=[PHARMACY, REQUIRED_KEY],
        summary="Hand a checked bag over to somebody who said who they are",
    )  # fmt: skip
    def post(self, request: Request, pk: UUID) -> Response:
        row = self.get_own(Preparation.objects.all(), pk)
        by, body = self.authorize(row.pharmacy_id), self.parse_body(shapes.CollectIn)

        def do() -> Reply:
            result = preparations.hand_over(
                preparation=row,
                identified=body["identified"],
                counselled=body.get("counselled", ()),
                no_label=body.get("no_label", ""),
                key=request.headers["Idempotency-Key"],
                by=by,
                now=self.now,
            )
            return refusal_reply(result) if isinstance(result, Refused) else reply(201, render_dispense(result))

        return self.answer_once(by, do, required=True)
