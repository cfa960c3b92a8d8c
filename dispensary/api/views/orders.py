"""Views of prescriptions, reviews and overrides."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import OuterRef, Subquery, Sum
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary.actions import emergencies, order_states, prescriptions, reviews, therapy
from dispensary.actions.idempotency import Reply
from dispensary.actions.intake import Intake, add_host_records, take_in
from dispensary.actions.overrides import Answer
from dispensary.actions.refusals import Refused
from dispensary.actors import Actor
from dispensary.api.fields import represent
from dispensary.api.query import ChoiceParameter, UUIDParameter
from dispensary.api.schema import CREATES, IF_MATCH, PAGED, page_of
from dispensary.api.serializers import orders as shapes
from dispensary.api.serializers.claims import ClaimIn, ClaimOut
from dispensary.api.serializers.messages import Nothing
from dispensary.api.signing import read_signature
from dispensary.api.views.base import (
    ARRANGE,
    DISPENSE,
    END,
    RECEIVE,
    BaseView,
    etag_header,
    read_if_match,
    refusal_reply,
    reply,
)
from dispensary.assessment import Assessment, assess
from dispensary.errors import InvalidInput, Problem
from dispensary.loading import read_record
from dispensary.models import (
    Dispense,
    DispenseStatus,
    Outcome,
    Patient,
    Prescriber,
    Prescription,
    PrescriptionStatus,
    Review,
    ReviewReason,
    Source,
)
from dispensary.models.review import Reviewed
from dispensary.strict_json import jsonable

_FILTERS: list[ChoiceParameter | UUIDParameter] = [
    ChoiceParameter("status", PrescriptionStatus.values),
    ChoiceParameter("outcome", Outcome.values, "of its newest review"),
    UUIDParameter("patient"),
]


def detailed_prescription(prescription: Prescription) -> Prescription:
    """Return a prescription as it is stored now, out of its patient's record, with everything that its page shows."""
    return read_record(prescription.patient_id).orders[prescription.pk]


def render_prescription(prescription: Prescription, view: BaseView, assessment: Assessment | None = None) -> Any:
    """Return a prescription as a response body; an active one with today's assessment, which is made where it is not given."""
    if assessment is None and prescription.status == PrescriptionStatus.ACTIVE:
        # What is stored may be no case any more; the record must be readable all the same.
        with suppress(InvalidInput):
            assessment = assess(prescription, on=prescription.pharmacy.local_day(view.now))
    body = represent(shapes.PrescriptionOut, prescription)
    return body | ({} if assessment is None else {"assessment": shapes.describe_assessment(prescription, assessment)})


