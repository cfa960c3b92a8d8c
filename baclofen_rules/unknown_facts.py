"""Facts that were asked and nobody knows, where another answer would forbid a start or a rise, or ask for an override."""

from collections.abc import Mapping
from typing import Any, Final

from baclofen_rules.case import Action, Case
from baclofen_rules.continuing import was_asked
from baclofen_rules.facts import Condition
from baclofen_rules.findings import Severity
from baclofen_rules.medicines import Medicine
from baclofen_rules.profiles import Profile
from baclofen_rules.review import Review, review
from baclofen_rules.rulebook import rulebook
from baclofen_rules.terms import Terms

GRAVEST_ANSWERS: Final[Mapping[str, Any]] = {
    "pregnant": True,
    "breastfeeding": True,
    "intrathecal_pump": True,
    "alcohol_use": True,
    "anaesthesia_planned": True,
    "allergies": ("baclofen",),
    "conditions": tuple(Condition),
    "medicines": (Medicine("sodium oxybate", "N07XX04"), Medicine("morphine", "N02AA01")),
}
"""The gravest answer to each fact. The kidneys are not among them: `renal-unknown` asks about them by itself."""
ONLY_AT_A_START: Final = frozenset({"alcohol_use"})
"""Not asked at a rise: the label warns of it whether or not it is known, and one rise is to ask for two answers at most [D]."""


def find_grave_unknowns(case: Case, profile: Profile, reviewed: Review) -> tuple[str, ...]:
    """Return the names of the facts that are not known and whose gravest answer would stop the supply or ask for an override.

    Only of a start or a rise, and only of facts that need not be asked again yet. `reviewed` is the review of the case: what
    it finds already is no question of a fact.
    """
    book = rulebook(profile, profile.on or case.on)
    names = [name for name in GRAVEST_ANSWERS if was_asked(case.patient, name, case.on, book.terms)]
    if not names or case.action is not Action.DISPENSE:
        return ()
    terms = Terms(case, book.terms, book.habits)
    if terms.goes_on:
        return ()
    if terms.is_continuing:
        names = [name for name in names if name not in ONLY_AT_A_START]
    before = {finding.code: finding.severity.rank for finding in reviewed.findings}
    grave = Severity.OVERRIDE.rank

    def would_ask(name: str) -> bool:
        patient = case.patient._replace(**{name: GRAVEST_ANSWERS[name]})
        return any(
            finding.severity.rank >= grave and finding.severity.rank > before.get(finding.code, 0)
            for finding in review(case._replace(patient=patient), profile).findings
        )

    return tuple(name for name in names if would_ask(name))
