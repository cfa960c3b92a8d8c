"""Views of answers to findings: signed, signed by a second pharmacist, withdrawn."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary import policies
from dispensary.actions import overrides, second_signatures, signatures, therapy
from dispensary.actions.handover_problems import Item
from dispensary.actions.handover_review import assess_handover
from dispensary.actions.idempotency import Reply
from dispensary.actions.override_records import print_override, select_overrides
from dispensary.actions.overrides import Answer
from dispensary.actors import Actor
from dispensary.api.schema import CREATES, PAGED, PHARMACY, page_of
from dispensary.api.serializers import orders as shapes
from dispensary.api.serializers.handover import SignatureIn
from dispensary.api.serializers.therapy import build_decided
from dispensary.api.signing import read_signature
from dispensary.api.views.base import DISPENSE, END, PDF, SIGN, BaseView, PDFView, reply
from dispensary.api.views.handover import build_others, build_packs
from dispensary.errors import NotFound
from dispensary.models import (
    BegunSignature,
    Override,
    OverrideState,
    Patient,
    Prescription,
    PriorSupply,
    SignatureMethod,
)
from dispensary.models.review import Reviewed
from dispensary.proof import person_proof


class OverridesView(BaseView):
    """Overrides of a prescription's findings, signed before the hand-over."""

    may: ClassVar = {"POST": DISPENSE}

    @extend_schema(
        request=shapes.SignedAnswerIn, responses={201: shapes.OverrideOut}, parameters=CREATES,
        summary="Answer a finding: an override with a reason, or a one-step acknowledgement",
    )  # fmt: skip
    def post(self, request: Request, pk: UUID) -> Response:
        prescription = self.get_own(Prescription.objects.all(), pk)
        by = self.authorize(prescription.pharmacy_id)
        body = self.parse_body(shapes.SignedAnswerIn)
        signature = read_signature(self, body, prescription, by)
        answer = Answer(**body, **signature)

        def do() -> Reply:
            (signed,) = overrides.sign(prescription=prescription, answers=[answer], by=by, now=self.now)
            return reply(201, shapes.OverrideOut(signed).data)

        return self.answer_once(by, do)


class SignaturesView(BaseView):
    """The beginning of a signature."""

    may: ClassVar = {"POST": SIGN}

    @extend_schema(
        request=SignatureIn, responses=shapes.SignatureOut, parameters=[PHARMACY],
        summary="Begin a signature, to be used once within the hour: what the signer must give, and the digest of what they sign",
    )  # fmt: skip
    def post(self, request: Request, pk: UUID) -> Response:
        prescription = self.get_own(Prescription.objects.all(), pk)
        by, body = self.authorize(prescription.pharmacy_id), self.parse_body(SignatureIn)
        if body["stop"]:
            return begin_stop_signature(self, prescription, by, body)
        answers = [Answer(**fields) for fields in body["overrides"]]
        if "handover" in body:
            handover = body["handover"]
            pack, further = build_packs(handover)
            items = [Item(prescription, handover["quantity"], pack, further), *build_others(self, handover)]
            decided = [build_decided(fields, SignatureMethod.PASSWORD) for fields in handover.get("decisions", ())]
            assessment = assess_handover(items, decided, by=by, now=self.now)
        else:
            assessment = overrides.assess_under((), prescription=prescription, by=by, now=self.now)
        digest = overrides.digest_to_sign(assessment=assessment, answers=answers, by=by, now=self.now)
        begun = signatures.begin(subject=prescription, shown=digest, by=by, now=self.now)
        return Response(shapes.SignatureOut(begun_fields(request, begun)).data)


class SupplySignaturesView(BaseView):
    """The beginning of a signature under the stop of a supply recorded from elsewhere."""

    may: ClassVar = {"POST": END}

    @extend_schema(
        request=SignatureIn, responses=shapes.SignatureOut, parameters=[PHARMACY],
        summary="Begin the signature under the stop of a supply from elsewhere, to be used once within the hour",
    )  # fmt: skip
    def post(self, request: Request, pk: UUID, supply: int) -> Response:
        patient = self.get_own(Patient.objects.select_related("pharmacy"), pk)
        by, body = self.authorize(patient.pharmacy_id), self.parse_body(SignatureIn)
        return begin_stop_signature(self, find_recorded(patient, supply), by, body)


def begin_stop_signature(view: BaseView, subject: Reviewed, by: Actor, body: dict[str, Any]) -> Response:
    """Begin the signature under a stop, and answer with what finishes it."""
    answers = [Answer(**fields) for fields in body["overrides"]]
    begun = therapy.begin_stop(subject=subject, reason=body.get("reason", ""), answers=answers, by=by, now=view.now)
    return Response(shapes.SignatureOut(begun_fields(view.request, begun)).data)