class PrescriptionsView(BaseView):
    """The queue of prescriptions."""

    may: ClassVar = {"POST": RECEIVE}

    @extend_schema(
        parameters=[*_FILTERS, *PAGED],
        operation_id="prescriptions_list",
        responses=page_of(shapes.PrescriptionRow),
        summary="The queue",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        filters = {filter.name: value for filter in _FILTERS if (value := filter.read(request)) is not None}
        done = Dispense.objects.filter(prescription=OuterRef("pk"), status=DispenseStatus.COMPLETED)
        newest = Review.objects.filter(prescription=OuterRef("pk")).order_by("-reviewed_at")
        rows = (
            Prescription.objects.filter(pharmacy=self.pharmacy)
            .select_related("patient")
            .annotate(
                handed_over=Subquery(done.values("prescription").annotate(n=Sum("quantity")).values("n")),
                outcome=Subquery(newest.values("outcome")[:1]),
            )
        )
        return self.paginate(rows.filter(**filters), shapes.PrescriptionRow, "-received_at", _FILTERS)

    @extend_schema(
        request=shapes.OrderIn,
        responses={201: shapes.ReceivedOut},
        parameters=CREATES,
        summary="Take in a prescription",
    )
    def post(self, request: Request) -> Response:
        by, body = self.authorize(), self.parse_body(shapes.OrderIn)
        case = body["case"]
        self._check_day(case)
        intake = Intake(
            patient=find_patient(self, body["patient"]),
            prescriber=find_prescriber(self, body["prescriber"]),
            order=case["prescription"],
            source=Source.CASE,
            document=jsonable(case),
            facts=case.get("patient") or {},
            history=case.get("history") or (),
            replaces=self.get_own(Prescription.objects.all(), body["replaces"]) if "replaces" in body else None,
        )
        [intake] = add_host_records([intake])
        return self.answer_once(by, lambda: receive_order(self, intake))

    def _check_day(self, case: dict[str, Any]) -> None:
        today = self.pharmacy.local_day(self.now)
        if case.get("on") not in (None, today.isoformat()):
            problem = Problem("case.on", "another day", f"{today}, today at the pharmacy", "Leave it out.")
            raise InvalidInput("An order is taken in on the day it comes.", problem)


def receive_order(view: BaseView, intake: Intake) -> Reply:
    """Take an order in; return the stored prescription with its first review."""
    return received_reply(take_in(intake, pharmacy=view.pharmacy, by=view.authorize(), now=view.now), view)


def received_reply(done: prescriptions.Received, view: BaseView) -> Reply:
    """Return an order that was taken in, with its first review; 200 where it had come before."""
    order = done.order or detailed_prescription(done.prescription)
    body = {"prescription": render_prescription(order, view, done.assessment)}
    return reply(201 if done.is_new else 200, body | {"review": represent(shapes.ReviewOut, done.review)})


class EmergencyView(BaseView):
    """Arranging an emergency supply."""

    may: ClassVar = {"POST": ARRANGE}

    @extend_schema(
        request=shapes.EmergencyIn,
        responses={201: shapes.ReceivedOut},
        parameters=CREATES,
        summary="Arrange an emergency supply, which no prescriber has ordered",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        patient = self.get_own(Patient.objects.select_related("pharmacy").filter(pharmacy=self.pharmacy), pk)
        by, body = self.authorize(), self.parse_body(shapes.EmergencyIn)
        prescriber = find_prescriber(self, body["prescriber"]) if "prescriber" in body else None

        def arrange() -> Reply:
            done = emergencies.arrange(
                patient=patient,
                days=body["days"],
                strength_mg=body["strength_mg"],
                prescriber=prescriber,
                by=by,
                now=self.now,
            )
            return received_reply(done, self)

        return self.answer_once(by, arrange)


def find_patient(view: BaseView, identity: dict[str, Any]) -> Any:
    """Return the patient whom an id names, else the identity as the action takes it."""
    if "id" in identity:
        patient = view.find_own(Patient, identity["id"])
        patient.pharmacy = view.pharmacy
        return patient
    birth_date = identity.get("birth_date")
    return identity | ({"birth_date": birth_date.isoformat()} if isinstance(birth_date, date) else {})


def find_prescriber(view: BaseView, identity: dict[str, Any]) -> Any:
    """Return the prescriber whom an id names, else the identity as the action takes it."""
    return view.find_own(Prescriber, identity["id"]) if "id" in identity else dict(identity)


class PrescriptionView(BaseView):
    """One prescription."""

    @extend_schema(
        responses=shapes.PrescriptionOut,
        summary="A prescription: course, findings as of today, answers, supplies; reading it is logged",
    )
    def get(self, request: Request, pk: UUID) -> Response:
        prescription = detailed_prescription(self.get_order(pk))
        self.record_reading(prescription.patient)
        return Response(render_prescription(prescription, self), headers=etag_header(prescription.version))


class CancelView(BaseView):
    """Cancelling a prescription."""

    may: ClassVar = {"POST": END}

    @extend_schema(
        request=shapes.Cancelling, responses=shapes.PrescriptionOut, parameters=IF_MATCH,
        summary="Cancel a prescription that was written in error or withdrawn",
    )  # fmt: skip
    def post(self, request: Request, pk: UUID) -> Response:
        return change_order(self, pk, prescriptions.cancel, shapes.Cancelling)


class HoldView(BaseView):
    """Putting a prescription on hold."""

    may: ClassVar = {"POST": RECEIVE}

    @extend_schema(
        request=shapes.Hold, responses=shapes.PrescriptionOut, parameters=IF_MATCH,
        summary="Put a prescription on hold until the prescriber, stock or the patient is there",
    )  # fmt: skip
    def post(self, request: Request, pk: UUID) -> Response:
        return change_order(self, pk, order_states.hold, shapes.Hold)


class ResumeView(BaseView):
    """Making a prescription that is on hold active again."""

    may: ClassVar = {"POST": RECEIVE}

    @extend_schema(
        request=Nothing, responses=shapes.PrescriptionOut, parameters=IF_MATCH,
        summary="Resume a prescription that was put on hold here; its sender releases one that it holds",
    )  # fmt: skip
    def post(self, request: Request, pk: UUID) -> Response:
        return change_order(self, pk, order_states.resume, Nothing)


class ClaimView(BaseView):
    """Who works on a prescription."""

    may: ClassVar = {"POST": DISPENSE}

    @extend_schema(
        request=ClaimIn,
        responses=ClaimOut,
        summary="Work on a prescription, so that nobody else begins the same work",
        description=(
            "A notice that lapses: the answer says who works on it. Another person keeps it until then, or until it is taken over "
            "(`take_over`), which is recorded."
        ),
    )
    def post(self, request: Request, pk: UUID) -> Response:
        prescription = self.get_own(Prescription.objects.select_related("pharmacy", "patient"), pk)
        by, body = self.authorize(prescription.pharmacy_id), self.parse_body(ClaimIn)
        claim = order_states.claim(prescription=prescription, by=by, now=self.now, **body)
        return Response(ClaimOut(claim, context={"by": by}).data)


class ReinstateView(BaseView):
    """Undoing a cancel."""

    may: ClassVar = {"POST": END}

    @extend_schema(
        request=shapes.Reason, responses=shapes.PrescriptionOut, parameters=IF_MATCH,
        summary="Undo a cancel of the same day",
    )  # fmt: skip
    def post(self, request: Request, pk: UUID) -> Response:
        return change_order(self, pk, order_states.reinstate, shapes.Reason)


def change_order(
    view: BaseView, pk: UUID, action: Callable[..., Prescription], shape: type[serializers.BaseSerializer[Any]]
) -> Response:
    """Change an order of the version in If-Match by an action that takes the fields of the body; return it as it stands then."""
    prescription = view.get_own(Prescription.objects.all(), pk)
    by, body = view.authorize(prescription.pharmacy_id), view.parse_body(shape)
    action(prescription=prescription, version=read_if_match(view.request), by=by, now=view.now, **body)
    changed = detailed_prescription(prescription)
    return Response(render_prescription(changed, view), headers=etag_header(changed.version))


class CorrectView(BaseView):
    """Correcting an order that was typed at the counter."""

    may: ClassVar = {"POST": RECEIVE}

    @extend_schema(
        request=shapes.CorrectionIn,
        responses={201: shapes.ReceivedOut},
        parameters=CREATES,
        summary="Correct a prescription that was typed at the counter wrongly; a new one takes its place",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        prescription = self.get_own(Prescription.objects.select_related("pharmacy"), pk)
        by, body = self.authorize(prescription.pharmacy_id), self.parse_body(shapes.CorrectionIn)
        order = body["case"]["prescription"]
        replaces = self.get_own(Prescription.objects.all(), body["replaces"]) if "replaces" in body else None

        def do() -> Reply:
            done = order_states.correct(
                prescription=prescription,
                prescriber=find_prescriber(self, body["prescriber"]),
                order=order,
                document=_as_typed(order),
                reason=body["reason"],
                replaces=replaces,
                by=by,
                now=self.now,
            )
            return received_reply(done, self)

        return self.answer_once(by, do)


def _as_typed(order: dict[str, Any]) -> dict[str, str]:
    """Return an order as the counter keeps what was typed: texts by the name of their field."""
    typed = {name: str(value) for name, value in order.items() if isinstance(value, str | int | Decimal) and value}
    typed.pop("then_stop", None)
    then_stop = order.get("then_stop")
    return typed if then_stop is None else typed | {"follows": "stops" if then_stop else "continues"}


class StopView(BaseView):
    """Stopping the medicine."""

    may: ClassVar = {"POST": END}

    @extend_schema(
        request=shapes.Stop, responses=shapes.PrescriptionOut, parameters=CREATES,
        summary="Stop the medicine now; without a taper that is a finding, which needs an answer",
    )  # fmt: skip
    def post(self, request: Request, pk: UUID) -> Response:
        prescription = self.get_own(Prescription.objects.select_related("patient"), pk)
        by, body = self.authorize(prescription.pharmacy_id), self.parse_body(shapes.Stop)
        return answer_stop(
            self, prescription, by, body, lambda: render_prescription(detailed_prescription(prescription), self)
        )


def answer_stop(
    view: BaseView, subject: Reviewed, by: Actor, body: dict[str, Any], render: Callable[[], Any]
) -> Response:
    """Stop what an order or a recorded supply feeds, and answer with what `render` returns, or with the findings."""
    signature = read_signature(view, body, subject, by)
    answers = tuple(Answer(**fields, **signature) for fields in body.get("overrides", ()))

    def do() -> Reply:
        result = therapy.stop(
            subject=subject, reason=body.get("reason", ""), words=body["words"], answers=answers, by=by, now=view.now
        )
        return refusal_reply(result) if isinstance(result, Refused) else reply(200, render())

    return view.answer_once(by, do)


class ReviewsView(BaseView):
    """Reviews of a prescription."""

    may: ClassVar = {"POST": DISPENSE}

    @extend_schema(
        request=shapes.ReviewIn,
        responses={201: shapes.ReviewOut},
        parameters=CREATES,
        summary="Review a prescription and freeze it",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        prescription = self.get_own(Prescription.objects.select_related("pharmacy", "patient__pharmacy"), pk)
        by, body = self.authorize(prescription.pharmacy_id), self.parse_body(shapes.ReviewIn)

        def do() -> Reply:
            review = reviews.record(prescription=prescription, reason=ReviewReason.CHECKED, by=by, now=self.now, **body)
            return reply(201, represent(shapes.ReviewOut, review))

        return self.answer_once(by, do)


class ReviewView(BaseView):
    """One frozen review."""

    @extend_schema(responses=shapes.ReviewOut, summary="A review as it was frozen")
    def get(self, request: Request, pk: UUID) -> Response:
        rows = Review.objects.select_related("prescription__patient", "prior_supply__patient")
        review = self.get_own(rows.prefetch_related("findings"), pk)
        self.record_reading(review.subject.patient, review)
        return Response(shapes.ReviewOut(review).data)
