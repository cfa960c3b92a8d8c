"""Views of exports that a worker prepares, of a patient's file, and of trials of another limit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.http import FileResponse, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary import policies
from dispensary.actions import limit_trials, long_exports, subject_files
from dispensary.actions.idempotency import Reply
from dispensary.actions.long_exports import EXPORT_PERSON
from dispensary.actions.record_tables import RecordKind
from dispensary.actors import Actor
from dispensary.api.schema import CREATES, PAGED, PHARMACY, page_of
from dispensary.api.serializers import exports as shapes
from dispensary.api.serializers.staff import InPerson
from dispensary.api.signing import authorize_in_person
from dispensary.api.views.audit import AnyKind
from dispensary.api.views.base import BaseView, Policy, reply
from dispensary.audit.evidence import answers
from dispensary.audit.log.search import Filters
from dispensary.errors import Conflict
from dispensary.models import LimitTrial, LogExport, Patient, Pharmacy, SubjectRequest

_EXPORT: tuple[Policy, str, str] = (policies.may_read_log, "export the audit log", "an auditor or manager")
_EXPORT_RECORDS: tuple[Policy, str, str] = (policies.may_export_records, "export records", "a manager in person")
_DECIDE_FILE: tuple[Policy, str, str] = (policies.may_decide_file, *EXPORT_PERSON)
_READ_FILE: tuple[Policy, str, str] = (policies.may_read_file, *subject_files.READ_FILE)
_TRY: tuple[Policy, str, str] = (policies.may_read_log, "try a limit on recorded decisions", "an auditor or manager")
ZIP = {(200, "application/zip"): OpenApiTypes.BINARY}


class ExportsView(BaseView):
    """Tables of answers."""

    may: ClassVar = {"GET": _EXPORT, "POST": _EXPORT}

    @extend_schema(
        parameters=[PHARMACY],
        operation_id="audit_exports_list",
        responses=shapes.ExportOut(many=True),
        summary="Exports that are being prepared or whose file is still there, newest first",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        rows = long_exports.list_exports(self.pharmacy, self.now)
        return Response(shapes.ExportOut(rows, many=True).data)

    @extend_schema(
        request=shapes.AnswersExportIn,
        responses={202: shapes.ExportOut},
        parameters=CREATES,
        summary="Have a table of answers to findings prepared, as CSV with its dictionary",
    )
    def post(self, request: Request) -> Response:
        by, body = self.authorize(), self.parse_body(shapes.AnswersExportIn)
        purpose, actions = body.pop("purpose"), answers.EVENTS[body.pop("answers")]
        since, until = find_edges(self.pharmacy, body)
        filters = Filters(
            since=since,
            until=until,
            actions=actions,
            reason=body.get("mitigation", ""),
            rule=body.get("rule", ""),
            actor=body.get("actor", ""),
            patient=str(body.get("patient", "")),
            text=body.get("text", ""),
        )

        def do() -> Reply:
            export = long_exports.request_export(
                pharmacy=self.pharmacy, filters=filters, purpose=purpose, by=by, now=self.now
            )
            return reply(202, shapes.ExportOut(export).data)

        return self.answer_once(by, do)


class RecordsExportView(BaseView):
    """Tables of records."""

    may: ClassVar = {"POST": _EXPORT_RECORDS}

    @extend_schema(
        request=shapes.RecordsExportIn,
        responses={202: shapes.ExportOut},
        parameters=[PHARMACY],
        summary="Have a table of orders, hand-overs or findings prepared, as CSV and NDJSON with their dictionary",
    )
    def post(self, request: Request) -> Response:
        by, body = authorize_in_person(self, shapes.RecordsExportIn)
        since, until = find_edges(self.pharmacy, body)
        export = long_exports.request_records(
            kind=RecordKind(body["table"]), pharmacy=self.pharmacy, since=since, until=until, purpose=body["purpose"],
            by=by, now=self.now,
        )  # fmt: skip
        return Response(shapes.ExportOut(export).data, 202)


class LogExportView(BaseView):
    """One export."""

    may: ClassVar = {"GET": _EXPORT}

    @extend_schema(parameters=[PHARMACY], responses=shapes.ExportOut, summary="How far an export is")
    def get(self, request: Request, pk: UUID) -> Response:
        export = self.get_own(long_exports.select_exports(), pk)
        self.authorize(export.pharmacy_id)
        return Response(shapes.ExportOut(export).data)


class ExportFileView(BaseView):
    """The file of an export."""

    may: ClassVar = {"GET": _EXPORT, "POST": _EXPORT}
    content_negotiation_class = AnyKind

    @extend_schema(
        parameters=[PHARMACY],
        responses=ZIP,
        summary="The file of an export of answers; opening it is recorded",
    )
    def get(self, request: Request, pk: UUID) -> FileResponse:
        export = self.get_own(long_exports.select_exports(), pk)
        return self._send(export, self.authorize(export.pharmacy_id))

    @extend_schema(
        request=InPerson,
        parameters=[PHARMACY],
        responses=ZIP,
        summary="The file of any export, also of records, which no token opens alone; opening it is recorded",
    )
    def post(self, request: Request, pk: UUID) -> FileResponse:
        export = self.get_own(long_exports.select_exports(), pk)
        by, _ = authorize_in_person(self, InPerson, export.pharmacy_id)
        return self._send(export, by)

    def _send(self, export: LogExport, by: Actor) -> FileResponse:
        file = long_exports.open_export(export_id=export.pk, by=by, now=self.now)
        return FileResponse(
            file, as_attachment=True, filename=f"{export.table}-{export.pk}.zip", content_type="application/zip"
        )


class PatientFileView(BaseView):
    """The request for a patient's file."""

    may: ClassVar = {"POST": _DECIDE_FILE}

    @extend_schema(
        request=shapes.FileRequestIn,
        parameters=[PHARMACY],
        responses={202: shapes.FileRequestOut},
        summary="Have the file prepared that a patient asked for about themselves; another manager releases it",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        patient = self.get_own(Patient.objects.all(), pk)
        by, body = authorize_in_person(self, shapes.FileRequestIn, patient.pharmacy_id)
        asked = subject_files.request_file(patient_id=pk, by=by, now=self.now, **body)
        return Response(shapes.FileRequestOut(asked).data, 202)


class FileRequestsView(BaseView):
    """Requests for patients' files."""

    may: ClassVar = {"GET": _EXPORT}

    @extend_schema(
        parameters=PAGED,
        operation_id="audit_files_list",
        responses=page_of(shapes.FileRequestOut),
        summary="Requests for patients' files, newest first",
    )
    def get(self, request: Request) -> Response:
        by = self.authorize()
        return self.paginate(subject_files.list_requests(by), shapes.FileRequestOut, "-requested_at")


class FileRequestView(BaseView):
    """One request for a patient's file."""

    may: ClassVar = {"GET": _EXPORT, "POST": _DECIDE_FILE}

    @extend_schema(parameters=[PHARMACY], responses=shapes.FileRequestOut, summary="The state of a request")
    def get(self, request: Request, pk: UUID) -> Response:
        asked = self.get_own(SubjectRequest.objects.select_related("patient"), pk)
        self.authorize(asked.pharmacy_id)
        return Response(shapes.FileRequestOut(asked).data)

    @extend_schema(
        request=InPerson,
        parameters=[PHARMACY],
        responses=shapes.PreparedFile,
        summary="What was prepared, for who decides; reading it is recorded",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        asked = self.get_own(SubjectRequest.objects.all(), pk)
        by, _ = authorize_in_person(self, InPerson, asked.pharmacy_id)
        prepared = subject_files.read_prepared(request_id=pk, by=by, now=self.now)
        if prepared is None:
            raise Conflict("This file is not ready yet.")
        return Response(shapes.PreparedFile(prepared).data)


class FileReleaseView(BaseView):
    """The release of a file."""

    may: ClassVar = {"POST": _DECIDE_FILE}

    @extend_schema(
        request=shapes.FileRelease,
        parameters=[PHARMACY],
        responses=shapes.FileRequestOut,
        summary="Release a file as another manager than who asked for it, having read what was prepared",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        asked = self.get_own(SubjectRequest.objects.all(), pk)
        by, body = authorize_in_person(self, shapes.FileRelease, asked.pharmacy_id)
        released = subject_files.release_file(request_id=pk, by=by, now=self.now, **body)
        return Response(shapes.FileRequestOut(released).data)


class FileRefusalView(BaseView):
    """The refusal of a file."""

    may: ClassVar = {"POST": _DECIDE_FILE}

    @extend_schema(
        request=shapes.FileRefusal,
        parameters=[PHARMACY],
        responses=shapes.FileRequestOut,
        summary="Refuse to release a file, with the reason; what was prepared is deleted",
    )
    def post(self, request: Request, pk: UUID) -> Response:
        asked = self.get_own(SubjectRequest.objects.all(), pk)
        by, body = authorize_in_person(self, shapes.FileRefusal, asked.pharmacy_id)
        refused = subject_files.refuse_file(request_id=pk, by=by, now=self.now, **body)
        return Response(shapes.FileRequestOut(refused).data)


class ReleasedFileView(BaseView):
    """The released file."""

    may: ClassVar = {"POST": _READ_FILE}
    content_negotiation_class = AnyKind

    @extend_schema(
        request=InPerson,
        parameters=[PHARMACY],
        responses=ZIP,
        summary="The released file as JSON with its schema, and as PDF; opening it is recorded",
    )
    def post(self, request: Request, pk: UUID) -> HttpResponse:
        asked = self.get_own(SubjectRequest.objects.all(), pk)
        by, _ = authorize_in_person(self, InPerson, asked.pharmacy_id)
        content = subject_files.open_file(request_id=pk, by=by, now=self.now)
        return HttpResponse(content, content_type="application/zip")


class TrialLinesView(BaseView):
    """Numbers of the profile that can be tried."""

    may: ClassVar = {"GET": _TRY}

    @extend_schema(
        parameters=[PHARMACY],
        responses=shapes.TrialLine(many=True),
        summary="The numbers of the pharmacy's profile that can be tried",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        lines = limit_trials.changeable_lines(self.pharmacy, self.pharmacy.local_day(self.now))
        return Response(shapes.TrialLine(lines, many=True).data)


class TrialsView(BaseView):
    """Trials of another limit."""

    may: ClassVar = {"GET": _TRY, "POST": _TRY}

    @extend_schema(
        parameters=PAGED,
        operation_id="audit_trials_list",
        responses=page_of(shapes.TrialOut),
        summary="Trials of another limit on recorded decisions, newest first",
    )
    def get(self, request: Request) -> Response:
        self.authorize()
        return self.paginate(LimitTrial.objects.filter(pharmacy=self.pharmacy), shapes.TrialOut, "-requested_at")

    @extend_schema(
        request=shapes.TrialIn,
        responses={202: shapes.TrialOut},
        parameters=CREATES,
        summary="Ask recorded decisions again with another number; the profile stays as it is",
    )
    def post(self, request: Request) -> Response:
        by, body = self.authorize(), self.parse_body(shapes.TrialIn)

        def do() -> Reply:
            trial = limit_trials.request_trial(pharmacy=self.pharmacy, by=by, now=self.now, **body)
            return reply(202, shapes.TrialOut(trial).data)

        return self.answer_once(by, do)


class TrialView(BaseView):
    """One trial."""

    may: ClassVar = {"GET": _TRY}

    @extend_schema(parameters=[PHARMACY], responses=shapes.TrialOut, summary="How far a trial is, or its result")
    def get(self, request: Request, pk: UUID) -> Response:
        trial = self.get_own(LimitTrial.objects.all(), pk)
        self.authorize(trial.pharmacy_id)
        return Response(shapes.TrialOut(trial).data)


def find_edges(pharmacy: Pharmacy, body: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """Return the first moment of the first day, and the first after the last day, of those that a body has."""
    since, until = body.get("since"), body.get("until")
    return since and pharmacy.span_of(since, since)[0], until and pharmacy.span_of(until, until)[1]
