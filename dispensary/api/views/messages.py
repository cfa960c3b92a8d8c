"""Views of reminders, addresses and consent, the withdrawal-risk list, the worklist."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary import policies, reminders
from dispensary.actions import carers, consent, worklist
from dispensary.actions.idempotency import Reply
from dispensary.actions.letters import print_letter
from dispensary.actions.reminders import send_reminder, withdraw_reminder
from dispensary.actors import Actor
from dispensary.api.fields import Body
from dispensary.api.query import ChoiceParameter
from dispensary.api.schema import CREATES, PAGED, PHARMACY, page_of
from dispensary.api.serializers import messages as shapes
from dispensary.api.views.base import PDF, BaseView, PDFView, Policy, reply
from dispensary.assessment import therapy_of
from dispensary.errors import NotFound
from dispensary.models import (
    Carer,
    ConsentAnswer,
    ConsentSource,
    ContactPoint,
    Dispense,
    Patient,
    Reminder,
    ReminderState,
    WorklistItem,
    WorkState,
)
from dispensary.reminders.reach import addresses_of, media_offered

MESSAGE: tuple[Policy, str, str] = (
    policies.may_send_reminders,
    "change what a patient is sent",
    "staff at the counter",
)
_STATE = ChoiceParameter(
    "state", [state.name.lower() for state in ReminderState], detail="There is no such state.", quotes_value=True
)


class MessagesView(BaseView):
    """The messages of one patient."""

    @extend_schema(responses=shapes.MessagesOut, summary="Addresses, consent and reminders, and why or why not")
    def get(self, request: Request, pk: UUID) -> Response:
        patient = self.get_own(Patient.objects.select_related("pharmacy"), pk)
        self.authorize(patient.pharmacy_id)
        answers = {medium.value: ConsentAnswer.NOT_ASKED.value for medium in media_offered()}
        answers |= {consent_row.medium: consent_row.answer for consent_row in patient.consents.all()}
        addresses = addresses_of(patient)
        messages = {
            "contacts": [address.point for address in addresses],
            "carers": patient.carers.filter(ended_at=None),
            "consents": answers,
            "reminders": patient.reminders.order_by("-due_at")[:100],
            "explanation": reminders.explain(patient=patient, addresses=addresses, now=self.now),
        }
        return Response(shapes.MessagesOut(messages).data)


class ContactsView(BaseView):
    """A patient's addresses."""

    may: ClassVar = {"POST": MESSAGE}

    @extend_schema(
        request=shapes.NewContact, responses={201: shapes.ContactOut}, parameters=CREATES, summary="Record an address"
    )
    def post(self, request: Request, pk: UUID) -> Response:
        patient = self.get_own(Patient.objects.select_related("pharmacy"), pk)
        by, body = self.authorize(patient.pharmacy_id), self.parse_body(shapes.NewContact)

        def do() -> Reply:
            return reply(201, shapes.ContactOut(consent.add_contact(patient=patient, by=by, now=self.now, **body)).data)

        return self.answer_once(by, do)


class ContactEndView(BaseView):
    """Retiring an address."""

    may: ClassVar = {"POST": MESSAGE}
    how = "retire"

    @extend_schema(request=shapes.Nothing, responses=shapes.ContactOut, summary="Use an address no more")
    def post(self, request: Request, pk: UUID) -> Response:
        end = consent.retire_contact if self.how == "retire" else consent.report_wrong_person
        return change_contact(self, pk, end, shapes.Nothing)