def find_recorded(patient: Patient, supply: int) -> PriorSupply:
    """Return a supply recorded from elsewhere. Raises `NotFound`."""
    recorded = patient.prior_supplies.filter(pk=supply).first()
    if recorded is None:
        raise NotFound("There is no such supply.")
    recorded.patient = patient
    return recorded


class SecondWaitingView(BaseView):
    """Answers of the pharmacy that wait for a second pharmacist."""

    may: ClassVar = {"GET": SIGN}

    @extend_schema(
        operation_id="second_list",
        parameters=PAGED,
        responses=page_of(shapes.OverrideOut),
        summary="Answers that wait for a second pharmacist, the oldest first",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        rows = Override.objects.filter(prescription__pharmacy=self.pharmacy, state=OverrideState.WAITING)
        return self.paginate(rows.select_related("second"), shapes.OverrideOut, "signed_at")


class SecondView(BaseView):
    """Answers on a prescription that wait for a second pharmacist."""

    may: ClassVar = {"GET": SIGN, "POST": SIGN}

    @extend_schema(
        responses=shapes.SecondOut, parameters=[PHARMACY],
        summary="Begin the signature of a second pharmacist: what waits, and what they must give",
    )  # fmt: skip
    def get(self, request: Request, pk: UUID) -> Response:
        prescription = self.get_own(Prescription.objects.select_related("patient"), pk)
        by = self.authorize(prescription.pharmacy_id)
        self.record_reading(prescription.patient)
        waiting = second_signatures.find_waiting(prescription)
        digest = second_signatures.digest_waiting(waiting)
        begun = signatures.begin(subject=prescription, shown=digest, by=by, now=self.now)
        fields = {"waiting": waiting, **begun_fields(request, begun)}
        return Response(shapes.SecondOut(fields).data)

    @extend_schema(
        request=shapes.SecondIn, responses=shapes.OverrideOut(many=True), parameters=CREATES,
        summary="Sign as second pharmacist what waits; or let it stand alone, where nobody has answered in time",
    )  # fmt: skip
    def post(self, request: Request, pk: UUID) -> Response:
        prescription = self.get_own(Prescription.objects.all(), pk)
        by, body = self.authorize(prescription.pharmacy_id), self.parse_body(shapes.SecondIn)
        signature = read_signature(self, body, prescription, by)

        def do() -> Reply:
            signed = second_signatures.Signed(signature["signature"], signature["digest"], signature["nonce"])
            order: dict[str, Any] = {"prescription": prescription, "signed": signed, "by": by, "now": self.now}
            if "alone_because" in body:
                rows = second_signatures.sign_alone(because=body["alone_because"], **order)
            else:
                rows = second_signatures.sign_second(**order)
            return reply(200, shapes.OverrideOut([row.override for row in rows], many=True).data)

        return self.answer_once(by, do)


def begun_fields(request: Request, begun: BegunSignature) -> dict[str, Any]:
    """Return what a client needs to finish a signature: digest, nonce, and what the signer has to give."""
    proofs = person_proof()
    return {
        "digest": begun.shown,
        "nonce": begun.pk,
        "factors": sorted(proofs.begin(request.user)),
        "passkey": proofs.passkey_options(request.user, signatures.seal(begun)),
    }


class WithdrawView(BaseView):
    """Withdrawing an override."""

    @extend_schema(
        request=shapes.Reason, responses=shapes.OverrideOut, summary="Withdraw an answer that no dispense has used"
    )
    def post(self, request: Request, pk: UUID) -> Response:
        override = _own_override(self, pk)
        by, body = self.authorize(override.subject.patient.pharmacy_id), self.parse_body(shapes.Reason)
        return Response(shapes.OverrideOut(overrides.withdraw(override=override, by=by, now=self.now, **body)).data)


class OverrideView(BaseView):
    """One override."""

    @extend_schema(responses=shapes.OverrideOut, summary="An answer to a finding")
    def get(self, request: Request, pk: UUID) -> Response:
        override = _own_override(self, pk)
        self.record_reading(override.subject.patient, override)
        return Response(shapes.OverrideOut(override).data)


class OverrideRecordView(PDFView):
    """The record of an override on paper."""

    may: ClassVar = {
        "GET": (policies.may_read_override, "read the record of an override", "a pharmacist, manager or auditor")
    }

    @extend_schema(
        responses=PDF,
        summary="The record of an override with its signatures, as PDF; each reading is recorded",
    )
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        override = _own_override(self, pk)
        by = self.authorize(override.subject.patient.pharmacy_id)
        content = print_override(override=override, by=by, now=self.now)
        return self.answer(content, "override-record.pdf")


def _own_override(view: BaseView, pk: UUID) -> Override:
    override = select_overrides().filter(pk=pk).first()
    view.get_own(Patient.objects.all(), override.subject.patient.pk if override else pk)
    assert override is not None
    return override
