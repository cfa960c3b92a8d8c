"""What every address has in common: who may, in which dialect, how an error is told, how a repeat is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.utils import timezone
from drf_spectacular.openapi import AutoSchema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import APIView

from dispensary import audit, policies
from dispensary.actions import access, idempotency, patients
from dispensary.actions.idempotency import Reply, digest_of
from dispensary.actions.overrides import Refused
from dispensary.actors import Actor
from dispensary.api import problems
from dispensary.api.access import Caller
from dispensary.api.strict_json import jsonable
from dispensary.api.wire import StrictJSONParser
from dispensary.errors import InvalidInput, NotAllowed, NotFound, Problem
from dispensary.models import Patient, Pharmacy

Row = TypeVar("Row", bound=Model)
Policy = Callable[[Actor], bool]


class PreconditionRequired(InvalidInput):
    """A change without If-Match could overwrite what the caller never saw."""

    code = "precondition-required"
    title = "Say which version you are changing"
    status = 428


class Page(CursorPagination):
    """Keyset pages: a page costs the same wherever it is, and a new row never moves one twice into view."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"


class HouseView(APIView):
    """The base of every view. `may` names a policy for each method; a method without one asks `may_see_patients`."""

    authentication_classes = APIView.authentication_classes
    permission_classes: ClassVar = [IsAuthenticated]
    parser_classes: ClassVar = [StrictJSONParser]
    renderer_classes: ClassVar = [JSONRenderer]
    may: ClassVar[Mapping[str, tuple[Policy, str, str]]] = {}
    speaks_fhir = False
    schema = AutoSchema()
    actor: Actor | None = None
    """Who asks, once it is known for which pharmacy."""

    def get_exception_handler(self) -> Callable[..., Response]:
        """Problem documents, whatever the host's settings say."""
        return problems.handle

    def perform_authentication(self, request: Request) -> None:
        """A token that is not even text is a wrong token."""
        try:
            super().perform_authentication(request)
        except UnicodeDecodeError:
            raise AuthenticationFailed("Invalid token.") from None

    def handle_exception(self, exc: Exception) -> Response:
        """An attempt at what one may not is itself recorded."""
        if isinstance(exc, NotAllowed) and (actor := self.actor or self._somewhere()) is not None:
            about = audit.Subject("address", str(self.request.resolver_match.route)[:64])
            access.refused(by=actor, doing=f"{self.request.method}: {exc.detail}", about=about, now=self.now)
        return super().handle_exception(exc)

    def _somewhere(self) -> Actor | None:
        """The caller at the pharmacy named, else at the first of theirs; None for who works nowhere."""
        caller: Caller | None = getattr(self.request._request, "_dispensary_caller", None)
        return caller.actor(next(iter(caller.pharmacy_ids))) if caller else None

    @property
    def caller(self) -> Caller:
        """The signed-in user's places."""
        return Caller.of(self.request)

    @property
    def pharmacy(self) -> Pharmacy:
        """The pharmacy this request is for, where no object says so."""
        return self.caller.pharmacy()

    def by(self, pharmacy_id: UUID | None = None) -> Actor:
        """The actor of this request, allowed to use this method at all."""
        actor = self.caller.actor(pharmacy_id)
        self.actor = actor
        policy, doing, who = self.may.get(self.request.method or "", _LOOK)
        policies.require(policy(actor), actor, doing, who)
        return actor

    def own(self, rows: QuerySet[Row], pk: object) -> Row:
        """The row, if it belongs to a pharmacy of the caller's. Another pharmacy's is as absent as none."""
        found = rows.filter(pk=pk, pharmacy_id__in=self.caller.pharmacy_ids).first()
        if found is None:
            raise NotFound("There is no such thing here.")
        return found

    def looks(self, patient: Patient, part: Model | None = None) -> None:
        """Note that the caller looked at a patient's record, or at a part of it."""
        patients.opened(patient=patient, part=part, by=self.by(patient.pharmacy_id), now=self.now)

    def read(self, serializer: Any) -> dict[str, Any]:
        """The checked body."""
        checked = serializer(data=self.request.data)
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)

    @property
    def now(self) -> datetime:
        """The clock, asked once at the door."""
        return timezone.now()

    def once(self, by: Actor, do: Callable[[], Reply], required: bool = False) -> Response:
        """Do it, or repeat the answer that the same key got before. See `Idempotency-Key` in the README."""
        key = self.request.headers.get("Idempotency-Key", "")
        if not key:
            if required:
                problem = Problem(
                    "Idempotency-Key", "nothing", "a key of your own, new for each request, up to 64 characters"
                )
                raise InvalidInput("This request needs the header Idempotency-Key.", problem)
            return _answer(audit.retrying(do)(), self)
        body = json.dumps(jsonable(self.request.data), sort_keys=True, ensure_ascii=False)
        digest = digest_of(str(self.request.method).encode(), self.request.path.encode(), body.encode())
        run = audit.retrying(idempotency.once)
        return _answer(run(pharmacy_id=by.pharmacy_id, key=key, digest=digest, by=by, now=self.now, do=do), self)

    def page(self, rows: QuerySet[Any], serializer: Any, ordering: str) -> Response:
        """One keyset page of rows; the key decides between rows that are equal in `ordering`."""
        paginator = Page()
        paginator.ordering = (ordering, "-pk" if ordering.startswith("-") else "pk")
        found = paginator.paginate_queryset(rows, self.request, view=self)
        return paginator.get_paginated_response(serializer(found, many=True).data)


_LOOK: tuple[Policy, str, str] = (policies.may_see_patients, "look at this", "staff of the pharmacy")
RECEIVE: tuple[Policy, str, str] = (policies.may_receive, "take this in", "a technician or pharmacist")
DISPENSE: tuple[Policy, str, str] = (policies.may_dispense, "hand over a medicine", "a technician or pharmacist")
END: tuple[Policy, str, str] = (policies.may_end, "end this or take it back", "a pharmacist")


def reply(status: int, data: Any) -> Reply:
    """An answer in the form that is kept, so that the first and a repeated one are the same bytes."""
    return Reply(status, json.loads(json.dumps(data, cls=JSONEncoder)))


def refusal(refused: Refused) -> Reply:
    """What stands in the way, as a problem document. The refusal itself is recorded, hence an answer and no exception."""
    findings = [
        {name: getattr(q, name) for name in ("code", "severity", "summary", "detail", "fingerprint")}
        for q in refused.unanswered
    ]
    review = str(refused.review.pk) if refused.review else None
    title = "Something stands in the way"
    return reply(
        409,
        problems.document(409, "refused", title, refused.detail, refused.problems, findings=findings, review=review),
    )


def _answer(reply: Reply, view: HouseView) -> Response:
    """A kept answer comes back from the database with its keys in another order; sorted, both are the same bytes."""
    body = json.loads(json.dumps(reply.body, sort_keys=True))
    return problems.respond(body, view) if reply.status >= 400 else Response(body, reply.status)


def etag(version: int) -> dict[str, str]:
    """The header that names a version."""
    return {"ETag": f'"{version}"'}


def if_match(request: Request) -> int | None:
    """The version that the caller saw; None for `*`. Raises `PreconditionRequired` without one."""
    given = request.headers.get("If-Match", "").strip()
    if given == "*":
        return None
    bare = given.removeprefix("W/").strip('"')
    if not (bare.isascii() and bare.isdigit() and len(bare) <= 9):
        problem = Problem(
            "If-Match", "nothing" if not given else "another value", "the ETag of the version you saw, or *"
        )
        raise PreconditionRequired("This change needs the header If-Match.", problem)
    return int(bare)
