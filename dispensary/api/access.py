"""Who is asking, and for which pharmacy. What they may do is answered by `dispensary.policies`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.request import Request

from dispensary.actors import Actor
from dispensary.errors import InvalidInput, NotAllowed, NotFound, Problem
from dispensary.models import Pharmacy, SignatureMethod, StaffMember

STATION = "api"


@dataclass(frozen=True, slots=True)
class Caller:
    """The signed-in user's places: one membership for each pharmacy that they work at."""

    members: Mapping[UUID, StaffMember]
    asked: UUID | None
    """The pharmacy named in `X-Pharmacy`, if any; always one of the caller's own."""
    request_id: UUID

    @classmethod
    def of(cls, request: Request) -> Caller:
        """Read the caller once a request. Raises `NotAllowed` for a user who works nowhere, `NotFound` for a foreign pharmacy."""
        known = getattr(request._request, "_dispensary_caller", None)
        if known is None:
            known = cls._read(request)
            request._request._dispensary_caller = known
        return known

    @classmethod
    def _read(cls, request: Request) -> Caller:
        rows = StaffMember.objects.filter(user=request.user, active=True).select_related("pharmacy")
        members = {row.pharmacy_id: row for row in rows}
        if not members:
            raise NotAllowed("This account works at no pharmacy here. A manager can add it to one.")
        asked = _uuid(request.headers.get("X-Pharmacy", ""), "X-Pharmacy")
        if asked is not None and asked not in members:
            raise NotFound("There is no such pharmacy for this account.")
        return cls(members, asked, _request_id(request))

    @property
    def pharmacy_ids(self) -> list[UUID]:
        """The pharmacies whose things this request may see."""
        return [self.asked] if self.asked else list(self.members)

    def member(self, pharmacy_id: UUID | None = None) -> StaffMember:
        """The membership that acts: at `pharmacy_id`, or where `X-Pharmacy` says, or the only one. Raises `InvalidInput`."""
        chosen = pharmacy_id or self.asked
        if chosen is None and len(self.members) > 1:
            problem = Problem("X-Pharmacy", "nothing", "one of the caller's pharmacies", "GET /api/v1/me/ lists them.")
            raise InvalidInput("This account works at several pharmacies.", problem)
        return self.members[chosen] if chosen else next(iter(self.members.values()))

    def pharmacy(self) -> Pharmacy:
        """The current pharmacy."""
        return self.member().pharmacy

    def actor(self, pharmacy_id: UUID | None = None) -> Actor:
        """The `by=` of an action."""
        return self.member(pharmacy_id).actor().at(STATION, self.request_id)


def signature_of(request: Request) -> SignatureMethod:
    """How this request shows that it is the signer's: a personal token, a password, or only an open session."""
    match request.successful_authenticator:
        case SessionAuthentication():
            return SignatureMethod.SIGNED_IN
        case BasicAuthentication():
            return SignatureMethod.PASSWORD
        case _:
            return SignatureMethod.TOKEN


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
