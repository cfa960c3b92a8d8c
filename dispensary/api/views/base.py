"""The base of the views: permission, error format, idempotent requests, pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import DataError
from django.db.models import Model, QuerySet
from django.http import HttpResponse
from django.utils.cache import patch_cache_control
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import APIView

from dispensary import audit, policies
from dispensary.actions import access, idempotency, patients
from dispensary.actions.idempotency import Reply, digest_of
from dispensary.actions.refusals import Refused
from dispensary.actors import Actor, Scope
from dispensary.api import problems
from dispensary.api.access import Caller
from dispensary.api.authentication import site_authentication
from dispensary.api.fields import check
from dispensary.api.query import refuse_unknown
from dispensary.api.throttling import SessionThrottle
from dispensary.api.wire import PDFRenderer, StrictJSONParser
from dispensary.errors import InvalidInput, NotAllowed, NotFound, Problem
from dispensary.loading import find_order
from dispensary.models import Patient, Pharmacy, Prescription
from dispensary.statements import find_own
from dispensary.strict_json import jsonable

Row = TypeVar("Row", bound=Model)
Policy = Callable[[Actor], bool]


class PreconditionRequired(InvalidInput):
    """A change without If-Match, which could overwrite a version that the caller has not read."""

    code = "precondition-required"
    title = "Say which version you are changing"
    status = 428


class Page(CursorPagination):
    """Keyset pages: the cost does not grow with the offset, and a new row repeats none."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"

    @classmethod
    def parse_size(cls, text: str) -> int | None:
        """Return the rows on a page; None for text that is no number from 1 to `max_page_size`."""
        size = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
        return size if 1 <= size <= cls.max_page_size else None

    def get_page_size(self, request: Request) -> int:
        """Return the rows on a page. Raises `InvalidInput`."""
        text = request.query_params.get(self.page_size_query_param)
        size = self.page_size if text is None else self.parse_size(text)
        if size is None:
            problem = Problem(self.page_size_query_param, "another number or text", f"1 to {self.max_page_size}")
            raise InvalidInput("There is no page of this size.", problem)
        return size

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> Any:
        """Return the rows of a page. Raises `InvalidInput` for a cursor that none of these pages had."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (exceptions.NotFound, ValueError, ValidationError, DataError) as error:
            if self.cursor_query_param not in request.query_params:
                raise
            problem = Problem(
                "cursor", "another text", "the cursor in `next` or `previous` of a page", "Begin without one."
            )
            raise InvalidInput("The cursor cannot be read.", problem) from error


class BaseView(APIView):
    """The base of every view. `may` names a policy for each method; the default is `may_see_patients`."""

    authentication_classes: ClassVar[Sequence[type[BaseAuthentication]] | None] = None  # type: ignore[assignment]  # None: those of the site
    permission_classes: ClassVar = [IsAuthenticated]
    parser_classes: ClassVar = [StrictJSONParser]
    throttle_classes: ClassVar = [SessionThrottle]
    renderer_classes: ClassVar = [JSONRenderer]
    may: ClassVar[Mapping[str, tuple[Policy, str, str]]] = {}
    speaks_fhir = False
    schema = AutoSchema()
    actor: Actor | None = None
    """The actor of the request, set by `authorize`."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Return those of the setting `api_authentication`, but for a view that names its own; the host's for REST framework are not asked."""
        classes = self.authentication_classes
        return [make() for make in (site_authentication() if classes is None else classes)]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a body that is packed. Raises `UnsupportedMediaType`, and what `APIView.initial` raises."""
        super().initial(request, *args, **kwargs)
        packing = request.headers.get("Content-Encoding", "identity")
        if packing.lower() != "identity":
            raise exceptions.UnsupportedMediaType(
                packing, f"Content-Encoding {packing[:20]} is not read: send the body as it is."
            )

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Return the header `Allow` alone; the OpenAPI document says the rest."""
        return Response(status=204)

    def get_exception_handler(self) -> Callable[..., Response]:
        """Return the handler that answers with problem documents, whatever the host's settings say."""
        return problems.handle_error

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Keep answers about patients out of every cache."""
        final: Response = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(final, no_store=True, private=True)
        return final

    def handle_exception(self, exc: Exception) -> Response:
        """Record a forbidden attempt, then render the error."""
        if isinstance(exc, NotAllowed) and (actor := self.actor or self._any_actor()) is not None:
            match = self.request.resolver_match
            about = audit.Subject("address", str(match.route if match else "")[:64])
            access.record_refusal(by=actor, doing=f"{self.request.method}: {exc.detail}", about=about, now=self.now)
        return super().handle_exception(exc)

    def _any_actor(self) -> Actor | None:
        """Return the caller's actor at the pharmacy of the request or at their first; None without a membership."""
        caller: Caller | None = getattr(self.request._request, "_dispensary_caller", None)
        return caller.actor(next(iter(caller.pharmacy_ids))) if caller else None

    @property
    def caller(self) -> Caller:
        """The signed-in user with their memberships."""
        return Caller.from_request(self.request)

    @property
    def pharmacy(self) -> Pharmacy:
        """The pharmacy of this request where no record determines it."""
        return self.caller.pharmacy()

    def authorize(self, pharmacy_id: UUID | None = None, *, in_person: bool = False) -> Actor:
        """Return the actor of this request. Raises `NotAllowed` where the policy of the method forbids it.

        `in_person`, for `authorize_in_person` alone: the rights of the person; none where the token is narrowed to some scopes.
        """
        actor = self.caller.actor(pharmacy_id)
        if in_person and actor.scopes == frozenset(Scope):
            actor = replace(actor, scopes=None)
        self.actor = actor
        policy, doing, who = self.may.get(self.request.method or "", _LOOK)
        policies.require(policy(actor) and not (in_person and actor.scopes is not None), actor, doing, who)
        return actor

    def get_own(self, rows: QuerySet[Row], pk: object, pharmacy: str = "pharmacy_id") -> Row:
        """Return a row of one of the caller's pharmacies, which the lookup `pharmacy` leads to.

        Raises `NotFound`, for another pharmacy's row too.
        """
        row = rows.filter(pk=pk, **{f"{pharmacy}__in": self.caller.pharmacy_ids}).first()
        if row is None:
            raise NotFound("There is no such thing here.")
        return row

    def find_own(self, model: type[Row], pk: UUID) -> Row:
        """Return a row of the pharmacy of this request, in one prepared statement. Raises `NotFound` as `get_own` does."""
        row = find_own(model, pk, [self.pharmacy.pk])
        if row is None:
            raise NotFound("There is no such thing here.")
        return row

    def get_order(self, pk: UUID) -> Prescription:
        """Return whose an order of the caller's is, and nothing else of it. Raises `NotFound` as `get_own` does."""
        order = find_order(pk, self.caller.pharmacy_ids)
        if order is None:
            raise NotFound("There is no such thing here.")
        return order

    def record_reading(self, patient: Patient, part: Model | None = None) -> None:
        """Record that the caller read a patient's record, or a part of it."""
        patients.record_opening(patient=patient, part=part, by=self.authorize(patient.pharmacy_id), now=self.now)

    def parse_body(self, serializer: Any) -> dict[str, Any]:
        """Return the checked body."""
        return check(serializer, self.request.data)

    def parse_query(self, query: Any) -> dict[str, Any]:
        """Return the checked query parameters."""
        return check(query, self.request.query_params)

    @property
    def now(self) -> datetime:
        """The present time by the database's clock, the same for the whole request."""
        return self.caller.now

    def answer_once(self, by: Actor, do: Callable[[], Reply], required: bool = False) -> Response:
        """Call `do`, or repeat the response that was stored for the same Idempotency-Key."""
        key = self.request.headers.get("Idempotency-Key", "")
        if not key:
            if required:
                problem = Problem(
                    "Idempotency-Key", "nothing", "a key of your own, new for each request, up to 64 characters"
                )
                raise InvalidInput("This request needs the header Idempotency-Key.", problem)
            return _render_reply(audit.retrying(do)(), self)
        # Without the proof: a code differs in a repeated request, and no digest of a password is kept.
        sent = self.request.data
        content = {name: value for name, value in sent.items() if name != "proof"} if isinstance(sent, dict) else sent
        body = json.dumps(jsonable(content), sort_keys=True, ensure_ascii=False)
        digest = digest_of(str(self.request.method).encode(), self.request.path.encode(), body.encode())
        run = audit.retrying(idempotency.once)
        return _render_reply(run(pharmacy_id=by.pharmacy_id, key=key, digest=digest, by=by, now=self.now, do=do), self)

    def paginate(
        self, rows: QuerySet[Any], serializer: Any, ordering: str, filters: Sequence[OpenApiParameter] = ()
    ) -> Response:
        """Return a keyset page of rows; rows equal in `ordering` are ordered by primary key.

        Raises `InvalidInput` for a parameter that is none of `filters`.
        """
        sent = set(self.request.query_params) - {api_settings.URL_FORMAT_OVERRIDE}
        refuse_unknown(sent, [*(parameter.name for parameter in filters), "cursor", "limit"])
        paginator = Page()
        paginator.ordering = (ordering, "-pk" if ordering.startswith("-") else "pk")
        page_rows = paginator.paginate_queryset(rows, self.request, view=self)
        return paginator.get_paginated_response(serializer(page_rows, many=True).data)


