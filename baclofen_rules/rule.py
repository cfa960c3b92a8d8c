"""A rule as one typed object; each file in ``rules/`` makes one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, Generic, TypeVar

from baclofen_rules.case import Action
from baclofen_rules.findings import Answer, Facts, Found
from baclofen_rules.terms import Terms

L = TypeVar("L")
EVERY_MEDICINE: Final = ("every",)
"""The medicines of a rule that knows nothing of any one: its numbers and tables are the profile's."""


class OnContinuing(StrEnum):
    """The standing of a finding where the patient is continuing, the dose does not rise, and the same finding was answered before."""

    ASKS = "asks"
    """It asks at each supply."""
    MILDER = "milder"
    """It is one step milder, and information for some days after it was last answered so."""
    INFORMATION = "information"
    """It is information."""
    TOLD = "told"
    """It is information, answered or not."""
    SILENT = "silent"
    """Nothing is found for a continuing patient whose dose does not rise, answered or not."""


@dataclass(frozen=True, slots=True)
class NoLimits:
    """The limits of a rule that reads no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[L]):
    """One safety check with what the review, the profiles and the page of rules need to know of it."""

    code: str
    """Public (API, audit log, profiles); its meaning never changes."""
    limits: type[L]
    """A frozen dataclass of the numbers that the rule reads from a profile (``profiles.limits``), or NoLimits."""
    check: Callable[[Terms, L], Answer]
    """Return findings, the facts that are lacking, both, or CLEAR."""
    explain: Callable[[Terms, L], str]
    """Return one sentence for a clear case: the facts looked at and the limit."""
    serves: tuple[str, ...]
    """The names of the medicines that the rule is about, or EVERY_MEDICINE."""
    text: str
    """The docstring of the file: a title, then paragraphs that begin with Finds, Errs and Source."""
    terms: tuple[str, ...] = ()
    """Names of the shared numbers (``SharedLimits``) that the rule rests on."""
    answers: tuple[str, ...] = ()
    """FHIR mitigation codes that commonly answer its findings."""
    clears: tuple[str, ...] = ()
    """Sentences of what clears a finding, with names of its limit in braces; the first of which the limit has every name is said."""
    choose_clearing: Callable[[Facts, Facts], str] | None = None
    """The same sentence where it depends on the finding, from its ``observed`` and ``limit``; empty where nothing clears it."""
    clears_on: Callable[[Facts, Facts, date], date] | None = None
    """The day from which a finding about time is no longer made, from its ``observed``, ``limit`` and the day of the review."""
    nothing_clears: str = ""
    """The reason, where no correction clears a finding."""
    actions: tuple[Action, ...] = (Action.DISPENSE,)
    """The actions that the rule is about."""
    needs_dose: bool = False
    """True: not applied where there is no dose, or where route or unit make the dose unbelievable."""
    switches_off: bool = False
    """True: a finding of this rule makes the dose unbelievable."""
    needs_record: bool = False
    """True: asked only of cases of the second format, whose therapy it reads."""
    ends_review: bool = False
    """True: after a finding of this rule nothing else is asked."""
    is_about_product: bool = False
    """True: asked once for each strength of an order that has several."""
    is_for_pharmacist: bool = False
    """True: also an acknowledgement of this rule is a pharmacist's."""
    on_continuing: OnContinuing = OnContinuing.ASKS
    """What becomes of a finding that was answered before, for a continuing patient whose dose does not rise."""
    why_continuing: str = ""
    """The reason for it, for the page of rules; empty: what the rule reads changes with each order or supply."""
    gather: Callable[[tuple[str, ...]], Found] | None = None
    """Return one finding for several of other rules, by their codes, that a rise asks again although they were answered."""
    covers: tuple[str, ...] = ()
    """Codes of rules whose milder findings are information beside a finding of this rule that asks: one answer for all."""
    rests_on: tuple[str, ...] = ()
    """Names of the patient's facts that a finding rests on: one that changed after the answer is asked about again."""
    group: str = ""
    """The code under which several rules together report lacking facts; empty: the rule's own code."""

    def is_for(self, medicine: str) -> bool:
        """Return whether the rule is asked for a medicine."""
        return self.serves == EVERY_MEDICINE or medicine in self.serves
