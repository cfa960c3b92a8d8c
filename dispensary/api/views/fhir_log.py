"""The log as FHIR AuditEvents, for auditors and managers. Each search and each reading is recorded in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary.actions import logbook
from dispensary.api.fhir.search import DateParameter
from dispensary.api.query import refuse_unknown
from dispensary.api.schema import PHARMACY
from dispensary.api.views.audit import LogView
from dispensary.api.views.fhir import JSON_KINDS, RESOURCE, FHIRView
from dispensary.api.views.fhir_records import (
    LISTED_BY,
    OF_RESULTS,
    RESULTS,
    SEARCHSET,
    FHIRSearchView,
    PostedSearchView,
    read_count,
    render_version,
    searchset,
    version_of,
)
from dispensary.audit.evidence.fhir import RESOURCES, event_of_entry
from dispensary.audit.log.search import PAGE, Filters
from dispensary.errors import InvalidInput, Problem

SUBJECTS = {resource: kind for kind, resource in RESOURCES.items()}
PARAMETERS = {
    "patient": "reference",
    "entity": "reference",
    "date": "date",
    "_lastUpdated": "date",
    "agent-name": "string",
    "subtype": "token",
}
"""The search parameters with their types."""
SORTS = ("-date", "-_lastUpdated")
"""The one sequence in which the log is searched: newest first."""
_DESCRIPTIONS = {
    "patient": "whom it is about",
    "entity": "what it is about, as MedicationDispense/<id>",
    "date": "when it was recorded; ge, gt, le, lt or a whole day, month or year",
    "_lastUpdated": "the same",
    "agent-name": 'who did it, such as "user:42"',
    "subtype": 'the event, such as "dispense.completed"',
}


class AuditEventView(FHIRView, LogView):
    """One entry."""

    @extend_schema(
        operation_id="fhir_AuditEvent_read",
        responses={**{(200, kind): RESOURCE for kind in JSON_KINDS}, 304: None},
        summary="An entry of the log; reading it is recorded",
    )
    def get(self, request: Request, pk: UUID) -> Response:
        line = logbook.open_entry(entry_id=pk, by=self.readers, now=self.now)
        event = version_of(event_of_entry(line.entry), line.entry.recorded_at)
        return render_version(request, event, line.entry.recorded_at)


@extend_schema_view(
    get=extend_schema(
        operation_id="fhir_AuditEvent_search",
        parameters=[
            PHARMACY,
            *(OpenApiParameter(name, str, description=_DESCRIPTIONS[name]) for name in PARAMETERS),
            OpenApiParameter("_sort", str, enum=SORTS),
            *OF_RESULTS,
        ],
        responses={(200, kind): SEARCHSET for kind in JSON_KINDS},
        summary="Search the log, newest first; each search is recorded",
    )
)
class AuditEventSearchView(FHIRSearchView, LogView):
    """A search of the log."""

    def search(self, query: QueryDict) -> Response:
        """Return the Bundle of the entries that have these parameters."""
        readers = self.readers
        refuse_unknown(query, [*PARAMETERS, "_sort", *RESULTS], LISTED_BY)
        if query.get("_sort", SORTS[0]) not in SORTS:
            problem = Problem("_sort", "another order", f"{' or '.join(SORTS)}: the log is searched newest first")
            raise InvalidInput("This search cannot be answered.", problem)
        zone = ZoneInfo(self.caller.members[readers[0].pharmacy_id].pharmacy.time_zone)
        search_result = logbook.search(
            filters=_read_filters(query, zone), by=readers, now=self.now,
            cursor=query.get("_cursor", ""), limit=read_count(query) or PAGE,
        )  # fmt: skip
        entries = [
            (version_of(event_of_entry(entry), entry.recorded_at), "match") for entry in search_result.page.entries
        ]
        return Response(searchset(entries, self.request, query, search_result.page.next))


class PostedAuditEventSearchView(PostedSearchView, AuditEventSearchView):
    """A search of the log by POST."""


def _read_filters(query: QueryDict, zone: ZoneInfo) -> Filters:
    """Return the filters of the log. Raises `InvalidInput`."""
    kind, _, subject_id = query.get("entity", "").rpartition("/")
    if kind not in {"", *SUBJECTS} or (subject_id and not kind):
        problem = Problem("entity", "another value", f"an id after one of {', '.join(f'{name}/' for name in SUBJECTS)}")
        raise InvalidInput("This search cannot be answered.", problem)
    since, until = _read_period([*query.getlist("date"), *query.getlist("_lastUpdated")], zone)
    subtype = query.get("subtype", "").rpartition("|")[2]
    return Filters(
        since=since,
        until=until,
        actions=(subtype,) if subtype else (),
        actor=query.get("agent-name", ""),
        patient=query.get("patient", "").removeprefix("Patient/"),
        subject_type=SUBJECTS.get(kind, ""),
        subject_id=subject_id,
    )


def _read_period(texts: Iterable[str], zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """Return from when, and before when, the entries of all the dates were recorded."""
    parameter = DateParameter("date")
    since: list[datetime] = []
    until: list[datetime] = []
    for text in texts:
        prefix, first, after = parameter.read_interval(text, zone)
        match prefix:
            case "eq":
                since.append(first)
                until.append(after)
            case "ge":
                since.append(first)
            case "gt" | "sa":
                since.append(after)
            case "lt" | "eb":
                until.append(first)
            case "le":
                until.append(after)
            case _:
                raise parameter.refuse("a date after one of eq, lt, le, gt, ge, sa, eb or nothing")
    return max(since, default=None), min(until, default=None)
