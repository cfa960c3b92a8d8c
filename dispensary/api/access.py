"""The caller of a request and the pharmacy it is for; permissions are in `dispensary.policies`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from dispensary.actions import tokens
from dispensary.actors import Actor, Scope
from dispensary.clock import clock_expression, refuse_skew
from dispensary.errors import InvalidInput, NotAllowed, NotFound, Problem
from dispensary.idle_lock import lock_when_idle
from dispensary.models import AccessToken, Pharmacy, StaffMember
from dispensary.proof import lacks_factor

STATION = "api"


@dataclass(frozen=True, slots=True)
class Caller:
    """The signed-in user, with one membership for each pharmacy that they work at."""

    members: Mapping[UUID, StaffMember]
    named_id: UUID | None
    """The pharmacy that the header `X-Pharmacy` names, one of the caller's own; None without the header."""
    request_id: UUID
    now: datetime
    """The present time by the database's clock."""
    scopes: frozenset[Scope] | None = None
    """What the token of the request is for; None without a token of ours."""

    @classmethod
    def from_request(cls, request: Request) -> Caller:
        """Load the caller, once a request.

        Raises `NotAllowed` for a user without a membership, `NotFound` for a pharmacy that is not the caller's.
        """
        caller = getattr(request._request, "_dispensary_caller", None)
        if caller is None:
            caller = cls._load(request)
            request._request._dispensary_caller = caller  # type: ignore[attr-defined]  # kept on the request for its other readers
        return caller

    @classmethod
    def _load(cls, request: Request) -> Caller:
        token = request.auth if isinstance(request.auth, AccessToken) else None
        rows, now = _read_members(request) if token is None else (token.members or [], token.moment)
        members = {row.pharmacy_id: row for row in rows if token is None or tokens.narrow(row, token)}
        if not members or now is None:
            raise NotAllowed("This account or token works at no pharmacy here. A manager can add it to one.")
        named_id = _uuid(request.headers.get("X-Pharmacy", ""), "X-Pharmacy")
        if named_id is not None and named_id not in members:
            raise NotFound("There is no such pharmacy for this account.")
        scopes = None if token is None else frozenset(Scope(name) for name in token.scopes)
        if request.method not in SAFE_METHODS:
            refuse_skew(now)
        return cls(members, named_id, _request_id(request), now, scopes)

    @property
    def pharmacy_ids(self) -> list[UUID]:
        """The pharmacies whose records this request may see."""
        return [self.named_id] if self.named_id else list(self.members)

    def member(self, pharmacy_id: UUID | None = None) -> StaffMember:
        """Return the membership at `pharmacy_id`, else at the pharmacy of `X-Pharmacy`, else the only one.

        Raises `InvalidInput` where that leaves several.
        """
        chosen = pharmacy_id or self.named_id
        if chosen is None and len(self.members) > 1:
            problem = Problem("X-Pharmacy", "nothing", "one of the caller's pharmacies", "GET /api/v1/me/ lists them.")
            raise InvalidInput("This account works at several pharmacies.", problem)
        return self.members[chosen] if chosen else next(iter(self.members.values()))

    def pharmacy(self) -> Pharmacy:
        """Return the pharmacy of this request."""
        return self.member().pharmacy

    def actor(self, pharmacy_id: UUID | None = None) -> Actor:
        """Return the actor for the `by=` of an action."""
        return replace(self.member(pharmacy_id).actor().at(STATION, self.request_id), scopes=self.scopes)


def _read_members(request: Request) -> tuple[list[StaffMember], datetime | None]:
    """Return the memberships of who is signed in, and the present time; None without a membership.

    Raises `NotAllowed` for a session that is locked, and for a person whose time to add a second factor is over.
    """
    rows = list(
        StaffMember.objects.filter(user_id=request.user.pk, active=True)  # type: ignore[misc]  # None finds no row
        .select_related("pharmacy")
        .annotate(moment=clock_expression())
    )
    if not rows or not is_session(request):
        return list(rows), rows[0].moment if rows else None
    now = rows[0].moment
    if lock_when_idle(request._request, now):
        problem = Problem("", "a locked session", "an open one", "Unlock it at the counter, by its person.")
        raise NotAllowed("This session is locked.", problem)
    members = [row for row in rows if not lacks_factor(row, request.user, now)]
    if not members:
        problem = Problem("", "a person without a second factor", "one with a second factor", "Add one first.")
        raise NotAllowed("The time to add a second factor is over.", problem)
    return list(members), now


def is_session(request: Request) -> bool:
    """Return whether the caller is signed in by a browser's session."""
    return isinstance(request.successful_authenticator, SessionAuthentication)


def _uuid(text: str, field: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        problem = Problem(field, f"text of {len(text)} characters", "a UUID")
        raise InvalidInput(f"{field} cannot be read.", problem) from None


def _request_id(request: Request) -> UUID:
    try:
        return UUID(request.headers.get("X-Request-ID", ""))
    except ValueError:
        return uuid4()
