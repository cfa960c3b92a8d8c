"""What a rule can say: a finding, or the facts it lacks. Codes of NCPDP DUR/PPS and FHIR DetectedIssue."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How much a finding asks for, mildest first. Their order never changes."""

    INFORMATION = "information"
    """Shown; asks nothing."""
    ACKNOWLEDGE = "acknowledge"
    """Shown; one step by any dispenser."""
    OVERRIDE = "override"
    """Stops the supply until a pharmacist answers it with a coded reason and words."""
    STOP = "stop"
    """Cannot be dispensed as presented: correct the prescription, the pick or the patient's record."""

    @property
    def rank(self) -> int:
        """0 for information up to 3 for stop."""
        return _RANK[self]


_RANK = {severity: rank for rank, severity in enumerate(Severity)}


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
    PREGNANCY = "PREG"
    TOO_LATE = "TOOLATE"
    TOO_SOON = "TOOSOON"
    PRODUCT = "TPROD"
    WEIGHT = "WGHT"


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a number or a rule comes from; mark C, F, K or D as in the profile files."""

    mark: str
    title: str
    where: str

    def to_json(self) -> dict[str, str]:
        return {"mark": self.mark, "title": self.title, "where": self.where}


Facts = Mapping[str, Any]
"""Named amounts as decimal strings, words, or lists of them: ready for JSON."""


@dataclass(frozen=True, slots=True)
class Found:
    """A rule's words before the review adds code and sources.

    ``summary`` is one sentence under 140 characters with the numbers in it, ``detail`` shows the arithmetic.
    """

    severity: Severity
    summary: str
    detail: str
    observed: Facts | None = None
    limit: Facts | None = None
    dur: Dur | None = None
    detected_issue: DetectedIssue | None = None
    suggestion: Facts | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """The facts a rule lacks, by their JSON path in the case."""

    facts: tuple[str, ...]
    code: str | None = None


Answer = tuple[Found | Missing, ...]
"""What a rule returns: findings, facts it lacks, both, or nothing when it stays clear."""

CLEAR: Answer = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a rule has to say, complete."""

    code: str
    severity: Severity
    summary: str
    detail: str
    observed: Facts
    limit: Facts
    dur: Dur | None
    detected_issue: DetectedIssue | None
    sources: tuple[Citation, ...]
    suggestion: Facts | None

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "severity": str(self.severity),
            "summary": self.summary,
            "detail": self.detail,
            "observed": dict(self.observed),
            "limit": dict(self.limit),
            "dur": None if self.dur is None else str(self.dur),
            "detected_issue": None if self.detected_issue is None else str(self.detected_issue),
            "sources": [source.to_json() for source in self.sources],
            "suggestion": None if self.suggestion is None else dict(self.suggestion),
        }


@dataclass(frozen=True, slots=True)
class NotAssessed:
    """A rule that could not be applied, and the facts it lacks."""

    code: str
    missing: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "missing": list(self.missing)}
