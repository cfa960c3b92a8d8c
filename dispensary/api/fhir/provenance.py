"""The people behind a hand-over as a FHIR R4 Provenance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispensary.api.fhir.values import coded, drop_empty, reference
from dispensary.models import Dispense, Override, Source

_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def provenance(dispense: Dispense, answers: Sequence[Override]) -> dict[str, Any]:
    """Return who handed over, who typed it in later, and who signed what stood in the way; the entry of the log is its entity."""
    signers = [(answer.signed_by, answer.signer_name) for answer in answers]
    signers += [(s.signed_by, s.signer_name) for answer in answers if (s := getattr(answer, "second", None))]
    agents = [("performer", dispense.dispensed_by, dispense.dispenser_name)]
    if dispense.is_late_entry:
        agents.append(("enterer", dispense.recorded_by, dispense.recorder_name))
    agents += [("verifier", *signer) for signer in dict.fromkeys(signers)]
    is_ordered = dispense.prescription.source != Source.EMERGENCY
    return drop_empty(
        {
            "resourceType": "Provenance",
            "id": str(dispense.pk),
            "target": [reference("MedicationDispense", dispense.pk)],
            "occurredDateTime": dispense.handed_over_at.isoformat(),
            "recorded": (dispense.recorded_at or dispense.handed_over_at).isoformat(),
            "activity": coded("http://terminology.hl7.org/CodeSystem/v3-DataOperation", "CREATE"),
            "agent": [
                {
                    "type": coded(_PARTICIPANT, code),
                    "who": {"identifier": {"value": actor} if actor else {}, "display": name},
                }
                for code, actor, name in agents
            ],
            "entity": [
                *(
                    [{"role": "source", "what": reference("MedicationRequest", dispense.prescription_id)}]
                    if is_ordered
                    else []
                ),
                {"role": "source", "what": reference("AuditEvent", dispense.audit_entry)},
            ],
        }
    )
