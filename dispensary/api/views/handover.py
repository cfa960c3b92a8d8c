"""Views of products and dispenses, with label, calendar and trail."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary import audit, policies
from dispensary.actions import dispenses as actions
from dispensary.actions import pharmacies, signatures
from dispensary.actions.documents import Document, print_document, print_labels
from dispensary.actions.handover_problems import CountedPack, Item
from dispensary.actions.idempotency import Reply
from dispensary.actions.overrides import Answer
from dispensary.actions.refusals import Refused
from dispensary.api.fields import represent
from dispensary.api.query import TextParameter
from dispensary.api.schema import CREATES, IF_MATCH, PAGED, PHARMACY, REQUIRED_KEY, page_of
from dispensary.api.serializers import handover as shapes
from dispensary.api.serializers.messages import Nothing
from dispensary.api.serializers.orders import Reason
from dispensary.api.serializers.therapy import build_decided
from dispensary.api.signing import authorize_in_person, read_signature
from dispensary.api.views.base import (
    DISPENSE,
    END,
    PDF,
    BaseView,
    PDFView,
    etag_header,
    read_if_match,
    refusal_reply,
    reply,
)
from dispensary.audit.log import reader
from dispensary.errors import InvalidInput, NotFound, Problem
from dispensary.handover import handed_over_together, order_number, select_dispenses
from dispensary.models import Dispense, Prescription, Product
from dispensary.scanning import Pack, UnreadableScan, read_scan
from dispensary.search import find_products

_WORDS = TextParameter("q", 120, "a part of the name, or a GTIN")


def parse_scan(text: str, field: str) -> Pack:
    """Parse the text of a scan. Raises `InvalidInput` naming `field`."""
    try:
        return read_scan(text)
    except UnreadableScan as error:
        raise InvalidInput("The scan cannot be read.", Problem(field, f"{len(text)} characters", str(error))) from None


def build_pack(pack_fields: dict[str, Any]) -> Pack:
    """Return the pack for the action, from the text of its scan or from fields."""
    return parse_scan(pack_fields["scan"], "pack.scan") if "scan" in pack_fields else Pack(**pack_fields)


def build_packs(fields: dict[str, Any]) -> tuple[Pack, tuple[CountedPack, ...]]:
    """Return the first pack of a hand-over, and the others with the tablets of each."""
    if "pack" in fields:
        return build_pack(fields["pack"]), ()
    packs = [
        CountedPack(build_pack({name: value for name, value in pack.items() if name != "quantity"}), pack["quantity"])
        for pack in fields["packs"]
    ]
    return packs[0].pack, tuple(packs[1:])


def build_others(view: BaseView, fields: dict[str, Any]) -> list[Item]:
    """Return the items of an order's other strengths."""
    return [
        Item(view.get_own(Prescription.objects.all(), item["prescription"]), item["quantity"], *build_packs(item))
        for item in fields.get("also", ())
    ]


def render_dispense(dispense: Dispense) -> dict[str, Any]:
    """Return a dispense with the overrides that it used, as a response body."""
    prefetch_related_objects([dispense], "overrides__second")
    return represent(shapes.DispenseOut, dispense)


