"""Orders as FHIR: taken in, taken back, reviewed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from baclofen_rules.text import format_amount
from dispensary.actions.draft_review import assess_draft
from dispensary.actions.idempotency import Reply
from dispensary.actions.identity import find_surely
from dispensary.actions.intake import Retraction, add_host_records, find_lapse, take_back
from dispensary.actors import Actor
from dispensary.api.fhir.kinds import KINDS
from dispensary.api.fhir.outcome import (
    render_note,
    render_problem,
    render_review,
    render_words,
)
from dispensary.api.schema import CREATES
from dispensary.api.views.base import RECEIVE, reply
from dispensary.api.views.fhir import JSON_KINDS, RESOURCE, FHIRView
from dispensary.api.views.fhir_records import VIEWS, base_address, version_headers, versioned
from dispensary.api.views.orders import receive_order
from dispensary.assessment import Assessment
from dispensary.errors import InvalidInput, Problem
from dispensary.fhir import Order, examine_order, read_retraction
from dispensary.fhir.intake import read_intake
from dispensary.models import (
    NamesakeAnswer,
    Patient,
    Pharmacy,
    Prescription,
    PrescriptionStatus,
    SenderStatus,
)

_REQUEST = KINDS["MedicationRequest"]
IF_NONE_EXIST = OpenApiParameter(
    "If-None-Exist",
    str,
    OpenApiParameter.HEADER,
    description="`identifier=system|value`: an order that is here already with this identifier is answered, and none is made",
)


class OrderIntakeView(FHIRView):
    """The base of the views that take orders in."""

    may: ClassVar = {"POST": RECEIVE}

    def find_existing(self, condition: str) -> Prescription | None:
        """Return the order that a condition `identifier=system|value` names. Raises `SeveralExist` where it names several."""
        if not condition:
            return None
        query = QueryDict(condition.removeprefix("?"))
        identifier = next(p for p in _REQUEST.parameters if p.name == "identifier")
        if list(query) != ["identifier"]:
            problem = Problem("If-None-Exist", "another search", "identifier=system|value")
            raise InvalidInput("This condition cannot be answered.", problem)
        has_identifier = identifier.read(query["identifier"], UTC)
        rows = _REQUEST.rows().filter(has_identifier, pharmacy=self.pharmacy)[:2]
        if len(rows) > 1:
            problem = Problem("If-None-Exist", "an identifier of several orders", "an identifier with its system")
            raise SeveralExist("Several orders have this identifier.", problem)
        return rows[0] if rows else None

    def headers_of(self, pk: str) -> dict[str, str]:
        """Return the headers that name an order's version."""
        row = _REQUEST.rows().get(pk=pk)
        return version_headers(versioned(_REQUEST, row, self.now), _REQUEST.changed_at(row))

    def render_retraction(self, retraction: Retraction, prescription: Prescription) -> Reply:
        """Return an OperationOutcome that names an order that was taken back, and what was handed over of it."""
        words = f"MedicationRequest/{prescription.pk} is {prescription.standing}, as {retraction.status.value} by its sender: "
        until = " until it is sent as active again" if retraction.status == SenderStatus.ON_HOLD else ""
        issues = [render_words(f"{words}nothing more of it can be handed over{until}.")]
        if handed_over := prescription.dispensed():
            words = f"{format_amount(handed_over)} tablets of it were handed over. A pharmacist here is asked to see to the patient."
            issues.append(render_words(words, "warning"))
        return reply(200, {"resourceType": "OperationOutcome", "id": str(prescription.pk), "issue": issues})

    def render_outcome(self, done: Reply, absences: Sequence[str]) -> Reply:
        """Return an OperationOutcome: the order's address, findings, rules not assessed, and notes on how it was read."""
        prescription, review = done.body["prescription"], done.body["review"]
        address = f"MedicationRequest/{prescription['id']}"
        words = f"Taken in as {address}." if done.status == 201 else f"The same order is here already as {address}."
        issues = [render_words(words)]
        if prescription["status"] != PrescriptionStatus.ACTIVE:
            ended = f"{address} is {prescription['status']}: {prescription['ended_reason']}."
            issues.append(render_words(ended, "warning"))
        issues += [
            render_words(
                f"Patient/{namesake['patient']['id']} has the same name and birth date, or the same number written otherwise. Same person?",
                "warning",
            )
            for namesake in prescription["patient"]["namesakes"]
            if namesake["answer"] == NamesakeAnswer.OPEN
        ]
        issues += render_review(review["findings"], review["result"]["not_assessed"])
        issues += [render_note(note) for note in prescription["notes"]]
        issues += [render_note(absence, "information") for absence in absences]
        return reply(done.status, {"resourceType": "OperationOutcome", "id": prescription["id"], "issue": issues})


