"""Views of the caller, patients and prescribers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary import policies
from dispensary.actions import corrections, namesakes, patients, prescribers
from dispensary.actions.break_glass import open_records, read_emergency
from dispensary.actions.idempotency import Reply
from dispensary.api.query import TextParameter
from dispensary.api.schema import CREATES, IF_MATCH, PAGED, PHARMACY, page_of
from dispensary.api.serializers import people as shapes
from dispensary.api.signing import authorize_in_person
from dispensary.api.views.base import END, RECEIVE, BaseView, Policy, etag_header, read_if_match, reply
from dispensary.models import Patient, Pharmacy, Prescriber, PriorSupply
from dispensary.search import find_patients, find_prescribers

BREAK: tuple[Policy, str, str] = (policies.may_override, "open a record of another pharmacy", "a pharmacist in person")
_WORDS = TextParameter("q", 120, "a number, or a part of a name")
_NUMBER = TextParameter("identifier", 64, "the pharmacy's own number of a patient")


class MeView(BaseView):
    """The caller."""

    @extend_schema(responses=shapes.Me, summary="Who am I, and where")
    def get(self, request: Request) -> Response:
        members = sorted(self.caller.members.values(), key=lambda member: member.pharmacy.name)
        current = self.caller.named_id or (members[0].pharmacy_id if len(members) == 1 else None)
        me = {"username": request.user.get_username(), "pharmacies": members, "current": current}
        return Response(shapes.Me(me).data)


class PatientsView(BaseView):
    """The pharmacy's patients."""

    may: ClassVar = {"POST": RECEIVE}

    @extend_schema(
        parameters=[_NUMBER, *PAGED],
        operation_id="patients_list",
        responses=page_of(shapes.PatientShort),
        summary="Patients; by name through search/",
    )
    def get(self, request: Request) -> Response:
        number, rows = _NUMBER.read(request), _patients_of(self.pharmacy)
        if number:
            rows = rows.filter(Q(identifier=number) | Q(former_identities__identifier=number)).distinct()
        return _list_patients(self, rows, number, [_NUMBER])

    @extend_schema(
        request=shapes.PatientRegistration,
        responses={201: shapes.PatientOut},
        parameters=CREATES,
        summary="Register a patient",
    )
    def post(self, request: Request) -> Response:
        by, body = self.authorize(), self.parse_body(shapes.PatientRegistration)

        def do() -> Reply:
            return reply(
                201, shapes.PatientOut(patients.register(pharmacy=self.pharmacy, by=by, now=self.now, **body)).data
            )

        return self.answer_once(by, do)


