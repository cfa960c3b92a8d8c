"""The answer to an order as an OperationOutcome: one issue for each finding, each rule not assessed, each note."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dispensary.assessment import ANSWERED_BY_THE_SCAN
from dispensary.errors import Problem
from dispensary.models import FindingSeverity

RULES = "urn:dispensary:rule"
"""The system of rule codes in `details.coding`."""
_SEVERITY = {
    FindingSeverity.STOP: "error",
    FindingSeverity.OVERRIDE: "error",
    FindingSeverity.ACKNOWLEDGE: "warning",
    FindingSeverity.INFORMATION: "information",
}
_MEDICINE, _DOSES, _REQUEST = (
    "MedicationRequest.medication",
    "MedicationRequest.dosageInstruction",
    "MedicationRequest.dispenseRequest",
)
_ELEMENTS = {
    "medicine": _MEDICINE,
    "form": _MEDICINE,
    "strength": _MEDICINE,
    "measurable-dose": _MEDICINE,
    "route": f"{_DOSES}.route",
    "quantity": f"{_REQUEST}.quantity",
    "days-supply": f"{_REQUEST}.quantity",
    "prescription-expiry": "MedicationRequest.authoredOn",
    "directions": _DOSES,
    "unit": f"{_DOSES}.doseAndRate",
    "tenfold": f"{_DOSES}.doseAndRate",
    "single-dose": f"{_DOSES}.doseAndRate",
    "single-dose-rise": f"{_DOSES}.doseAndRate",
    "frequency": f"{_DOSES}.timing",
    "daily-maximum": _DOSES,
    "dose-per-weight": _DOSES,
    "starting-dose": _DOSES,
    "usual-range": _DOSES,
    "titration-step": _DOSES,
    "titration-interval": _DOSES,
    "taper-step": _DOSES,
    "taper-interval": _DOSES,
    "taper-duration": _DOSES,
    "prescription.medicine": _MEDICINE,
    "prescription.brand": _MEDICINE,
    "prescription.form": _MEDICINE,
    "prescription.strength_mg": _MEDICINE,
    "prescription.route": f"{_DOSES}.route",
    "prescription.phases": _DOSES,
    "prescription.quantity": f"{_REQUEST}.quantity",
    "prescription.repeats": f"{_REQUEST}.numberOfRepeatsAllowed",
    "prescription.written_on": "MedicationRequest.authoredOn",
    "prescription.then_stop": "MedicationRequest.courseOfTherapyType",
}
"""The element of an order that a rule, or a fact which a rule lacks, is about; none for facts of the patient."""


def render_review(
    findings: Iterable[Mapping[str, Any]], not_assessed: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the issues of a review: its findings, then the rules that lacked facts; what only waits for the scan is none."""
    lacking = [rule for rule in not_assessed if set(rule["missing"]) != ANSWERED_BY_THE_SCAN]
    return [*map(_render_finding, findings), *map(_render_not_assessed, lacking)]


def _render_finding(finding: Mapping[str, Any]) -> dict[str, Any]:
    """Return the issue of a finding as the review has it."""
    issue = _render_rule(finding["code"], f"{finding['summary']}. {finding['detail']}".strip())
    severity = _SEVERITY[FindingSeverity(finding["severity"])]
    diagnostics = f"{finding['code']}: {finding['summary']}"
    return (
        issue
        | {"severity": severity, "code": "business-rule", "diagnostics": diagnostics}
        | _expression([finding["code"]])
    )


def _render_not_assessed(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return the issue of a rule that lacked facts."""
    missing = ", ".join(rule["missing"])
    issue = _render_rule(rule["code"], f"Not assessed: not known is {missing}.")
    diagnostics = f"{rule['code']}: not assessed without {missing}"
    return (
        issue | {"severity": "warning", "code": "required", "diagnostics": diagnostics} | _expression(rule["missing"])
    )


def render_note(note: str, severity: str = "warning") -> dict[str, Any]:
    """Return the issue of a note, which begins with the FHIRPath of its element."""
    path, _, _ = note.partition(": ")
    return render_words(note, severity) | ({"expression": [path]} if " " not in path else {})


def render_problem(problem: Problem, code: str = "invalid") -> dict[str, Any]:
    """Return the issue of something that is asked back, or was refused."""
    words = " ".join(filter(None, [f"{problem.expected} expected, {problem.given} given.", problem.next]))
    issue = {"severity": "error", "code": code, "diagnostics": words}
    return issue | ({"expression": [problem.field]} if problem.field else {})


def render_words(words: str, severity: str = "information") -> dict[str, Any]:
    """Return an issue of words alone."""
    return {"severity": severity, "code": "informational", "diagnostics": words}


def _render_rule(code: str, text: str) -> dict[str, Any]:
    return {"details": {"coding": [{"system": RULES, "code": code}], "text": text}}


def _expression(names: Iterable[str]) -> dict[str, Any]:
    elements = list(dict.fromkeys(_ELEMENTS[name] for name in names if name in _ELEMENTS))
    return {"expression": elements} if elements else {}
