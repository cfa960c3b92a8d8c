"""Actors: a person in a role at a pharmacy, or a system process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """The roles of an actor. `SYSTEM` is a process of the site and can never sign in."""

    TECHNICIAN = "technician"
    PHARMACIST = "pharmacist"
    MANAGER = "manager"
    AUDITOR = "auditor"
    PATIENT = "patient"
    SYSTEM = "system"


class Scope(StrEnum):
    """The parts of the work that an API token may be given; each policy belongs to one."""

    READ = "read"
    INTAKE = "intake"
    DISPENSE = "dispense"
    MESSAGES = "messages"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Actor:
    """The `by=` of every action: the fields of an audit entry about its author."""

    name: str
    """Stable and short, for the log: "user:42", "system:reminders", "patient"."""
    display: str
    """The printed name, as it stands on a signature."""
    role: Role
    pharmacy_id: UUID
    user_id: int | str | None = None
    station: str = ""
    """Which counter or client it was done from."""
    request_id: UUID | None = None
    scopes: frozenset[Scope] | None = None
    """What the API token that the person came with is for; None without a token."""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("an actor needs a name")

    @classmethod
    def system(cls, task: str, pharmacy_id: UUID, *, request_id: UUID | None = None) -> Actor:
        """Return the system process that does `task` for a pharmacy."""
        return cls(f"system:{task}", f"Dispensary ({task})", Role.SYSTEM, pharmacy_id, request_id=request_id)

    def at(self, station: str, request_id: UUID | None) -> Actor:
        """Return the same person at a station in one request."""
        return replace(self, station=station, request_id=request_id)
