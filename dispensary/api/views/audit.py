"""The audit log, for auditors and managers of a pharmacy: search, one entry, checkpoints, export. Reading is recorded."""

from __future__ import annotations

from collections.abc import Iterator
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
from dispensary.actions.logbook import Export, Shape
from dispensary.actors import Actor
from dispensary.api.schema import PHARMACY
from dispensary.api.serializers import audit as shapes
from dispensary.api.views.base import HouseView
from dispensary.audit.evidence import bundle, export, proof
from dispensary.audit.evidence.export import Scope
from dispensary.audit.log.search import Filters
from dispensary.errors import NotFound
from dispensary.models import AuditCheckpoint, AuditEntry, AuditLog

_KINDS = {
    Shape.BUNDLE: ("application/zip", "zip"),
    Shape.CSV: ("text/csv; charset=utf-8", "csv"),
    Shape.FHIR: ("application/fhir+ndjson", "ndjson"),
}


class LogView(HouseView):
    """The base of these views: who reads which logs."""

    @property
    def readers(self) -> list[Actor]:
        """The caller at each pharmacy whose log they may read. Raises `NotAllowed` when there is none."""
        actors = [self.caller.actor(pharmacy) for pharmacy in self.caller.pharmacy_ids]
        readers = [actor for actor in actors if policies.may_read_log(actor)]
        policies.require(bool(readers), actors[0], "read the audit log", "an auditor or manager")
        return readers

    def reader_of(self, log_id: UUID) -> tuple[AuditLog, Actor]:
        """A log and the caller where it is kept. Another pharmacy's is as absent as none."""
        by = {actor.pharmacy_id: actor for actor in self.readers}
        log = AuditLog.objects.filter(log_id=log_id, pharmacy__in=list(by)).first()
        if log is None:
            raise NotFound("There is no such log here.")
        return log, by[log.pharmacy]

    def asked(self, query: type[shapes.Query]) -> dict[str, Any]:
        """The checked parameters of the address."""
        checked = query(data=self.request.query_params)
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)


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
    """What a log signed about itself."""

    @extend_schema(
        parameters=[shapes.CheckpointsQuery],
        responses=shapes.CheckpointOut(many=True),
        summary="Signed checkpoints, smallest first; keep them elsewhere",
    )
    def get(self, request: Request, pk: UUID) -> Response:
        log, _ = self.reader_of(pk)
        asked = self.asked(shapes.CheckpointsQuery)
        rows = AuditCheckpoint.objects.filter(log_id=log.log_id, size__gt=asked.get("after", -1)).order_by("size")
        return Response(shapes.CheckpointOut(rows[: asked["limit"]], many=True).data)


class EntriesView(LogView):
    """Search."""

    @extend_schema(
        operation_id="audit_entries_search",
        parameters=[PHARMACY, shapes.SearchQuery],
        responses=shapes.EntriesOut,
        summary="Search the log, newest first; each search is recorded",
    )
    def get(self, request: Request) -> Response:
        readers, asked = self.readers, self.asked(shapes.SearchQuery)
        cursor, limit, counted = asked.pop("cursor", ""), asked.pop("limit"), asked.pop("counted")
        filters = Filters(actions=tuple(sorted(asked.pop("action", ()))), **asked)
        found = logbook.search(filters=filters, by=readers, now=self.now, cursor=cursor, limit=limit, counted=counted)
        lines = audit.lines(found.page.entries, *(actor.pharmacy_id for actor in readers))
        answer = {"results": lines, "next": self._next(found.page.next), "count": found.count}
        return Response(shapes.EntriesOut(answer).data)

    def _next(self, cursor: str) -> str | None:
        if not cursor:
            return None
        parameters = self.request.query_params.copy()
        parameters["cursor"] = cursor
        return self.request.build_absolute_uri(f"{self.request.path}?{parameters.urlencode()}")


class EntryView(LogView):
    """One entry."""

    @extend_schema(responses=shapes.EntryWithBody, summary="An entry with its details; reading it is recorded")
    def get(self, request: Request, pk: UUID) -> Response:
        line = logbook.open_entry(entry_id=pk, by=self.readers, now=self.now)
        return Response(shapes.EntryWithBody(line).data)


class ProofView(LogView):
    """One entry with what proves it."""

    @extend_schema(
        parameters=[shapes.ProofQuery],
        responses={(200, "application/json"): OpenApiTypes.OBJECT},
        summary="Prove one entry: the entry, a signed checkpoint and the hashes between; `verify.py` checks it anywhere",
    )
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        asked = self.asked(shapes.ProofQuery)
        made = logbook.prove(entry_id=pk, size=asked.get("size"), by=self.readers, now=self.now)
        headers = {
            "Content-Disposition": f'attachment; filename="entry-{made.seq}-proof.json"',
            "Cache-Control": "no-store",
        }
        content = proof.prove(made.log, made.seq, made.size)
        return HttpResponse(content, content_type="application/json", headers=headers)


class AnyKind(BaseContentNegotiation):
    """The shape is asked for by `shape`, not by Accept; what Accept says is nothing to refuse an export for."""

    def select_parser(self, request: Request, parsers: list[Any]) -> Any:
        """The only one."""
        return parsers[0]

    def select_renderer(self, request: Request, renderers: list[Any], format_suffix: str | None = None) -> Any:
        """The one for errors."""
        return renderers[0], renderers[0].media_type


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
        asked = self.asked(shapes.ExportQuery)
        scope = Scope(log.log_id, asked["first"], asked.get("last"))
        made = logbook.export(scope=scope, shape=Shape(asked["shape"]), by=by, now=self.now, reason=asked["reason"])
        kind, ending = _KINDS[made.shape]
        name = f"audit-{made.scope.first}-{made.scope.last}.{ending}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingHttpResponse(self._content(made), content_type=kind, headers=headers)

    def _content(self, made: Export) -> Iterator[bytes]:
        """The file's bytes, read from one snapshot while they are sent."""
        with export.snapshot(made.log):
            if made.shape is Shape.BUNDLE:
                yield from bundle.zip_bundle(export.make_bundle(made.log, made.scope, now=self.now))
                return
            entries = export.lines(made.log, made.scope.first, made.scope.last or 0)
            yield from (
                export.encode_csv(entries) if made.shape is Shape.CSV else export.encode_fhir(made.log.origin, entries)
            )
