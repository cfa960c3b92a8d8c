"""Answers of a rule: findings, and facts that it lacks. Codes of NCPDP DUR/PPS and FHIR DetectedIssue."""

import hashlib
import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple, ParamSpec, Self


class Severity(StrEnum):
    """The weight of a finding, mildest first; the order never changes."""

    rank: int
    """0 for information up to 3 for stop."""

    def __new__(cls, word: str) -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.rank = len(cls.__members__)
        return member

    INFORMATION = "information"
    """Shown; asks nothing."""
    ACKNOWLEDGE = "acknowledge"
    """Shown; one step by any dispenser."""
    OVERRIDE = "override"
    """Stops the supply until a pharmacist answers it with a coded reason and words."""
    STOP = "stop"
    """Cannot be dispensed as presented: correct the prescription, the pick or the patient's record."""

    @property
    def milder(self) -> "Severity":
        """The severity one step below; information stays."""
        return list(Severity)[max(0, self.rank - 1)]


class Outcome(StrEnum):
    """The highest severity among the findings, information not counted."""

    PASS = "pass"  # noqa: S105 - the word for a clear review, not a secret
    ACKNOWLEDGE = "acknowledge"
    OVERRIDE = "override"
    STOP = "stop"


class Dur(StrEnum):
    """Reason for service (NCPDP field 439-E4), those that the rules use."""

    AUTHENTICATION = "AN"
    ADDITIVE_TOXICITY = "AT"
    ALLERGY = "DA"
    INTERACTION = "DD"
    LAB_CONFLICT = "DL"
    DOSE_RANGE = "DR"
    EDUCATION = "ED"
    OVERUSE = "ER"
    EXCESSIVE_QUANTITY = "EX"
    HIGH_DOSE = "HD"
    INGREDIENT_DUPLICATION = "ID"
    LOW_DOSE = "LD"
    UNDERUSE = "LR"
    DISEASE_REPORTED = "MC"
    INSUFFICIENT_DURATION = "MN"
    MISSING_INFORMATION = "MS"
    LACTATION = "NR"
    INSUFFICIENT_QUANTITY = "NS"
    ALCOHOL = "OH"
    AGE = "PA"
    PREGNANCY = "PG"
    PRODUCT_SELECTION = "PS"
    DOSAGE_FORM = "SF"
    REGIMEN = "SR"
    THERAPEUTIC_DUPLICATION = "TD"
    LAB_TEST_NEEDED = "TN"


class DetectedIssue(StrEnum):
    """FHIR DetectedIssue codes (system v3-ActCode), those that the rules use."""

    AGE = "AGE"
    ALLERGY = "ALGY"
    CONDITION = "COND"
    DOSE = "DOSE"
    DOSE_CONDITION = "DOSECOND"
    DURATION_HIGH = "DOSEDURH"
    DURATION_LOW = "DOSEDURL"
    DOSE_HIGH = "DOSEH"
    DOSE_HIGH_FOR_AGE = "DOSEHINDA"
    DOSE_HIGH_FOR_WEIGHT = "DOSEHINDW"
    INTERVAL = "DOSEIVL"
    DOSE_LOW = "DOSEL"
    DRUG = "DRG"
    DUPLICATE_CLASS = "DUPTHPCLS"
    DUPLICATE_INGREDIENT = "DUPTHPGEN"
    FULFILMENT = "FULFIL"
    GERIATRIC = "GEALRT"
    LAB = "LAB"
    LACTATION = "LACT"
    MAXIMUM_DOSE = "MDOSE"
    NOT_EQUIVALENT = "NOTEQUIV"
    PAEDIATRIC = "PEALRT"
    POLY_PRESCRIBER = "PLYDOC"
    PREGNANCY = "PREG"
    TIMING = "TIMING"
    TOO_LATE = "TOOLATE"
    TOO_SOON = "TOOSOON"
    PRODUCT = "TPROD"
    WEIGHT = "WGHT"


class Citation(NamedTuple):
    """The source of a number or a rule; mark C, F, K or D as in the profile files."""

    mark: str
    title: str
    where: str

    def to_json(self) -> dict[str, str]:
        return {"mark": self.mark, "title": self.title, "where": self.where}


Facts = Mapping[str, Any]
"""Named amounts as decimal strings, words, or lists of them: ready for JSON."""
P = ParamSpec("P")
NO_FACTS: Final[Facts] = {}


class Words(NamedTuple):
    """The text of a finding: ``summary`` is one sentence under 140 characters with the numbers in it, ``detail`` shows the
    arithmetic, ``observed`` and ``limit`` hold the same numbers for a machine."""

    summary: str
    detail: str
    observed: Facts = NO_FACTS
    limit: Facts = NO_FACTS
    dur: Dur | None = None
    detected_issue: DetectedIssue | None = None
    suggestion: Facts | None = None