class ContactLinkView(BaseView):
    """The links that were sent to an address."""

    may: ClassVar = {"POST": MESSAGE}

    @extend_schema(
        request=shapes.Nothing,
        responses=shapes.ContactOut,
        summary="End every link to the patient's page that was sent to an address; later messages carry a new one",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        return change_contact(self, pk, consent.renew_page_link, shapes.Nothing)


class ContactDetailView(BaseView):
    """How much messages to an address say."""

    may: ClassVar = {"POST": MESSAGE}

    @extend_schema(
        request=shapes.DetailIn,
        responses=shapes.ContactOut,
        summary="Let messages to an address name the medicine and the dose, or not, as the patient chose",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        return change_contact(self, pk, consent.choose_detail, shapes.DetailIn)


def change_contact(view: BaseView, pk: UUID, action: Callable[..., None], shape: type[Body]) -> Response:
    """Change an address of a patient by an action that takes the fields of a body; return it as it stands then."""
    contact = view.get_own(ContactPoint.objects.select_related("patient__pharmacy"), pk, "patient__pharmacy_id")
    by, body = view.authorize(contact.patient.pharmacy_id), view.parse_body(shape)
    action(contact=contact, by=by, now=view.now, **body)
    contact.refresh_from_db()
    return Response(shapes.ContactOut(contact).data)


class ConsentsView(BaseView):
    """A patient's consent to messages."""

    may: ClassVar = {"POST": MESSAGE}

    @extend_schema(request=shapes.Answer, responses={204: None}, summary="Record a yes or a no to one medium")
    def post(self, request: Request, pk: UUID) -> Response:
        patient = self.get_own(Patient.objects.select_related("pharmacy"), pk)
        by, body = self.authorize(patient.pharmacy_id), self.parse_body(shapes.Answer)
        consent.record_answer(
            patient=patient,
            medium=body["medium"],
            answer=body["answer"],
            evidence=body["evidence"],
            source=ConsentSource.COUNTER,
            by=by,
            now=self.now,
        )
        return Response(status=204)


class CarersView(BaseView):
    """A patient's carers."""

    may: ClassVar = {"POST": MESSAGE}

    @extend_schema(
        request=shapes.NewCarer, responses={201: shapes.CarerOut}, parameters=CREATES, summary="Record a carer"
    )
    def post(self, request: Request, pk: UUID) -> Response:
        patient = self.get_own(Patient.objects.select_related("pharmacy"), pk)
        by, body = self.authorize(patient.pharmacy_id), self.parse_body(shapes.NewCarer)

        def do() -> Reply:
            return reply(201, shapes.CarerOut(carers.add_carer(patient=patient, by=by, now=self.now, **body)).data)

        return self.answer_once(by, do)


class CarerAnswerView(BaseView):
    """A carer's own yes or no."""

    may: ClassVar = {"POST": MESSAGE}

    @extend_schema(request=shapes.CarerAnswer, responses=shapes.CarerOut, summary="Record a carer's own yes or no")
    def post(self, request: Request, pk: UUID) -> Response:
        carer, by = find_carer(self, pk)
        answer, source = self.parse_body(shapes.CarerAnswer)["answer"], ConsentSource.COUNTER
        carers.answer_carer(carer=carer, answer=answer, source=source, by=by, now=self.now)
        carer.refresh_from_db()
        return Response(shapes.CarerOut(carer).data)


class CarerEndView(BaseView):
    """The end of a carer's messages."""

    may: ClassVar = {"POST": MESSAGE}

    @extend_schema(request=shapes.Nothing, responses=shapes.CarerOut, summary="Send a carer nothing more")
    def post(self, request: Request, pk: UUID) -> Response:
        carer, by = find_carer(self, pk)
        self.parse_body(shapes.Nothing)
        carers.end_carer(carer=carer, by=by, now=self.now)
        carer.refresh_from_db()
        return Response(shapes.CarerOut(carer).data)


def find_carer(view: BaseView, pk: UUID) -> tuple[Carer, Actor]:
    """Return a carer who gets messages at a pharmacy of the caller, and who is asking. Raises NotFound, NotAllowed."""
    rows = Carer.objects.select_related("patient__pharmacy").filter(ended_at=None)
    carer = view.get_own(rows, pk, "patient__pharmacy_id")
    return carer, view.authorize(carer.patient.pharmacy_id)


class RemindersView(BaseView):
    """The pharmacy's reminders."""

    @extend_schema(
        parameters=[_STATE, *PAGED],
        operation_id="reminders_list",
        responses=page_of(shapes.ReminderOut),
        summary="Reminders, the next due first",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        rows = Reminder.objects.filter(pharmacy=self.pharmacy)
        if request.query_params.get("state") and (state_name := _STATE.read(request)):
            rows = rows.filter(state=ReminderState[state_name.upper()])
        return self.paginate(rows, shapes.ReminderOut, "due_at", [_STATE])


class ReminderActionView(BaseView):
    """Sending or withdrawing a reminder."""

    may: ClassVar = {"POST": MESSAGE}
    how = "send"

    @extend_schema(
        request=shapes.SendNow,
        responses=shapes.ReminderOut,
        parameters=[PHARMACY],
        summary="Send it now, or withdraw it",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        reminder = Reminder.objects.filter(public_id=pk, pharmacy_id__in=self.caller.pharmacy_ids).first()
        if reminder is None:
            raise NotFound("There is no such thing here.")
        by = self.authorize(reminder.pharmacy_id)
        if self.how == "send":
            despite = self.parse_body(shapes.SendNow)["despite_quiet_hours"]
            row = send_reminder(public_id=pk, despite_quiet=despite, by=by, now=self.now)
        else:
            self.parse_body(shapes.Nothing)
            row = withdraw_reminder(public_id=pk, by=by, now=self.now)
        return Response(shapes.ReminderOut(row).data)


class PreviewView(BaseView):
    """Preview of the messages of a dispense."""

    @extend_schema(
        responses=shapes.PreviewOut(many=True), summary="Every message that this dispense will send, as it will read"
    )
    def get(self, request: Request, pk: UUID) -> Response:
        dispense = self.get_own(Dispense.objects.select_related("patient__pharmacy"), pk)
        self.authorize(dispense.pharmacy_id)
        patient = dispense.person
        therapy = therapy_of(patient, patient.pharmacy.local_day(self.now))
        previews = reminders.preview(therapy=therapy, patient=patient, now=self.now)
        return Response(shapes.PreviewOut(previews, many=True).data)


class RiskView(BaseView):
    """Patients whose supply ends or has ended."""

    @extend_schema(parameters=[PHARMACY], responses=shapes.AtRiskOut(many=True), summary="Withdrawal risk, worst first")
    def get(self, request: Request) -> Response:
        self.authorize()
        patients_at_risk = reminders.withdrawal_risk(pharmacy=self.pharmacy, now=self.now)
        return Response(shapes.AtRiskOut(patients_at_risk, many=True).data)


class WorkView(BaseView):
    """Open work for people."""

    @extend_schema(
        operation_id="work_list",
        parameters=PAGED,
        responses=page_of(shapes.WorkOut),
        summary="Open work, the most urgent first",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        rows = WorklistItem.objects.filter(pharmacy=self.pharmacy).exclude(state=WorkState.RESOLVED)
        return self.paginate(rows.select_related("reminder"), shapes.WorkOut, "due_by")


class WorkResolveView(BaseView):
    """Closing a piece of work."""

    may: ClassVar = {"POST": MESSAGE}

    @extend_schema(request=shapes.Resolved, responses=shapes.WorkOut, summary="Close a piece of work")
    def post(self, request: Request, pk: UUID) -> Response:
        item = self.get_own(WorklistItem.objects.all(), pk)
        by = self.authorize(item.pharmacy_id)
        done = worklist.resolve_work(item_id=pk, by=by, now=self.now, **self.parse_body(shapes.Resolved))
        return Response(shapes.WorkOut(done).data)


class WorkPutOffView(BaseView):
    """Putting a piece of work off."""

    may: ClassVar = {"POST": MESSAGE}

    @extend_schema(request=shapes.PutOff, responses=shapes.WorkOut, summary="Put a piece of work off")
    def post(self, request: Request, pk: UUID) -> Response:
        item = self.get_own(WorklistItem.objects.all(), pk)
        by = self.authorize(item.pharmacy_id)
        done = worklist.put_off_work(item_id=pk, by=by, now=self.now, **self.parse_body(shapes.PutOff))
        return Response(shapes.WorkOut(done).data)


class LetterView(PDFView):
    """A letter about a piece of work."""

    may: ClassVar = {"POST": MESSAGE}

    @extend_schema(
        request=shapes.LetterIn,
        responses=PDF,
        summary="Print a letter about a piece of work, as PDF; the print is recorded, the address is not kept",
    )
    def post(self, request: Request, pk: UUID) -> HttpResponse:
        item = self.get_own(WorklistItem.objects.all(), pk)
        by, body = self.authorize(item.pharmacy_id), self.parse_body(shapes.LetterIn)
        return self.answer(print_letter(item_id=pk, by=by, now=self.now, **body), "letter.pdf")
