"""The steps of one release: `steps.py DATABASES TOKEN PATIENT`, run in the folder of its code.

Take back what was handed over to the patient of this number before, where there is one; then take in an order and hand it over.
"""

from __future__ import annotations

import json
import sys
import uuid
from typing import Any

import django
from django.conf import settings
from django.db import connections

databases, token, patient_number = json.loads(sys.argv[1]), *sys.argv[2:]
django.setup()
for alias, values in databases.items():
    settings.DATABASES[alias].update(values)
    connections[alias].settings_dict.update(values)
settings.ALLOWED_HOSTS = ["*"]

from django.test import Client  # noqa: E402  (Django is set up first)

from tests.dispensary.api.conftest import hand_over, order  # noqa: E402  (its models ask for Django as well)

API = "/api/v1/"


def call(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send a request; return the body of its answer. Raises SystemExit for one that is no success."""
    headers = {"Authorization": f"Token {token}", "Idempotency-Key": uuid.uuid4().hex, "If-Match": "*"}
    sent = b"" if body is None else json.dumps(body, default=str).encode()
    answer = Client().generic(method, API + path, sent, "application/json", headers=headers)
    if not 200 <= answer.status_code < 300:
        raise SystemExit(f"{method} {path}: {answer.status_code} {answer.content.decode()[:2000]}")
    document: dict[str, Any] = answer.json()
    return document


for earlier in call("GET", "prescriptions/")["results"]:
    prescription = call("GET", f"prescriptions/{earlier['id']}/")
    if prescription["patient"]["identifier"] == patient_number and prescription["status"] == "completed":
        for supply in prescription["dispenses"]:
            call("POST", f"dispenses/{supply['id']}/cancel/", {"reason": "an upgrade is tried"})
        call("POST", f"prescriptions/{earlier['id']}/cancel/", {"reason": "an upgrade is tried"})

patient = order()["patient"] | {"identifier": patient_number, "family_name": f"Upgrade {patient_number}"}
received = call("POST", "prescriptions/", order(patient=patient))
place = f"prescriptions/{received['prescription']['id']}/"
call("GET", place)
call("POST", f"{place}dispenses/", hand_over())
