"""The services that discovery lists: one for each hook, all with the same prefetch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dispensary.fhir.facts import EGFR, LOINC, PREGNANCY, WEIGHT

_PATIENT: Final = "{{context.patientId}}"


def _newest(codes: frozenset[str]) -> str:
    listed = ",".join(f"{LOINC}|{code}" for code in sorted(codes))
    return f"Observation?patient={_PATIENT}&code={listed}&_sort=-date&_count=1"


PREFETCH: Final[Mapping[str, str]] = {
    "patient": f"Patient/{_PATIENT}",
    "medications": f"MedicationRequest?patient={_PATIENT}&status=active&_include=MedicationRequest:medication",
    "dispenses": f"MedicationDispense?patient={_PATIENT}&status=completed&_include=MedicationDispense:medication",
    "conditions": f"Condition?patient={_PATIENT}&clinical-status=active",
    "allergies": f"AllergyIntolerance?patient={_PATIENT}&clinical-status=active",
    "weight": _newest(WEIGHT),
    "egfr": _newest(EGFR),
    "pregnancy": _newest(PREGNANCY),
}
"""FHIR queries by key. A key that is left out is "not supplied": what it would say is then not known."""
RESULTS: Final[Mapping[str, frozenset[str]]] = {
    key: frozenset(
        {query.partition("?")[0].partition("/")[0], *(["MedicationStatement"] if key == "medications" else [])}
    )
    for key, query in PREFETCH.items()
}
"""The types of the resources that each query answers with; medicines that a patient takes may be statements, too."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service of one hook."""

    id: str
    hook: str
    title: str
    description: str

    def to_json(self) -> dict[str, Any]:
        """Return the service as discovery lists it."""
        return {
            "hook": self.hook,
            "id": self.id,
            "title": self.title,
            "description": self.description,
            "prefetch": dict(PREFETCH),
            "usageRequirements": "Orders for oral baclofen are reviewed; about other medicines nothing is said. "
            "`patient` is required, and what else is not supplied is named in a card as not assessed. What is not sent along is "
            "asked at `fhirServer`, where it is listed here.",
        }


_REVIEWS = "Reviews an order for oral baclofen: dose, maximum, start, steps up and down, interactions, kidneys, supply."
SERVICES: Final[Mapping[str, Service]] = {
    service.id: service
    for service in (
        Service("baclofen-verify", "medication-verify", "Baclofen: verify an order", _REVIEWS),
        Service("baclofen-sign", "order-sign", "Baclofen: sign an order", _REVIEWS),
        Service("baclofen-select", "order-select", "Baclofen: choose an order", _REVIEWS),
        Service("baclofen-refill", "medication-refill", "Baclofen: a refill is asked for", _REVIEWS),
    )
}
