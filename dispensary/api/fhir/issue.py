"""A finding as a FHIR R4 DetectedIssue, the answer to it as its mitigation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from dispensary.api.fhir.values import ACT_CODE, drop_empty, reference
from dispensary.models import Finding, FindingSeverity, Mitigation, Override

MITIGATION = ACT_CODE
_SEVERITY = {
    FindingSeverity.STOP: "high",
    FindingSeverity.OVERRIDE: "high",
    FindingSeverity.ACKNOWLEDGE: "moderate",
    FindingSeverity.INFORMATION: "low",
}


def detected_issue(
    finding: Finding,
    answer: Override | None,
    *,
    name: str,
    patient: UUID,
    reviewed_at: datetime,
    implicated: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """Return a finding as a resource of the id `name`; `implicated` are references to what it is about."""
    coding = [{"system": ACT_CODE, "code": finding.detected_issue}] if finding.detected_issue else []
    return drop_empty(
        {
            "resourceType": "DetectedIssue",
            "id": name,
            "status": "final",
            "code": drop_empty({"coding": coding, "text": finding.code}),
            "severity": _SEVERITY[FindingSeverity(finding.severity)],
            "patient": reference("Patient", patient),
            "identifiedDateTime": reviewed_at.isoformat(),
            "implicated": list(implicated),
            "detail": f"{finding.summary}. {finding.detail}".strip(),
            "mitigation": _render_mitigations(answer) if answer else [],
        }
    )


def _render_mitigations(answer: Override) -> list[dict[str, Any]]:
    """Return the mitigation of an answer, and the second signature's where there is one."""
    second = getattr(answer, "second", None)
    if second is None:
        return [_render_mitigation(answer)]
    words = f"Signed alone, because {second.because}" if second.is_alone else "Second pharmacist agreed"
    signed = {"date": second.signed_at.isoformat(), "author": {"display": second.signer_name}}
    return [_render_mitigation(answer), {"action": {"text": words}, **signed}]


def _render_mitigation(answer: Override) -> dict[str, Any]:
    """Return the mitigation of an answer; an acknowledgement has words and no code."""
    reason = Mitigation(answer.mitigation) if answer.mitigation else None
    words = answer.words or (str(reason.label) if reason else "Acknowledged")
    action: Mapping[str, Any] = {"text": words}
    if reason:
        action = {"coding": [{"system": MITIGATION, "code": reason.value}], "text": words}
    return {"action": action, "date": answer.signed_at.isoformat(), "author": {"display": answer.signer_name}}
