"""Errors of the API as RFC 9457 problem documents, or as an OperationOutcome of FHIR."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator, Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.views import set_rollback

from baclofen_rules.text import format_amount
from dispensary import outages
from dispensary.api.fhir.outcome import render_problem
from dispensary.api.wire import FHIR_JSON, PROBLEM_JSON, wants_fhir
from dispensary.errors import DispensaryError, Problem

log = logging.getLogger("dispensary.api")

_EXPECTED = {
    "required": "a value, since this field is required",
    "null": "a value other than null",
    "blank": "text that is not empty",
    "not_a_list": "a list",
}
_CODES = {
    400: "invalid-input",
    401: "not-signed-in",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "too-large",
    415: "unsupported-media-type",
    428: "precondition-required",
    429: "too-many-requests",
    500: "internal-error",
}


def describe(value: Any) -> str:
    """Return the kind of a value, for an error text. Text is not repeated: it may be a patient's."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return format_amount(value)
        case "":
            return "empty text"
        case str():
            return f"text of {len(value)} characters"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "an object"
        case _:
            return f"a {type(value).__name__}"


def problem_document(
    status: int, code: str, title: str, detail: str, problems: tuple[Problem, ...] = (), **more: Any
) -> dict[str, Any]:
    """Return an RFC 9457 problem document; `problems` has one entry for each wrong field."""
    problem_rows = [{"field": p.field, "given": p.given, "expected": p.expected, "next": p.next} for p in problems]
    return {
        "type": f"urn:dispensary:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "problems": problem_rows,
        **more,
    }


def operation_outcome(problem: Mapping[str, Any]) -> dict[str, Any]:
    """Return a problem document as a FHIR R4 OperationOutcome."""
    kind = {
        401: "login",
        403: "forbidden",
        404: "not-found",
        409: "conflict",
        413: "too-long",
        429: "throttled",
        503: "transient",
    }
    code = kind.get(problem["status"], "exception" if problem["status"] >= 500 else "invalid")
    issues = [render_problem(Problem(**row), code) for row in problem["problems"]]
    whole = {"severity": "error", "code": code, "diagnostics": problem["detail"]}
    return {"resourceType": "OperationOutcome", "issue": issues or [whole]}


def respond(problem: dict[str, Any], view: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return the HTTP response for `problem`, as problem document or OperationOutcome after `view`."""
    fhir = wants_fhir(view)
    body = operation_outcome(problem) if fhir else problem
    return Response(body, problem["status"], headers=headers, content_type=FHIR_JSON if fhir else PROBLEM_JSON)


def _walk(detail: Any, path: str) -> Iterator[tuple[str, exceptions.ErrorDetail]]:
    match detail:
        case dict():
            for key, item in detail.items():
                inner = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}" if path else str(key)
                yield from _walk(item, path if key == "non_field_errors" else inner)
        case list() if detail and isinstance(detail[0], dict | list):
            for number, item in enumerate(detail):
                yield from _walk(item, f"{path}[{number}]")
        case list():
            for item in detail:
                yield path, item
        case _:
            yield path, detail


def _value_at(data: Any, path: str) -> Any:
    for step in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and step.isdigit() and int(step) < len(data):
            data = data[int(step)]
        else:
            return data
    return data


def flatten_errors(detail: Any, data: Any) -> tuple[Problem, ...]:
    """Return DRF's nested error details as a flat list of problems with JSON paths."""
    problems = []
    for path, error in _walk(detail, ""):
        code = getattr(error, "code", "invalid")
        value = _value_at(data, path) if path else data
        value_kind = "nothing" if code == "required" else describe(value)
        if code == "invalid_choice" and isinstance(value, str) and len(value) <= 40:
            value_kind = repr(value)
        problems.append(Problem(path, value_kind, _EXPECTED.get(code, str(error).rstrip("."))))
    return tuple(problems)


def _request_data(context: Mapping[str, Any]) -> Any:
    request = context.get("request")
    return getattr(request, "_full_data", None) if request is not None else None


def _from_drf(error: exceptions.APIException, context: Mapping[str, Any]) -> dict[str, Any]:
    status = error.status_code
    title = HTTPStatus(status).phrase
    if isinstance(error, exceptions.ValidationError):
        problems = flatten_errors(error.detail, _request_data(context))
        return problem_document(400, "invalid-input", "Something given is not right", "Nothing was written.", problems)
    code = _CODES.get(status, "error")
    return problem_document(status, code, title, str(error.detail))


def _find_outage(error: Exception, context: Mapping[str, Any]) -> DispensaryError | None:
    """Return what an error of the database says to the caller, where the request is not to blame; log its kind alone."""
    request, view = context.get("request"), context.get("view")
    outage = outages.find_outage(
        error,
        writes=request is None or request.method not in SAFE_METHODS,
        has_key=request is not None and "Idempotency-Key" in request.headers,
    )
    if outage is not None:
        log.warning(
            "%s: %s %s in %s", outage.code, type(error).__name__, outages.sqlstate_of(error), type(view).__name__
        )
    return outage


def _error_headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if scheme := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = scheme
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


def _log_unexpected(error: Exception, view: object) -> dict[str, Any]:
    """Log the place of an error without its message: a database error quotes the row it was about."""
    frames = [
        f"{f.name} ({f.filename.rsplit('/', 1)[-1]}:{f.lineno})" for f in traceback.extract_tb(error.__traceback__)
    ]
    log.error("%s in %s at %s", type(error).__name__, type(view).__name__, " > ".join(frames[-6:]))
    done = "Look what was written before you send it again." if outages.commits() else "Nothing was written."
    return problem_document(500, "internal-error", "Something broke here", f"The fault is ours and was logged. {done}")


def handle_error(error: Exception, context: Mapping[str, Any]) -> Response:
    """Return the response for an error: the `EXCEPTION_HANDLER` of every view here."""
    view = context.get("view")
    headers: dict[str, str] = {}
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    error = _find_outage(error, context) or error
    match error:
        case DispensaryError():
            problem = problem_document(error.status, error.code, error.title, error.detail, error.problems)
            headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
        case exceptions.APIException():
            problem, headers = _from_drf(error, context), _error_headers(error)
        case RequestDataTooBig():
            problem = problem_document(413, "too-large", "This is too much at once", "The body is too long.")
        case SuspiciousOperation():
            problem = problem_document(
                400, "invalid-input", "Something given is not right", "The request cannot be read."
            )
        case _:
            problem = _log_unexpected(error, view)
    set_rollback()
    return respond(problem, view, headers)
