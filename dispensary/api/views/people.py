"""Who is asking, patients, prescribers."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary.actions import patients, prescribers
from dispensary.actions.idempotency import Reply
from dispensary.api.schema import CREATES, IF_MATCH, PAGED, page_of
from dispensary.api.serializers import people as shapes
from dispensary.api.views.base import END, RECEIVE, HouseView, etag, if_match, reply
from dispensary.models import Patient, Prescriber, PriorSupply

_WORDS = OpenApiParameter("q", str, description="a number, or a part of a name")
_NUMBER = OpenApiParameter("identifier", str, description="the pharmacy's own number of a patient")


class MeView(HouseView):
    """The caller."""

    @extend_schema(responses=shapes.Me, summary="Who am I, and where")
    def get(self, request: Request) -> Response:
        members = sorted(self.caller.members.values(), key=lambda member: member.pharmacy.name)
        current = self.caller.asked or (members[0].pharmacy_id if len(members) == 1 else None)
        me = {"username": request.user.get_username(), "pharmacies": members, "current": current}
        return Response(shapes.Me(me).data)


class PatientsView(HouseView):
    """The pharmacy's patients."""

    may: ClassVar = {"POST": RECEIVE}

    @extend_schema(
        parameters=[_NUMBER, *PAGED],
        operation_id="patients_list",
        responses=page_of(shapes.PatientShort),
        summary="Patients; by name through search/",
    )
    def get(self, request: Request) -> Response:
        number = request.query_params.get("identifier", "").strip()[:64]
        return _found(self, Q(identifier=number) if number else Q(), number)

    @extend_schema(
        request=shapes.PatientRegistration,
        responses={201: shapes.PatientOut},
        parameters=CREATES,
        summary="Register a patient",
    )
    def post(self, request: Request) -> Response:
        by, told = self.by(), self.read(shapes.PatientRegistration)

        def do() -> Reply:
            return reply(
                201, shapes.PatientOut(patients.register(pharmacy=self.pharmacy, by=by, now=self.now, **told)).data
            )

        return self.once(by, do)


class PatientSearchView(HouseView):
    """Search by POST, so that no name stands in an address or in anybody's log of addresses."""

    @extend_schema(
        request=shapes.Search, parameters=PAGED, responses=page_of(shapes.PatientShort),
        summary="Search patients by number, or by the beginnings of their names; searching is logged",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        words = self.read(shapes.Search)["words"]
        return _found(self, _names(words) | Q(identifier=words), words)


class PatientView(HouseView):
    """One patient."""

    may: ClassVar = {"PATCH": RECEIVE}

    @extend_schema(
        responses=shapes.PatientOut, summary="A patient with facts and earlier supplies; reading it is logged"
    )
    def get(self, request: Request, pk: UUID) -> Response:
        patient = self.own(_patients(), pk)
        self.looks(patient)
        return Response(shapes.PatientOut(patient).data, headers=etag(patient.version))

    @extend_schema(
        request=shapes.FactChanges,
        responses=shapes.PatientOut,
        parameters=IF_MATCH,
        summary="Record facts, the language of messages, the time zone",
    )
    def patch(self, request: Request, pk: UUID) -> Response:
        patient = self.own(_patients(), pk)
        by, told = self.by(patient.pharmacy_id), self.read(shapes.FactChanges)
        changed = patients.update_facts(
            patient=patient, changes=told.pop("facts", {}), version=if_match(request), by=by, now=self.now, **told
        )
        return Response(shapes.PatientOut(changed).data, headers=etag(changed.version))


class SuppliesView(HouseView):
    """Supplies that a patient got elsewhere."""

    may: ClassVar = {"POST": RECEIVE}

    @extend_schema(
        request=shapes.Supplies,
        responses={201: shapes.PatientOut},
        parameters=CREATES,
        summary="Record supplies made elsewhere",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        patient = self.own(Patient.objects.select_related("pharmacy"), pk)
        by, told = self.by(patient.pharmacy_id), self.read(shapes.Supplies)

        def do() -> Reply:
            patients.record_history(patient=patient, supplies=told["supplies"], by=by, now=self.now)
            return reply(201, shapes.PatientOut(_patients().get(pk=patient.pk)).data)

        return self.once(by, do)


class DeathView(HouseView):
    """A patient has died."""

    may: ClassVar = {"POST": END}

    @extend_schema(
        request=shapes.Death,
        responses=shapes.PatientOut,
        summary="Record a death: nothing is dispensed or sent any more",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        patient = self.own(_patients(), pk)
        by, told = self.by(patient.pharmacy_id), self.read(shapes.Death)
        return Response(shapes.PatientOut(patients.record_death(patient=patient, by=by, now=self.now, **told)).data)


class PrescribersView(HouseView):
    """The pharmacy's prescribers."""

    may: ClassVar = {"POST": RECEIVE}

    @extend_schema(
        parameters=[_WORDS, *PAGED],
        operation_id="prescribers_list",
        responses=page_of(shapes.PrescriberOut),
        summary="Search prescribers",
    )
    def get(self, request: Request) -> Response:
        self.by()
        words = request.query_params.get("q", "").strip()[:120]
        rows = Prescriber.objects.filter(pharmacy=self.pharmacy)
        rows = rows.filter(Q(name__icontains=words) | Q(identifier=words)) if words else rows
        return self.page(rows, shapes.PrescriberOut, "id")

    @extend_schema(
        request=shapes.PrescriberRegistration, responses={201: shapes.PrescriberOut}, parameters=CREATES,
        summary="Find a prescriber by number, or make them known",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        by, told = self.by(), self.read(shapes.PrescriberRegistration)

        def do() -> Reply:
            found = prescribers.register_prescriber(pharmacy=self.pharmacy, by=by, now=self.now, **told)
            return reply(201, shapes.PrescriberOut(found).data)

        return self.once(by, do)


def _patients() -> QuerySet[Patient]:
    supplies = Prefetch("prior_supplies", PriorSupply.objects.order_by("-dispensed_on", "-id"))
    return Patient.objects.select_related("pharmacy").prefetch_related(supplies)


def _found(view: HouseView, wanted: Q, words: str) -> Response:
    """One page of the pharmacy's patients, noted in the log with the words and how many were shown."""
    by, pharmacy = view.by(), view.pharmacy
    answer = view.page(Patient.objects.filter(wanted, pharmacy=pharmacy), shapes.PatientShort, "id")
    patients.searched(pharmacy=pharmacy, words=words, found=len(answer.data["results"]), by=by, now=view.now)
    return answer


def _names(words: str) -> Q:
    """Every word begins the family or a given name."""
    found = Q()
    for word in words.replace(",", " ").split()[:6]:
        found &= Q(family_name__istartswith=word) | Q(given_name__istartswith=word)
    return found
