"""Views of what a patient takes, and of the decisions about it."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary.actions import therapy as actions
from dispensary.actions.idempotency import Reply
from dispensary.api.schema import CREATES, PHARMACY
from dispensary.api.serializers import therapy as shapes
from dispensary.api.serializers.orders import Stop
from dispensary.api.views.base import DECIDE, END, BaseView, reply
from dispensary.api.views.orders import answer_stop
from dispensary.api.views.overrides import find_recorded
from dispensary.assessment import therapy_of
from dispensary.errors import InvalidInput, Problem
from dispensary.models import Patient, Prescription, PriorSupply
from dispensary.rows import decisions_of


class DecisionsView(BaseView):
    """The therapy of a patient, and the decisions about it."""

    may: ClassVar = {"POST": DECIDE}

    @extend_schema(parameters=[PHARMACY], responses=shapes.TherapyOut, summary="What the patient takes today")
    def get(self, request: Request, pk: UUID) -> Response:
        patient = self.get_own(Patient.objects.select_related("pharmacy"), pk)
        self.record_reading(patient)
        return Response(describe_therapy(self, patient))

    @extend_schema(
        request=shapes.DecisionIn,
        responses={201: shapes.DecisionOut},
        parameters=CREATES,
        summary="Record a decision about what the patient takes; a stop goes by the prescription or the recorded supply",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        patient = self.get_own(Patient.objects.select_related("pharmacy"), pk)
        by, body = self.authorize(patient.pharmacy_id), self.parse_body(shapes.DecisionIn)
        order, prior_supply = _find_subject(patient, body.get("subject"))

        def do() -> Reply:
            decision = actions.record_decision(
                patient=patient,
                decided=shapes.build_decided(body),
                order=order,
                prior_supply=prior_supply,
                by=by,
                now=self.now,
            )
            return reply(201, shapes.DecisionOut(decision).data)

        return self.answer_once(by, do)


class StopSupplyView(BaseView):
    """Stopping what a supply recorded from elsewhere feeds."""

    may: ClassVar = {"POST": END}

    @extend_schema(
        request=Stop, responses=shapes.TherapyOut, parameters=CREATES,
        summary="Stop what a supply from elsewhere feeds; without a taper that is a finding, which needs an answer",
    )  # fmt: skip
    def post(self, request: Request, pk: UUID, supply: int) -> Response:
        patient = self.get_own(Patient.objects.select_related("pharmacy"), pk)
        by, body = self.authorize(patient.pharmacy_id), self.parse_body(Stop)
        recorded = find_recorded(patient, supply)
        return answer_stop(self, recorded, by, body, lambda: describe_therapy(self, patient))


def describe_therapy(view: BaseView, patient: Patient) -> dict[str, Any]:
    """Return what a patient takes today, with every decision about it."""
    on = patient.pharmacy.local_day(view.now)
    therapy = therapy_of(patient, on)
    day = therapy.day(on)
    described: dict[str, Any] = shapes.TherapyOut(
        {
            "on": on,
            "low": day.low,
            "mg": day.mg,
            "high": day.high,
            "next_change": therapy.next_change,
            "last_day": therapy.last_day,
            "courses": [therapy.course(thread.course) for thread in therapy.threads],
            "decisions": decisions_of(patient),
        }
    ).data
    return described


def _find_subject(patient: Patient, subject: str | None) -> tuple[Prescription | None, PriorSupply | None]:
    """Return the order or the recorded supply of that id. Raises `InvalidInput` for what this patient has not."""
    if subject is None:
        return None, None
    if subject.isdecimal():
        prior_supply = patient.prior_supplies.filter(pk=int(subject)).first()
        if prior_supply is not None:
            return None, prior_supply
    else:
        try:
            order = patient.prescriptions.filter(pk=UUID(subject)).first()
        except ValueError:
            order = None
        if order is not None:
            return order, None
    raise InvalidInput(
        "There is no such order or supply.",
        Problem("subject", subject[:64], "the id of an order or of a recorded supply of this patient"),
    )
