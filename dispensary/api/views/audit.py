"""Views of the audit log for auditors and managers: search, entries, checkpoints, export. Reading is recorded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Max
from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary import audit, policies
from dispensary.actions import logbook
from dispensary.actors import Actor
from dispensary.api.schema import PHARMACY
from dispensary.api.serializers import audit as shapes
from dispensary.api.views.base import BaseView
from dispensary.audit.evidence import export, proof
from dispensary.audit.evidence.export import Scope, Shape
from dispensary.audit.log import reader
from dispensary.audit.log.search import Filters
from dispensary.errors import NotFound
from dispensary.models import AuditCheckpoint, AuditEntry, AuditLog


class LogView(BaseView):
    """The base of these views: the logs that the caller may read."""

    @property
    def readers(self) -> list[Actor]:
        """The caller's actor at each pharmacy whose log they may read. Raises `NotAllowed` when there is none."""
        actors = [self.caller.actor(pharmacy) for pharmacy in self.caller.pharmacy_ids]
        readers = [actor for actor in actors if policies.may_read_log(actor)]
        policies.require(bool(readers), actors[0], "read the audit log", "an auditor or manager")
        return readers

    def reader_of(self, log_id: UUID) -> tuple[AuditLog, Actor]:
        """Return a log and the actor who may read it. Raises `NotFound`, for another pharmacy's log too."""
        readers_by_pharmacy = {actor.pharmacy_id: actor for actor in self.readers}
        log = AuditLog.objects.filter(log_id=log_id, pharmacy__in=list(readers_by_pharmacy)).first()
        if log is None:
            raise NotFound("There is no such log here.")
        return log, readers_by_pharmacy[log.pharmacy]

    def address_of(self, cursor: str) -> str | None:
        """Return the address of the page at a cursor, with the parameters of this request; None without one."""
        if not cursor:
            return None
        parameters = self.request.query_params.copy()
        parameters["cursor"] = cursor
        return self.request.build_absolute_uri(f"{self.request.path}?{parameters.urlencode()}")


class LogsView(LogView):
    """The logs that the caller may read."""

    @extend_schema(
        responses=shapes.LogOut(many=True), parameters=[PHARMACY], summary="Logs, each with its newest checkpoint"
    )
    def get(self, request: Request) -> Response:
        logs = list(
            AuditLog.objects.filter(pharmacy__in=[actor.pharmacy_id for actor in self.readers]).order_by("origin")
        )
        for log in logs:
            log.entries = AuditEntry.objects.filter(log_id=log.log_id).aggregate(Max("seq"))["seq__max"] or 0
            log.checkpoint = AuditCheckpoint.objects.filter(log_id=log.log_id).order_by("-size").first()
        return Response(shapes.LogOut(logs, many=True).data)


class CheckpointsView(LogView):
    """Signed checkpoints of a log."""

    @extend_schema(
        parameters=[shapes.CheckpointsQuery],
        responses=shapes.CheckpointOut(many=True),
        summary="Signed checkpoints, smallest first; keep them elsewhere",
    )
    def get(self, request: Request, pk: UUID) -> Response:
        log, _ = self.reader_of(pk)
        query = self.parse_query(shapes.CheckpointsQuery)
        rows = AuditCheckpoint.objects.filter(log_id=log.log_id, size__gt=query.get("after", -1)).order_by("size")
        return Response(shapes.CheckpointOut(rows[: query["limit"]], many=True).data)


class EntriesView(LogView):
    """Search of the log."""

    @extend_schema(
        operation_id="audit_entries_search",
        parameters=[PHARMACY, shapes.SearchQuery],
        responses=shapes.EntriesOut,
        summary="Search the log, newest first; each search is recorded",
    )
    def get(self, request: Request) -> Response:
        readers, query = self.readers, self.parse_query(shapes.SearchQuery)
        cursor, limit, counted = query.pop("cursor", ""), query.pop("limit"), query.pop("counted")
        filters = Filters(actions=tuple(sorted(query.pop("action", ()))), **query)
        search_result = logbook.search(
            filters=filters, by=readers, now=self.now, cursor=cursor, limit=limit, counted=counted
        )
        lines = reader.recheck(audit.lines(search_result.page.entries, *(actor.pharmacy_id for actor in readers)))
        answer = {"results": lines, "next": self.address_of(search_result.page.next), "count": search_result.count}
        return Response(shapes.EntriesOut(answer).data)


class EntryView(LogView):
    """One entry."""

    @extend_schema(responses=shapes.EntryWithBody, summary="An entry with its details; reading it is recorded")
    def get(self, request: Request, pk: UUID) -> Response:
        (line,) = reader.recheck([logbook.open_entry(entry_id=pk, by=self.readers, now=self.now)])
        return Response(shapes.EntryWithBody(line).data)


class ProofView(LogView):
    """One entry with its proof."""

    @extend_schema(
        parameters=[shapes.ProofQuery],
        responses={(200, "application/json"): OpenApiTypes.OBJECT},
        summary="Prove one entry: the entry, a signed checkpoint and the hashes between; `verify.py` checks it anywhere",
    )
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        query = self.parse_query(shapes.ProofQuery)
        provable = logbook.prove(entry_id=pk, size=query.get("size"), by=self.readers, now=self.now)
        headers = {
            "Content-Disposition": f'attachment; filename="entry-{provable.seq}-proof.json"',
        }
        content = proof.prove(provable.log, provable.seq, provable.size)
        return HttpResponse(content, content_type="application/json", headers=headers)


class AnyKind(BaseContentNegotiation):
    """Negotiation that ignores the Accept header, for a file whose format does not depend on it."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        """Return the only parser."""
        return next(iter(parsers))

    def select_renderer(self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None) -> Any:
        """Return the renderer of errors."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class ExportView(LogView):
    """Part of a log as a file."""

    content_negotiation_class = AnyKind

    @extend_schema(
        parameters=[shapes.ExportQuery],
        responses={
            (200, "application/zip"): OpenApiTypes.BINARY,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/fhir+ndjson"): OpenApiTypes.STR,
        },
        summary="Export part of a log: evidence bundle, CSV or FHIR R4 AuditEvents; recorded before it begins",
    )
    def get(self, request: Request, pk: UUID) -> StreamingHttpResponse:
        log, by = self.reader_of(pk)
        query = self.parse_query(shapes.ExportQuery)
        scope = Scope(log.log_id, query["first"], query.get("last"))
        exported = logbook.export(scope=scope, shape=Shape(query["shape"]), by=by, now=self.now, reason=query["reason"])
        kind, ending = export.KINDS[exported.shape]
        name = f"audit-{exported.scope.first}-{exported.scope.last}.{ending}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        content = export.stream_file(exported.log, exported.scope, exported.shape, now=self.now)
        return StreamingHttpResponse(content, content_type=kind, headers=headers)