def existing_reply(order: Prescription) -> Reply:
    """Return an OperationOutcome that names the order that a condition found."""
    words = f"An order with this identifier is here already as MedicationRequest/{order.pk}."
    return Reply(200, {"resourceType": "OperationOutcome", "id": str(order.pk), "issue": [render_words(words)]})


class MedicationRequestView(OrderIntakeView, VIEWS["MedicationRequest"][1]):
    """Orders as FHIR."""

    @extend_schema(
        request={"application/fhir+json": RESOURCE},
        responses={(status, kind): RESOURCE for status in (200, 201) for kind in JSON_KINDS}, parameters=[*CREATES, IF_NONE_EXIST],
        summary="Take in a MedicationRequest, or a Bundle with one; take back one that its sender withdraws",
        description="What cannot be read without doubt is asked back as an OperationOutcome; nothing is then stored. "
        "The same identifier again is answered 200 with the first order, or 409 where the order says something else. "
        "With the status cancelled, stopped or entered-in-error, what is left of the order with that identifier is cancelled (200); "
        "with completed it ends as completed, with on-hold it waits until it is sent as active again.",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        by, resource = self.authorize(), request.data
        if (here := self.find_existing(request.headers.get("If-None-Exist", ""))) is not None:
            return self._locate(Response(existing_reply(here).body))
        if retraction := read_retraction(resource):
            return self._locate(self.answer_once(by, lambda: self._take_back_order(retraction, by)))
        intake, absences = read_intake(resource, pharmacy=self.pharmacy, on=self.pharmacy.local_day(self.now))
        [intake] = add_host_records([intake])
        return self._locate(self.answer_once(by, lambda: self.render_outcome(receive_order(self, intake), absences)))

    def _take_back_order(self, retraction: Retraction, by: Actor) -> Reply:
        prescription = take_back(retraction, pharmacy=self.pharmacy, by=by, now=self.now)
        return self.render_retraction(retraction, prescription)

    def _locate(self, response: Response) -> Response:
        """Return a response about an order with the order's address and version."""
        if response.status_code in {200, 201}:
            pk = response.data["id"]
            headers = {**self.headers_of(pk), "Location": f"{base_address(self.request)}/MedicationRequest/{pk}"}
            for name, value in headers.items():
                response[name] = value
        return response


class SeveralExist(InvalidInput):
    """A condition of a create that several orders fulfil."""

    code = "several-exist"
    title = "Several orders are here already"
    status = 412


class OrderReviewView(FHIRView):
    """The review of an order that is not taken in.

    It answers with an OperationOutcome: each question that intake would ask back, each finding, each rule not assessed and
    each note on how the order was read. A patient of the pharmacy is known by number, name and birth date; of another one
    only what the Bundle says is known. 400 where nothing of an order can be read.
    """

    @extend_schema(
        exclude=True
    )  # the generator drops the `$` of the address; the CapabilityStatement has the operation
    def post(self, request: Request) -> Response:
        self.authorize()
        today = self.pharmacy.local_day(self.now)
        order = examine_order(request.data, on=today, zone=ZoneInfo(self.pharmacy.time_zone))
        if not order.prescription:
            raise InvalidInput("Nothing of an order can be read.", *order.problems)
        issues = [render_problem(problem) for problem in order.problems]
        details = dict(order.patient.details)
        if order.patient.id:
            patient = Patient.objects.filter(pharmacy=self.pharmacy, pk=order.patient.id).first()
        else:
            patient = find_surely(self.pharmacy, details)
        if patient is not None:
            self.record_reading(patient)
        facts = {name: details[name] for name in ("birth_date", "sex") if name in details} | dict(order.facts)
        assessment, problems = assess_order(order, pharmacy=self.pharmacy, on=today, facts=facts, patient=patient)
        issues += [render_problem(problem) for problem in problems]
        if assessment is not None:
            review = assessment.review
            issues += render_review(
                [finding.to_json() for finding in review.findings], [rule._asdict() for rule in review.not_assessed]
            )
        issues += [render_note(note) for note in order.notes]
        issues += [render_note(absence, "information") for absence in order.absences]
        issues = issues or [render_words("Nothing was found.")]
        return Response({"resourceType": "OperationOutcome", "issue": issues})


def assess_order(
    order: Order,
    *,
    pharmacy: Pharmacy,
    on: date,
    facts: Mapping[str, Any],
    supplies: Sequence[Mapping[str, Any]] | None = None,
    patient: Patient | None,
) -> tuple[Assessment | None, list[Problem]]:
    """Review an order that is not taken in, as `assess_draft` does; return what is to be asked besides its own questions.

    Of an order that cannot be reviewed its own questions, where it has any, say why.
    """
    assessment, problems = assess_draft(
        order.prescription, pharmacy=pharmacy, on=on, facts=facts, supplies=supplies, patient=patient
    )
    if assessment is None and order.problems:
        problems = []
    return assessment, [*problems, *find_lapse(order.valid_until, on)]