class PDFView(BaseView):
    """The base of the views that answer with a document."""

    renderer_classes: ClassVar = [PDFRenderer, JSONRenderer]

    def answer(self, content: bytes, name: str) -> HttpResponse:
        """Return a document under a file's name, also where the client asks for JSON, which errors are."""
        headers = {"Content-Disposition": f'inline; filename="{name}"'}
        return HttpResponse(content, content_type=PDFRenderer.media_type, headers=headers)


PDF = {(200, PDFRenderer.media_type): OpenApiTypes.BINARY}
"""The answer of a `PDFView` in the OpenAPI document."""
_LOOK: tuple[Policy, str, str] = (policies.may_see_patients, "look at this", "staff of the pharmacy")
RECEIVE: tuple[Policy, str, str] = (policies.may_receive, "take this in", "a technician or pharmacist")
DISPENSE: tuple[Policy, str, str] = (policies.may_dispense, "hand over a medicine", "a technician or pharmacist")
DECIDE: tuple[Policy, str, str] = (policies.may_override, "decide what a patient takes", "a pharmacist")
SIGN: tuple[Policy, str, str] = (policies.may_override, "sign an override", "a pharmacist")
CHECK: tuple[Policy, str, str] = (policies.may_override, "check a bag", "a pharmacist")
ARRANGE: tuple[Policy, str, str] = (policies.may_override, "arrange an emergency supply", "a pharmacist")
END: tuple[Policy, str, str] = (policies.may_end, "end this or take it back", "a pharmacist")
READ_SETTINGS: tuple[Policy, str, str] = (policies.may_read_settings, "look at this", "a manager")
MANAGE: tuple[Policy, str, str] = (policies.may_change_settings, "change this", "a manager in person")


