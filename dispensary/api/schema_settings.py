"""Settings of drf-spectacular for the OpenAPI document; a host site need not repeat them."""

from __future__ import annotations

from typing import Any

from dispensary import __version__

SCHEMA: dict[str, Any] = {
    "TITLE": "Dispensary",
    "DESCRIPTION": "Prescriptions of oral baclofen: review, override, dispense, remind, audit.",
    "VERSION": __version__,
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "PrescriptionStatus": "dispensary.models.PrescriptionStatus",
        "DispenseStatus": "dispensary.models.DispenseStatus",
        "AlertKind": "dispensary.models.AlertKind",
        "DecisionKind": "dispensary.models.DecisionKind",
        "ReminderKind": "dispensary.models.reminders.ReminderKind",
        "CarerRelation": "dispensary.models.CarerRelation",
        "YesOrNo": ["yes", "no"],
        "Verdict": ["yes", "no", "unknown"],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "dispensary.api.schema.add_problems",
        "dispensary.api.examples.add_examples",
    ],
}
