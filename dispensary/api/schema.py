"""Headers and errors that all operations share, for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

_HEADER: Literal["header"] = "header"
PHARMACY = OpenApiParameter(
    "X-Pharmacy", OpenApiTypes.UUID, _HEADER, description="for whom, where the caller works at several pharmacies"
)
KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    _HEADER,
    description="new for each request; the same key and body get the same answer, done once",
)
REQUIRED_KEY = OpenApiParameter(
    "Idempotency-Key", {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]+$"}, _HEADER, required=True,
    description="new for each hand-over; the same key and body get the same answer, done once",
)  # fmt: skip
CREATES = [PHARMACY, KEY]
IF_MATCH = [OpenApiParameter("If-Match", str, _HEADER, required=True, description="the ETag that was seen, or *")]
PAGED = [
    PHARMACY,
    OpenApiParameter("cursor", str, description="where to go on, from `next` or `previous`"),
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": 200}, description="rows on a page"),
]


@cache
def page_of(shape: type[serializers.BaseSerializer[Any]]) -> serializers.Serializer[Any]:
    """Return the serializer of a keyset page of rows of `shape`."""
    fields = {
        "next": serializers.URLField(allow_null=True, help_text="the address of the next page"),
        "previous": serializers.URLField(allow_null=True),
        "results": shape(many=True),
    }
    return inline_serializer(f"{shape.__name__}Page", fields)


PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem document.",
    "required": ["type", "title", "status", "code", "detail", "problems"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "public; never changes its meaning"},
        "detail": {"type": "string"},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "given", "expected", "next"],
                "properties": {name: {"type": "string"} for name in ("field", "given", "expected", "next")},
            },
        },
        "findings": {
            "type": "array",
            "items": {"type": "object"},
            "description": "of a refusal: what nobody has answered",
        },
        "review": {
            "type": ["string", "null"],
            "format": "uuid",
            "description": "of a refusal: the review that was frozen",
        },
    },
}
OUTCOME: dict[str, Any] = {
    "type": "object",
    "description": "FHIR R4 OperationOutcome.",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"const": "OperationOutcome"},
        "issue": {"type": "array", "items": {"type": "object"}},
    },
}


_STATUSES = {
    400: "The request is wrong: `problems` names each field; nothing was written",
    401: "Not signed in",
    403: "Not allowed; the attempt is recorded",
    404: "There is no such thing here",
    405: "Another method",
    406: "No such format",
    409: "Refused by the rules, or changed meanwhile",
    412: "If-Match, If-None-Exist or a proof is not what stands here",
    413: "The body is too long",
    415: "Another format of the body",
    422: "The Idempotency-Key came with another body before",
    428: "If-Match is missing",
    429: "The token is used too often",
    500: "The fault is ours and was logged",
    503: "Busy or away; send it again after Retry-After",
}


def _problem_statuses(method: str, operation: Mapping[str, Any]) -> list[int]:
    """Return the statuses of problems that an operation can answer with."""
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    is_public = operation.get("security") == [{}] or operation.get("security") == []
    statuses = {400, 405, 406, 500, 503}
    statuses |= set() if is_public else {401, 403, 429}
    statuses |= set() if is_public else {404}  # the pharmacy of X-Pharmacy too
    if method != "get":
        statuses |= {409, 412, 413, 415}
    if "Idempotency-Key" in names:
        statuses.add(422)
    if "If-Match" in names:
        statuses.add(428)
    return sorted(statuses)


def add_problems(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add the problem responses to every operation; a postprocessing hook of drf-spectacular."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas |= {"Problem": PROBLEM, "OperationOutcome": OUTCOME}
    for path, operations in result.get("paths", {}).items():
        kind, name = (
            ("application/fhir+json", "OperationOutcome")
            if "/fhir/" in f"{path}/"
            else ("application/problem+json", "Problem")
        )
        content = {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        for method, operation in operations.items():
            if isinstance(operation, dict) and "responses" in operation:
                for status in _problem_statuses(method, operation):
                    operation["responses"][str(status)] = {"description": _STATUSES[status], "content": content}
    return result
