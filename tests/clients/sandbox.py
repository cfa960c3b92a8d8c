"""The public CDS Hooks Sandbox, driven in Chromium against us and a small FHIR server: `make sandbox SANDBOX=<folder>`.

The folder holds its sources, built: `git clone`, `npm ci --ignore-scripts`, `npx webpack --config webpack.config.prod.js`.
It signs its calls with a key that its sources publish, which only a test may list.
"""

from __future__ import annotations

import functools
import json
import os
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from dispensary.actions import pharmacies
from dispensary.actors import Actor
from dispensary.models import CardFeedback, HookCard, StaffRole
from tests.dispensary import make
from tests.dispensary.api.cds_hooks.fhir_server import Hospital, serving
from tests.dispensary.api.cds_hooks.test_fetching import MORPHINE
from tests.dispensary.api.test_cds_hooks import ID, PATIENT

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SANDBOX = Path(os.environ["SANDBOX"])
ISSUER = "https://sandbox.cds-hooks.org"


@pytest.fixture
def ehr() -> Iterator[str]:
    """The sandbox's pages on a port of this machine."""
    handler = functools.partial(_QuietHandler, directory=str(SANDBOX / "build"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def hospital() -> Iterator[Hospital]:
    with serving(PATIENT, MORPHINE) as server:
        yield server


@pytest.fixture
def page(
    browser: Browser, ehr: str, hospital: Hospital, live_server: Any, settings: Any, machine_clock: None
) -> Iterator[Page]:
    """The sandbox with our services, where a medicine is chosen."""
    make.products()
    shop = make.pharmacy(now=timezone.now(), time_zone="UTC")
    pharmacies.grant_access(
        user=get_user_model().objects.create_user(username="sandbox"), pharmacy=shop, role=StaffRole.TECHNICIAN,
        display_name="Sandbox", is_service=True, by=Actor.system("setup", shop.pk), now=timezone.now(),
    )  # fmt: skip
    keys = json.loads((SANDBOX / "build" / ".well-known" / "jwks.json").read_text())
    settings.DISPENSARY = settings.DISPENSARY | {
        "cds_clients": {ISSUER: {"user": "sandbox", "keys": keys}},
        "cds_origins": (ehr,),
    }
    query = {
        "hook": "order-select", "screen": "rx-view", "fhirServiceUrl": hospital.base, "patientId": ID,
        "serviceDiscoveryURL": f"{live_server.url}/cds-services",
    }  # fmt: skip
    context = browser.new_context()
    window = context.new_page()
    window.goto(f"{ehr}/index.html?{urlencode(query)}")
    yield window
    if "PICTURES" in os.environ:
        window.screenshot(path=f"{os.environ['PICTURES']}/sandbox.png", full_page=True)
    context.close()


def test_the_sandbox_shows_our_cards_and_sends_feedback_on_them(page: Page) -> None:
    page.locator("input[name=medication-input]").fill("Baclofen 10 MG Oral Tablet")
    page.get_by_text("Baclofen 10 MG Oral Tablet [Lioresal]").first.click()
    page.locator("input[name=dosage-amount]").fill("5")
    page.locator("#dosage-frequency").click()
    page.get_by_role("option", name="four times daily").click()
    card = page.locator(".MuiCard-root", has_text="200 mg a day is above the 100 mg daily maximum").first
    expect(card).to_be_visible(timeout=60_000)
    assert {"daily-maximum", "interaction-opioid"} <= set(HookCard.objects.values_list("code", flat=True))
    card.get_by_label("select dismiss reason").click()
    with page.expect_response(
        lambda response: response.url.endswith("/feedback") and response.request.method == "POST"
    ) as sent:
        page.get_by_role("menuitem").first.click()
    assert sent.value.status == 200
    feedback = CardFeedback.objects.select_related("card").get()
    assert feedback.card is not None
    assert (feedback.card.code, feedback.outcome, bool(feedback.reason_code)) == ("daily-maximum", "overridden", True)
