"""The FHIR addresses: an order in, a dispense out."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary.actions.idempotency import Reply
from dispensary.actions.intake import Intake
from dispensary.api.fhir import read_order
from dispensary.api.fhir.capability import capability_statement
from dispensary.api.fhir.dispense import medication_dispense
from dispensary.api.fhir.people import Person
from dispensary.api.schema import CREATES
from dispensary.api.strict_json import jsonable
from dispensary.api.views.base import RECEIVE, HouseView, reply
from dispensary.api.views.orders import patient_of, prescriber_of, received
from dispensary.api.wire import FHIRParser, FHIRRenderer, StrictJSONParser
from dispensary.assessment import local_day
from dispensary.errors import InvalidInput, NotFound, Problem
from dispensary.models import Dispense, Prescription, Source

RESOURCE = {"type": "object", "description": "A FHIR R4 resource.", "required": ["resourceType"]}


class FHIRView(HouseView):
    """The base of what speaks FHIR, errors included."""

    parser_classes: ClassVar[list[type[BaseParser]]] = [FHIRParser, StrictJSONParser]
    renderer_classes: ClassVar = [FHIRRenderer]
    speaks_fhir = True


class MedicationRequestView(FHIRView):
    """Orders as FHIR."""

    may: ClassVar = {"POST": RECEIVE}

    @extend_schema(
        request={"application/fhir+json": RESOURCE}, responses={(201, "application/fhir+json"): RESOURCE}, parameters=CREATES,
        summary="Take in a MedicationRequest, or a Bundle with one",
        description="What cannot be read without doubt is asked back as an OperationOutcome; nothing is then stored.",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        by, resource = self.by(), request.data
        order = read_order(resource, on=local_day(self.pharmacy, self.now))
        intake = Intake(
            patient=patient_of(self, _identity(order.patient)),
            prescriber=prescriber_of(self, _identity(order.prescriber)),
            order=order.prescription,
            source=Source.FHIR,
            document=jsonable(resource),
            replaces=self._replaced(order.replaces),
            valid_until=order.valid_until,
            notes=order.notes,
        )
        return self.once(by, lambda: self._told(received(self, intake)))

    def _replaced(self, pk: Any) -> Prescription | None:
        if pk is None:
            return None
        try:
            return self.own(Prescription.objects.filter(pharmacy=self.pharmacy), pk)
        except NotFound:
            problem = Problem(
                "MedicationRequest.priorPrescription", "an order unknown here", "one of this pharmacy's, or none"
            )
            raise InvalidInput("The order to be replaced is not known here.", problem) from None

    def _told(self, done: Reply) -> Reply:
        """The order's address, what the rules said, and how anything unusual was read, as an OperationOutcome."""
        prescription, review = done.body["prescription"], done.body["review"]
        issues = [_issue("information", "informational", f"Taken in as MedicationRequest/{prescription['id']}.")]
        severities = {"stop": "error", "override": "error", "acknowledge": "warning", "information": "information"}
        issues += [
            _issue(severities[f["severity"]], "business-rule", f"{f['code']}: {f['summary']}")
            for f in review["findings"]
        ]
        issues += [_issue("warning", "informational", note) for note in prescription["notes"]]
        return reply(201, {"resourceType": "OperationOutcome", "id": prescription["id"], "issue": issues})


class MedicationDispenseView(FHIRView):
    """A dispense as FHIR."""

    @extend_schema(
        responses={(200, "application/fhir+json"): RESOURCE},
        summary="A dispense as a MedicationDispense, its findings contained as DetectedIssues",
    )
    def get(self, request: Request, pk: UUID) -> Response:
        rows = Dispense.objects.select_related("patient", "product", "prescription", "review").prefetch_related(
            "overrides", "review__findings"
        )
        dispense = self.own(rows, pk)
        self.looks(dispense.patient, dispense)
        return Response(medication_dispense(dispense, dispense.review.findings.all(), dispense.overrides.all()))


class MetadataView(FHIRView):
    """What is spoken here."""

    authentication_classes: ClassVar = []
    permission_classes: ClassVar = [AllowAny]

    @extend_schema(
        responses={(200, "application/fhir+json"): RESOURCE}, summary="The CapabilityStatement, for anybody", auth=[]
    )
    def get(self, request: Request) -> Response:
        return Response(capability_statement(request.build_absolute_uri().removesuffix("/metadata")))


def _issue(severity: str, code: str, words: str) -> dict[str, str]:
    return {"severity": severity, "code": code, "diagnostics": words}


def _identity(person: Person) -> dict[str, Any]:
    return {"id": person.id} if person.id else dict(person.told)
