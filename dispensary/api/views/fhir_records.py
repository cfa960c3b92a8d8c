"""Reading and searching of FHIR resources."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.utils.http import http_date
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from dispensary.actions import patients
from dispensary.api.fhir.kinds import KINDS, Kind
from dispensary.api.fhir.paging import read_page
from dispensary.api.query import refuse_unknown
from dispensary.api.schema import PHARMACY
from dispensary.api.views.base import Page
from dispensary.api.views.fhir import JSON_KINDS, RESOURCE, FHIRView
from dispensary.api.wire import SearchFormParser
from dispensary.errors import InvalidInput, NotFound, Problem

LISTED_BY = "GET /api/v1/fhir/metadata lists them."
RESULTS = ("_count", "_cursor", "_format")
"""Parameters of the answer itself, of every search."""
SEARCHSET = {"type": "object", "description": "A FHIR R4 Bundle of the type searchset.", "required": ["resourceType"]}


class RecordView(FHIRView):
    """One resource."""

    kind: ClassVar[Kind]

    def get(self, request: Request, pk: str) -> Response:
        condition = self.kind.find(pk)
        row = None
        if condition is not None:
            own = {f"{self.kind.pharmacy}__in": self.caller.pharmacy_ids}
            row = self.kind.rows().filter(condition, **own).first()
        if row is None:
            raise NotFound("There is no such thing here.")
        if (patient := self.kind.patient_of(row)) is not None:
            self.record_reading(patient, None if row == patient else row)
        return render_version(request, versioned(self.kind, row, self.now), self.kind.changed_at(row))


class FHIRSearchView(FHIRView):
    """The base of searches, answered with a Bundle."""

    @abstractmethod
    def search(self, query: QueryDict) -> Response:
        """Return the Bundle of the resources that have these parameters."""

    def get(self, request: Request) -> Response:
        return self.search(request.query_params)


@extend_schema(exclude=True)
class PostedSearchView(FHIRSearchView):
    """The base of searches by POST: their parameters are those of a form and of the address."""

    parser_classes: ClassVar[list[type[BaseParser]]] = [SearchFormParser]
    http_method_names: ClassVar = ["post", "options"]

    def post(self, request: Request) -> Response:
        query = request.query_params.copy()
        query.update(request.data)
        return self.search(query)


class SearchView(FHIRSearchView):
    """A search for resources of one type."""

    kind: ClassVar[Kind]

    def search(self, query: QueryDict) -> Response:
        """Return the Bundle of the resources that have these parameters."""
        by = self.authorize()
        kind = self.kind
        parameters = {parameter.name: parameter for parameter in kind.all_parameters()}
        refuse_unknown(query, [*parameters, "_sort", *RESULTS, *(["_include"] if kind.includes else [])], LISTED_BY)
        rows = kind.rows().filter(**{kind.pharmacy: self.pharmacy.pk})
        zone = ZoneInfo(self.pharmacy.time_zone)
        for name in query:
            for text in query.getlist(name) if name in parameters else ():
                rows = rows.filter(parameters[name].read(text, zone))
        matches, cursor = read_page(
            rows,
            sort=_read_sort(query, kind),
            count=read_count(query) or Page.page_size,
            cursor=query.get("_cursor", ""),
        )
        patients.record_search(
            pharmacy=self.pharmacy, words=f"{kind.name}?{query.urlencode()}", count=len(matches), by=by, now=self.now
        )
        included = list(self._find_included(matches, query.getlist("_include")))
        entries = [(versioned(kind, row, self.now), "match") for row in matches]
        entries += [(resource, "include") for resource in included]
        return Response(searchset(entries, self.request, query, cursor))

    def _find_included(self, rows: Sequence[Any], includes: Iterable[str]) -> Iterable[dict[str, Any]]:
        """Yield the resources that the rows refer to by the named references, each once."""
        references = self.kind.includes or {}
        ids: dict[str, set[UUID]] = {}
        for name in includes:
            source, _, parameter = name.partition(":")
            include = references.get(parameter)
            if source != self.kind.name or include is None:
                expected = ", ".join(f"{self.kind.name}:{reference}" for reference in references) or "none"
                raise InvalidInput(
                    "This search cannot be answered.", Problem("_include", "another reference", expected)
                )
            found_ids = {pk for row in rows if (pk := include.find_id(row)) is not None}
            ids[include.target] = ids.get(include.target, set()) | found_ids
        for target, record_ids in ids.items():
            kind = KINDS[target]
            field = "public_id__in" if target == "Communication" else "pk__in"
            for row in kind.rows().filter(**{field: record_ids, kind.pharmacy: self.pharmacy.pk}):
                yield versioned(kind, row, self.now)


def versioned(kind: Kind, row: Any, now: datetime) -> dict[str, Any]:
    """Return a row as a resource with its version."""
    return version_of(kind.render(row, now), kind.changed_at(row))


def version_of(resource: dict[str, Any], changed_at: datetime) -> dict[str, Any]:
    """Return a resource with its version: a digest of what it says, so that equal ones are one version."""
    digest = hashlib.sha256(json.dumps(resource, sort_keys=True).encode()).hexdigest()[:32]
    meta = {"versionId": digest, "lastUpdated": changed_at.isoformat()}
    return {"resourceType": resource["resourceType"], "id": resource["id"], "meta": meta} | resource


def version_headers(resource: Mapping[str, Any], changed_at: datetime) -> dict[str, str]:
    """Return the headers that name a version."""
    return {
        "ETag": f'W/"{resource["meta"]["versionId"]}"',
        "Last-Modified": http_date(changed_at.timestamp()),
    }


def render_version(request: Request, resource: dict[str, Any], changed_at: datetime) -> Response:
    """Return a resource with its version; 304 without it where the caller has this version."""
    headers = version_headers(resource, changed_at)
    known_tags = [tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")]
    return (
        Response(status=304, headers=headers) if headers["ETag"] in known_tags else Response(resource, headers=headers)
    )


def searchset(
    entries: Iterable[tuple[dict[str, Any], str]], request: Request, query: QueryDict, cursor: str
) -> dict[str, Any]:
    """Return a Bundle of resources, each with its search mode. The page at `cursor` follows; "" where none does."""
    base = base_address(request)
    address = request.build_absolute_uri(request.path.removesuffix("/_search"))
    this_page = f"{address}?{query.urlencode()}" if query else address
    links = {"self": this_page} | ({"next": replace_query_param(this_page, "_cursor", cursor)} if cursor else {})
    rendered = [
        {
            "fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}",
            "resource": resource,
            "search": {"mode": mode},
        }
        for resource, mode in entries
    ]
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [{"relation": relation, "url": url} for relation, url in links.items()],
    }
    return bundle | ({"entry": rendered} if rendered else {})


def base_address(request: Request) -> str:
    """Return the base of the FHIR addresses, without a final slash."""
    address: str = request.build_absolute_uri(request.path)
    return address[: address.rindex("/fhir/") + len("/fhir")]


def _read_sort(query: Mapping[str, Any], kind: Kind) -> str:
    """Return the lookup by which the matches of a search stand, with a minus for the newest first. Raises `InvalidInput`."""
    text = query.get("_sort")
    if text is None:
        return kind.order
    lookup = kind.sorts().get(text.removeprefix("-"))
    if lookup is None:
        problem = Problem(
            "_sort", "another order", f"one of {', '.join(kind.sorts())}, with a minus for the newest first"
        )
        raise InvalidInput("This search cannot be answered.", problem)
    return f"-{lookup}" if text.startswith("-") else lookup


def read_count(query: Mapping[str, Any]) -> int | None:
    """Return `_count`, the most matches of a page; None without it."""
    text = query.get("_count")
    if text is None:
        return None
    count = Page.parse_size(text)
    if count is None:
        problem = Problem("_count", "another value", f"a number from 1 to {Page.max_page_size}")
        raise InvalidInput("This search cannot be answered.", problem)
    return count


OF_RESULTS = [
    OpenApiParameter("_count", {"type": "integer", "minimum": 1, "maximum": Page.max_page_size}),
    OpenApiParameter("_cursor", str, description="where to go on, from the link `next`"),
    OpenApiParameter("_format", str, enum=["json", "application/fhir+json", "application/json"]),
]


def make_views(kind: Kind) -> tuple[type[RecordView], type[SearchView], type[SearchView]]:
    """Return the views of a kind, described for the OpenAPI document: one resource, a search, a search by POST."""
    parameters = [
        OpenApiParameter(parameter.name, OpenApiTypes.STR, description=parameter.documentation or parameter.expected)
        for parameter in kind.all_parameters()
    ]
    sorts = [f"{sign}{name}" for name in kind.sorts() for sign in ("", "-")]
    parameters.append(OpenApiParameter("_sort", str, enum=sorts, description="left out: newest first"))
    if kind.includes:
        names = [f"{kind.name}:{name}" for name in kind.includes]
        parameters.append(OpenApiParameter("_include", str, many=True, enum=names))
    record = type(f"{kind.name}RecordView", (RecordView,), {"kind": kind, "__doc__": f"One {kind.name}."})
    search = type(f"{kind.name}SearchView", (SearchView,), {"kind": kind, "__doc__": f"A search for {kind.name}."})
    posted = type(f"Posted{search.__name__}", (PostedSearchView, search), {"kind": kind, "__doc__": search.__doc__})
    describe_record = extend_schema(
        operation_id=f"fhir_{kind.name}_read",
        responses={**{(200, media_type): RESOURCE for media_type in JSON_KINDS}, 304: None},
        summary=f"A {kind.name}",
        description=kind.documentation,
    )
    describe_search = extend_schema(
        operation_id=f"fhir_{kind.name}_search",
        parameters=[PHARMACY, *parameters, *OF_RESULTS],
        responses={(200, media_type): SEARCHSET for media_type in JSON_KINDS},
        summary=f"Search for {kind.name}, newest first",
        description=f"{kind.documentation} Also by POST to `{kind.name}/_search`, with the parameters as a form.",
    )
    return extend_schema_view(get=describe_record)(record), extend_schema_view(get=describe_search)(search), posted


VIEWS = {name: make_views(kind) for name, kind in KINDS.items()}
"""Of each kind the view of one resource, that of a search, and that of a search by POST."""