class Found:
    """A rule's finding before the review adds code and sources.

    A rule decides at once and writes later: ``say`` with its arguments gives the words, the same ones whenever it is asked.
    """

    __slots__ = ("_say", "_seen", "asks_each_time", "is_no_worse_than", "severity")

    def __init__(self, severity: Severity, say: Callable[P, Words], *arguments: P.args, **_: P.kwargs) -> None:
        self.severity = severity
        self.asks_each_time = False
        """True: it asks at each supply, also where its rule eases what was answered before."""
        self.is_no_worse_than: Callable[[Facts], bool] | None = None
        """Say of what an earlier finding ``observed`` whether an answer to that one answers this one too; None: only to the same."""
        self._say: Callable[..., Words] = say
        self._seen = arguments

    @property
    def words(self) -> Words:
        return self._say(*self._seen)

    def at_most(self, severity: Severity) -> "Found":
        """Return the same answer with a severity that is not above another."""
        return self if self.severity.rank <= severity.rank else Found(severity, self._say, *self._seen)


class Missing:
    """The facts a rule lacks, by their JSON path in the case."""

    __slots__ = ("facts",)

    def __init__(self, facts: tuple[str, ...]) -> None:
        self.facts = facts


Answer = tuple[Found | Missing, ...]
"""What a rule returns: findings, facts it lacks, both, or nothing when it stays clear."""

CLEAR: Answer = ()


class Finding:
    """One finding of a rule, complete; its words are written when they are first read, and never change."""

    __slots__ = ("_reason", "_said", "_suggest", "_words", "code", "severity", "sources")

    def __init__(self, code: str, severity: Severity, parts: tuple[Found, ...], sources: tuple[Citation, ...]) -> None:
        self.code, self.severity, self.sources = code, severity, sources
        self._said = parts
        self._reason = ""
        self._suggest: Callable[[], Facts | None] | None = None
        self._words: Words | None = None

    @property
    def words(self) -> Words:
        """Return the words of the first gravest answer, with the details of the others."""
        if self._words is None:
            first = next(part for part in self._said if part.severity is self.severity)
            words = first.words
            others = [part.words.detail for part in self._said if part is not first]
            if others:
                words = words._replace(detail=" ".join([words.detail, *others]))
            if self._reason:
                words = words._replace(detail=f"{words.detail} {self._reason}")
            suggestion = None if self._suggest is None else self._suggest()
            self._words = words if suggestion is None else words._replace(suggestion=suggestion)
        return self._words

    @property
    def summary(self) -> str:
        return self.words.summary

    @property
    def detail(self) -> str:
        return self.words.detail

    @property
    def observed(self) -> Facts:
        return self.words.observed

    @property
    def limit(self) -> Facts:
        return self.words.limit

    @property
    def dur(self) -> Dur | None:
        return self.words.dur

    @property
    def detected_issue(self) -> DetectedIssue | None:
        return self.words.detected_issue

    @property
    def suggestion(self) -> Facts | None:
        return self.words.suggestion

    def suggesting(self, suggest: Callable[[], Facts | None]) -> "Finding":
        """The same finding with the suggestion that ``suggest`` works out; None leaves it as it is."""
        finding = Finding(self.code, self.severity, self._said, self.sources)
        finding._suggest = suggest
        return finding

    def at_most(self, severity: Severity, reason: str) -> "Finding":
        """The same finding, not above a severity, with a sentence at the end of its detail that says why."""
        finding = Finding(self.code, severity, tuple([part.at_most(severity) for part in self._said]), self.sources)
        finding._reason = reason
        return finding

    def is_no_worse_than(self, observed: Facts) -> bool:
        """Say whether an answer to an earlier finding, by what that observed, answers this one too."""
        return any(part.is_no_worse_than is not None and part.is_no_worse_than(observed) for part in self._said)

    @property
    def fingerprint(self) -> str:
        """A hash of what was found: the same finding on the same facts has the same one."""
        facts = {name: value for name, value in self.to_json().items() if name not in {"sources", "suggestion"}}
        text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        words = self.words
        return {
            "code": self.code,
            "severity": str(self.severity),
            "summary": words.summary,
            "detail": words.detail,
            "observed": dict(words.observed),
            "limit": dict(words.limit),
            "dur": None if words.dur is None else str(words.dur),
            "detected_issue": None if words.detected_issue is None else str(words.detected_issue),
            "sources": [source.to_json() for source in self.sources],
            "suggestion": None if words.suggestion is None else dict(words.suggestion),
        }

    def __eq__(self, other: object) -> bool:
        return self.to_json() == other.to_json() if isinstance(other, Finding) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.code, self.severity))

    def __repr__(self) -> str:
        return f"Finding({self.code!r}, {self.severity.value!r}, {self.summary!r})"


class NotAssessed(NamedTuple):
    """A rule that could not be applied, and the facts it lacks."""

    code: str
    missing: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "missing": list(self.missing)}
