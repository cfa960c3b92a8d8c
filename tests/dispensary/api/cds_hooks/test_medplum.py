"""Medplum's client of CDS Hooks, a program of others: it discovers, resolves the prefetch, calls and sends feedback."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone

from dispensary.api.cds_hooks.services import PREFETCH, SERVICES
from dispensary.models import CardFeedback, HookCard, StaffMember
from tests.clients import run_node
from tests.dispensary import make
from tests.dispensary.api.cds_hooks.fhir_server import serving
from tests.dispensary.api.cds_hooks.test_fetching import MORPHINE
from tests.dispensary.api.test_cds_hooks import ID, PATIENT, bearer, bundle, draft, no_empty_value
from tests.dispensary.fhir.orders import daily, days, line, mg


@pytest.fixture
def shop(transactional_db: None, machine_clock: None) -> Any:
    """Seen by the server's own connections."""
    make.products()
    return make.pharmacy(now=timezone.now(), time_zone="UTC")


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_medplum_gets_cards_from_every_service_and_its_feedback_is_kept(
    live_server: Any, listed: None, key: ec.EllipticCurvePrivateKey, program: StaffMember, service: str
) -> None:
    order = draft(line(mg(35), daily(3, boundsDuration=days(28))))
    verified = {"medication": order} if service == "baclofen-verify" else {"draftOrders": bundle(order)}
    context = {"userId": "Practitioner/77", "patientId": ID, "selections": ["MedicationRequest/r1"]} | verified
    address = f"{live_server.url}/cds-services/{service}"
    with serving(PATIENT, MORPHINE) as hospital:
        answers = run_node(
            "call.mjs",
            {
                "site": live_server.url,
                "fhir": hospital.base,
                "authorization": {
                    "service": bearer(key, aud=address)["Authorization"],
                    "feedback": bearer(key, aud=f"{address}/feedback")["Authorization"],
                },
                "service": service,
                "context": context,
                "user": {"resourceType": "Practitioner", "id": "77"},
                "at": "2026-11-29T10:00:00Z",
            },
        )
        assert len(hospital.requests) == len(PREFETCH)
    assert set(answers["request"]["prefetch"]) == set(PREFETCH)
    cards = answers["answer"]["cards"]
    assert any("105 mg a day" in card["summary"] for card in cards)
    assert all(map(no_empty_value, cards))
    assert "interaction-opioid" in set(HookCard.objects.values_list("code", flat=True))
    assert set(CardFeedback.objects.values_list("client", flat=True)) == {f"user:{program.user_id}"}
    assert {str(pk) for pk in CardFeedback.objects.values_list("card_id", flat=True)} == {
        card["uuid"] for card in cards
    }
