"""Profiles: named sets of dated, cited numbers, one TOML file each.

A profile file is evidence before it is configuration: each number stands with its unit, the day from which it holds,
a mark (C the source documents of Lioresal, F found in public material, K general knowledge, D a design default of ours) and the
place it comes from; each file has an author, another person as checker, and the day of its next review.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from baclofen_rules.findings import Citation
from baclofen_rules.medicines import OwnMedicine, own_medicine
from baclofen_rules.profiles.limits import InvalidProfile, Parameter

__all__ = ["InvalidProfile", "Profile", "Section"]


class Section(NamedTuple):
    """The part of a profile for one rule: parameters, and citations of the rule itself."""

    parameters: Mapping[str, Parameter]
    basis: tuple[Citation, ...]

    @property
    def citations(self) -> tuple[Citation, ...]:
        """All places this section cites, each once, in the order of the file."""
        cited = [entry.citation for parameter in self.parameters.values() for entry in parameter.entries]
        return tuple(dict.fromkeys([*self.basis, *cited]))


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile as it stands in its file. ``digest`` changes with its content, not with its layout or comments."""

    name: str
    title: str
    author: str
    checker: str
    checked_on: date | None
    """None until it is checked."""
    next_review: date
    digest: str
    terms: Section
    sections: Mapping[str, Section]
    on: date | None = None
    """Fixes the day whose numbers are used; None: the day of each case."""
    parent: str = ""
    """The shipped profile whose numbers stand in for what this one does not know; empty for a shipped one."""
    fallbacks: tuple[str, ...] = ()
    """The rules and numbers that come from the parent because no file of this profile has them: ``rules.form``."""
    medicine: OwnMedicine = field(default_factory=own_medicine, repr=False)
    """The medicine that the profile is about."""
    changes: tuple[date, ...] = field(init=False, repr=False, compare=False)
    """Days on which a number changes, oldest first; the first is the one from which on every number is in force."""
    bound: dict[date, Any] = field(init=False, repr=False, compare=False)
    """The rule book's own memory of numbers already picked for a day."""

    def __post_init__(self) -> None:
        days = [
            [entry.since for entry in parameter.entries]
            for section in (self.terms, *self.sections.values())
            for parameter in section.parameters.values()
        ]
        first = max((min(since) for since in days), default=date.max)
        changes = {first, *(day for since in days for day in since if day > first)} if days else ()
        object.__setattr__(self, "changes", tuple(sorted(changes)))
        object.__setattr__(self, "bound", {})

    def is_due_for_review(self, on: date) -> bool:
        """Return whether the day of the next review has passed."""
        return on > self.next_review

    def __hash__(self) -> int:
        return hash((self.name, self.digest, self.on))