class ProductsView(BaseView):
    """Known products."""

    may: ClassVar = {"POST": (policies.may_add_product, "add a product", "a pharmacist or manager in person")}

    @extend_schema(
        parameters=[_WORDS, *PAGED],
        operation_id="products_list",
        responses=page_of(shapes.ProductOut),
        summary="Products, all or by name",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        return self.paginate(find_products(_WORDS.read(request)), shapes.ProductOut, "gtin", [_WORDS])

    @extend_schema(
        request=shapes.ProductIn,
        responses={201: shapes.ProductOut},
        parameters=[PHARMACY],
        summary="Add a pack to those that scans are compared with; the same again is no change",
    )
    def post(self, request: Request) -> Response:
        by, body = authorize_in_person(self, shapes.ProductIn)
        product = pharmacies.add_product(by=by, now=self.now, **body)
        return Response(shapes.ProductOut(product).data, 201)


class ProductView(BaseView):
    """One product."""

    @extend_schema(parameters=[PHARMACY], responses=shapes.ProductOut, summary="A product by its GTIN")
    def get(self, request: Request, gtin: str) -> Response:
        self.authorize()
        product = Product.objects.filter(pk=gtin.zfill(14)).first()
        if product is None:
            raise NotFound("Nobody here knows this pack.")
        return Response(shapes.ProductOut(product).data)


class ScanView(BaseView):
    """Parsing of a scan."""

    @extend_schema(
        parameters=[PHARMACY],
        request=shapes.ScanIn,
        responses=shapes.ScanOut,
        summary="Read a scanned code; changes nothing",
    )
    def post(self, request: Request) -> Response:
        self.authorize()
        scan = parse_scan(self.parse_body(shapes.ScanIn)["scan"], "scan")
        product = Product.objects.filter(pk=scan.gtin).first()
        scan_fields = {name: getattr(scan, name) for name in ("gtin", "lot", "expiry", "serial")}
        return Response(shapes.ScanOut(scan_fields | {"product": product}).data)


class DispensesView(BaseView):
    """Hand-overs of a prescription."""

    may: ClassVar = {"POST": DISPENSE}

    @extend_schema(
        request=shapes.DispenseIn, responses={201: shapes.DispenseOut}, parameters=[PHARMACY, REQUIRED_KEY],
        summary="Hand over; what nobody has answered is a 409 with the findings",
    )  # fmt: skip
    def post(self, request: Request, pk: UUID) -> Response:
        prescription = self.get_order(pk)
        by, body = self.authorize(prescription.pharmacy_id), self.parse_body(shapes.DispenseIn)
        (pack, further), signature = build_packs(body), read_signature(self, body, prescription, by)
        answers = tuple(Answer(**fields, **signature) for fields in body.get("overrides", ()))
        decisions = tuple(build_decided(fields, signature["signature"]) for fields in body.get("decisions", ()))
        also = build_others(self, body)

        def do() -> Reply:
            result = actions.dispense(
                prescription=prescription, quantity=body["quantity"], pack=pack, further=further, overrides=answers,
                acknowledged=body.get("acknowledged", ()), also=also, decisions=decisions, key=request.headers["Idempotency-Key"], by=by, now=self.now,
            )  # fmt: skip
            if isinstance(result, Refused):
                return refusal_reply(result)
            if signature.get("nonce") and not answers:  # the proof was for the decisions alone
                signatures.use(nonce=signature["nonce"], by=by, now=self.now)
            return reply(201, render_dispense(result))

        return self.answer_once(by, do, required=True)


class DispenseView(BaseView):
    """One dispense."""

    @extend_schema(responses=shapes.DispenseOut, summary="A dispense")
    def get(self, request: Request, pk: UUID) -> Response:
        dispense = self.get_own(Dispense.objects.select_related("patient").prefetch_related("overrides__second"), pk)
        self.record_reading(dispense.patient, dispense)
        return Response(shapes.DispenseOut(dispense).data, headers=etag_header(dispense.version))


class TakeBackView(BaseView):
    """Undoing a dispense: `cancel` before it left the counter, `return_` after."""

    may: ClassVar = {"POST": END}
    how: str = ""

    @extend_schema(
        request=Reason,
        responses=shapes.DispenseOut,
        parameters=[*CREATES, *IF_MATCH],
        summary="Cancel a dispense, or take it back",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        dispense = self.get_own(Dispense.objects.all(), pk)
        by, body = self.authorize(dispense.pharmacy_id), self.parse_body(Reason)
        action = {"cancel": actions.cancel, "return": actions.return_}[self.how]
        version = read_if_match(request)

        def do() -> Reply:
            taken_back = action(dispense=dispense, version=version, by=by, now=self.now, **body)
            return reply(200, render_dispense(taken_back))

        return self.answer_once(by, do)


class DocumentView(PDFView):
    """The printed documents of a hand-over; each print is recorded."""

    may: ClassVar = {"GET": DISPENSE}
    document: Document = Document.LABEL

    @extend_schema(
        responses=PDF,
        summary="The label, the dated calendar or the leaflet, as PDF; each print is recorded",
    )
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        dispense = self.get_own(select_dispenses(), pk)
        content = print_document(
            dispense=dispense, document=self.document, by=self.authorize(dispense.pharmacy_id), now=self.now
        )
        return self.answer(content, f"{order_number(dispense.prescription)}-{self.document}.pdf")


class LabelsView(BaseView):
    """The labels of a hand-over."""

    may: ClassVar = {"POST": DISPENSE}

    @extend_schema(
        request=Nothing,
        responses=shapes.LabelsOut,
        parameters=CREATES,
        summary="Print the labels of a hand-over, of all its strengths, as SVG; each print is recorded, later ones as reprints",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        dispense = self.get_own(select_dispenses(), pk)
        by = self.authorize(dispense.pharmacy_id)
        self.parse_body(Nothing)

        def do() -> Reply:
            dispenses = [dispense, *handed_over_together(dispense)]
            pages = print_labels(dispenses=dispenses, by=by, now=self.now)
            return reply(200, {"labels": [page.decode() for page in pages]})

        return self.answer_once(by, do)


class TrailView(BaseView):
    """The audit trail of a dispense."""

    may: ClassVar = {"GET": (policies.may_read_trail, "read the trail of a dispense", "staff of the pharmacy")}

    @extend_schema(responses=shapes.TrailLine(many=True), summary="The audit trail of a dispense, newest first")
    def get(self, request: Request, pk: UUID) -> Response:
        dispense = self.get_own(Dispense.objects.select_related("patient"), pk)
        self.record_reading(dispense.patient, dispense)
        lines = reader.recheck(audit.history(dispense, pharmacy=dispense.pharmacy_id))
        return Response(shapes.TrailLine(lines, many=True).data)