def reply(status: int, data: Any) -> Reply:
    """Return a response as it is stored for its Idempotency-Key: plain JSON values."""
    return Reply(status, json.loads(json.dumps(data, cls=JSONEncoder)))


def refusal_reply(refused: Refused) -> Reply:
    """Return a refused hand-over as a problem document. An exception would roll its audit entry back."""
    findings = [
        {name: getattr(q, name) for name in ("code", "severity", "summary", "detail", "fingerprint")}
        for q in refused.unanswered
    ]
    review = str(refused.review.pk) if refused.review else None
    title = "Something stands in the way"
    return reply(
        409,
        problems.problem_document(
            409, "refused", title, refused.detail, refused.problems, findings=findings, review=review
        ),
    )


def _render_reply(reply: Reply, view: BaseView) -> Response:
    """Render a reply with sorted keys: a stored one comes back from the database in another order."""
    body = json.loads(json.dumps(reply.body, sort_keys=True))
    return problems.respond(body, view) if reply.status >= 400 else Response(body, reply.status)


def etag_header(version: int) -> dict[str, str]:
    """Return the ETag header of a version."""
    return {"ETag": f'"{version}"'}


def read_if_match(request: Request) -> int | None:
    """Return the version in If-Match; None for `*`. Raises `PreconditionRequired` without one."""
    header = request.headers.get("If-Match", "").strip()
    if header == "*":
        return None
    version = header.removeprefix("W/").strip('"')
    if not (version.isascii() and version.isdigit() and len(version) <= 9):
        problem = Problem(
            "If-Match", "nothing" if not header else "another value", "the ETag of the version you saw, or *"
        )
        raise PreconditionRequired("This change needs the header If-Match.", problem)
    return int(version)