class PatientSearchView(BaseView):
    """Search by POST, so that no name stands in a URL or in a log of URLs."""

    @extend_schema(
        request=shapes.Search, parameters=PAGED, responses=page_of(shapes.PatientShort),
        summary="Search patients by name, birth date, telephone, number or the number on a label; searching is logged",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        words = self.parse_body(shapes.Search)["words"]
        return _list_patients(self, find_patients(self.pharmacy, words), words)


class PatientView(BaseView):
    """One patient."""

    may: ClassVar = {"PATCH": RECEIVE}

    @extend_schema(
        responses=shapes.PatientOut, summary="A patient with facts and earlier supplies; reading it is logged"
    )
    def get(self, request: Request, pk: UUID) -> Response:
        patient = self.get_own(_patients_with_supplies(), pk)
        self.record_reading(patient)
        return Response(shapes.PatientOut(patient).data, headers=etag_header(patient.version))

    @extend_schema(
        request=shapes.PatientChanges,
        responses=shapes.PatientOut,
        parameters=IF_MATCH,
        summary="Record facts, the language of messages, the time zone; correct name, number or birth date",
    )
    def patch(self, request: Request, pk: UUID) -> Response:
        patient = self.get_own(_patients_with_supplies(), pk)
        by, body = self.authorize(patient.pharmacy_id), self.parse_body(shapes.PatientChanges)
        identity = {name: body.pop(name) for name in corrections.IDENTITY if name in body}
        why = {name: body.pop(name) for name in ("reason", "words") if name in body}
        changed, version = patient, read_if_match(request)
        with transaction.atomic():
            if identity:
                changed = corrections.correct_identity(
                    patient=patient, changes=identity, version=version, by=by, now=self.now, **why
                )
                version = changed.version
            if body:
                facts = body.pop("facts", {})
                changed = patients.update_facts(
                    patient=patient, changes=facts, version=version, by=by, now=self.now, **body
                )
        return Response(shapes.PatientOut(changed).data, headers=etag_header(changed.version))


class NamesakesView(BaseView):
    """Other records that may be of the same person."""

    may: ClassVar = {"POST": RECEIVE}

    @extend_schema(
        request=shapes.NamesakeReply,
        responses=shapes.PatientOut,
        summary="Answer whether another record is of the same person",
        description=(
            "`same` joins the two records, also where name or birth date differ; the answer is the record that is used from then on. "
            "`other`, of records that were joined, parts them again."
        ),
    )
    def post(self, request: Request, pk: UUID) -> Response:
        patient = self.get_own(Patient.objects.select_related("pharmacy"), pk)
        by, body = self.authorize(patient.pharmacy_id), self.parse_body(shapes.NamesakeReply)
        record = namesakes.answer_namesake(patient=patient, by=by, now=self.now, **body)
        return Response(shapes.PatientOut(_patients_with_supplies().get(pk=record.pk)).data)


class SuppliesView(BaseView):
    """Supplies made elsewhere."""

    may: ClassVar = {"POST": RECEIVE}

    @extend_schema(
        request=shapes.Supplies,
        responses={201: shapes.PatientOut},
        parameters=CREATES,
        summary="Record supplies made elsewhere",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        patient = self.get_own(Patient.objects.select_related("pharmacy"), pk)
        by, body = self.authorize(patient.pharmacy_id), self.parse_body(shapes.Supplies)

        def do() -> Reply:
            patients.record_history(patient=patient, supplies=body["supplies"], by=by, now=self.now)
            return reply(201, shapes.PatientOut(_patients_with_supplies().get(pk=patient.pk)).data)

        return self.answer_once(by, do)


class DeathView(BaseView):
    """Recording a death."""

    may: ClassVar = {"POST": END}

    @extend_schema(
        request=shapes.Death,
        responses=shapes.PatientOut,
        summary="Record a death: nothing is dispensed or sent any more",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        patient = self.get_own(_patients_with_supplies(), pk)
        by, body = self.authorize(patient.pharmacy_id), self.parse_body(shapes.Death)
        return Response(shapes.PatientOut(patients.record_death(patient=patient, by=by, now=self.now, **body)).data)


class BreakGlassView(BaseView):
    """Records of other pharmacies, in an emergency."""

    may: ClassVar = {"POST": BREAK}

    @extend_schema(
        request=shapes.BreakGlass,
        responses=shapes.EmergencyRecords,
        parameters=[PHARMACY],
        summary="Open a patient's records at other pharmacies, in person and with a reason; each opening stands in both logs",
    )
    def post(self, request: Request) -> Response:
        by, body = authorize_in_person(self, shapes.BreakGlass)
        patients_elsewhere = open_records(by=by, now=self.now, **body)
        records = [read_emergency(patient, now=self.now) for patient in patients_elsewhere]
        return Response(shapes.EmergencyRecords({"records": records}).data)


class PrescribersView(BaseView):
    """The pharmacy's prescribers."""

    may: ClassVar = {"POST": RECEIVE}

    @extend_schema(
        parameters=[_WORDS, *PAGED],
        operation_id="prescribers_list",
        responses=page_of(shapes.PrescriberOut),
        summary="Search prescribers",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        words = _WORDS.read(request)
        rows = find_prescribers(self.pharmacy, words) if words else Prescriber.objects.filter(pharmacy=self.pharmacy)
        return self.paginate(rows, shapes.PrescriberOut, "id", [_WORDS])

    @extend_schema(
        request=shapes.PrescriberRegistration, responses={201: shapes.PrescriberOut}, parameters=CREATES,
        summary="Find a prescriber by number, or make them known",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        by, body = self.authorize(), self.parse_body(shapes.PrescriberRegistration)

        def do() -> Reply:
            prescriber = prescribers.register_prescriber(pharmacy=self.pharmacy, by=by, now=self.now, **body)
            return reply(201, shapes.PrescriberOut(prescriber).data)

        return self.answer_once(by, do)


def _patients_with_supplies() -> QuerySet[Patient]:
    supplies = Prefetch("prior_supplies", PriorSupply.objects.order_by("-dispensed_on", "-id"))
    return Patient.objects.select_related("pharmacy").prefetch_related(supplies, "former_identities")


def _patients_of(pharmacy: Pharmacy) -> QuerySet[Patient]:
    return Patient.objects.filter(pharmacy=pharmacy, joined_to__isnull=True)


def _list_patients(
    view: BaseView, patients_found: QuerySet[Patient], words: str, filters: Sequence[OpenApiParameter] = ()
) -> Response:
    """Return a page of patients; the search, with the number of results, is recorded."""
    by, pharmacy = view.authorize(), view.pharmacy
    answer = view.paginate(patients_found, shapes.PatientShort, "id", filters)
    patients.record_search(pharmacy=pharmacy, words=words, count=len(answer.data["results"]), by=by, now=view.now)
    return answer
