"""Who does something: a person in a role at one pharmacy, or one of the house's own clocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """What somebody is at a pharmacy. `SYSTEM` is the house itself and can never sign in."""

    TECHNICIAN = "technician"
    PHARMACIST = "pharmacist"
    MANAGER = "manager"
    AUDITOR = "auditor"
    PATIENT = "patient"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """The `by=` of every action: enough to write the audit line, no more."""

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

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("an actor needs a name")

    @classmethod
    def system(cls, task: str, pharmacy_id: UUID, *, request_id: UUID | None = None) -> Actor:
        """The house itself, doing `task` for one pharmacy."""
        return cls(f"system:{task}", f"Dispensary ({task})", Role.SYSTEM, pharmacy_id, request_id=request_id)

    def at(self, station: str, request_id: UUID | None) -> Actor:
        """The same person, seen from a station in one request."""
        return replace(self, station=station, request_id=request_id)
