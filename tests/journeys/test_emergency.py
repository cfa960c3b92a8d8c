"""From the withdrawal-risk list to the label of an emergency supply, in a real Chromium by keyboard and scanner."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.models import Dispense, Patient, StaffMember, WorklistItem
from tests.dispensary import make
from tests.journeys.browsing import check_page, open_window, sign_in, type_as_a_scanner

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def without_tablets(pharmacist: StaffMember) -> Patient:
    """Somebody whose tablets of 30 mg a day ended yesterday, and whose order is used up."""
    make.products()
    now = timezone.now() - timedelta(days=28)
    patient = make.patient(pharmacist.pharmacy, now=now)
    order = make.prescription(
        patient,
        now=now,
        phases=[{"doses": [10, 10, 10], "unit": "mg", "days": 28}],
        directions="10 mg three times a day for 28 days",
        quantity=84,
    )
    make.hand_over(order, pharmacist.actor(), now=now)
    return patient


def test_from_the_risk_list_to_the_label(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, without_tablets: Patient
) -> None:
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.follow("Alt+r")
        expect(page.locator("[data-row]").first).to_be_focused()
        check_page(window, "risk-list")
        window.tab_to(page.get_by_role("link", name="Emergency supply"))
        window.follow("Enter")
        expect(page.get_by_text("Take 10 mg three times a day")).to_be_visible()
        expect(page.locator("#id_days")).to_be_focused()
        check_page(window, "emergency")
        page.keyboard.press("Control+a")
        page.keyboard.type("3")
        window.follow("F9")

        expect(page.get_by_role("heading", name="Emergency supply", exact=True)).to_be_visible()
        check_page(window, "emergency-check")
        window.follow("F8")
        window.tab_to(page.get_by_role("radio", name="Consulted prescriber", exact=True))
        page.keyboard.press("Space")
        window.tab_to(page.get_by_label("In your own words"))
        page.keyboard.type("The surgery is closed until Monday.")
        window.tab_to(page.get_by_label("Your password"))
        page.keyboard.type(make.PASSWORD)
        window.follow("F9")
        expect(page.locator("#error-summary")).to_contain_text("Name whom you asked or tried to reach")
        check_page(window, "emergency-override")
        window.tab_to(page.get_by_label("Whom you asked"))
        page.keyboard.type("Out of hours service")
        window.tab_to(page.get_by_label("Your password"))
        page.keyboard.type(make.PASSWORD)
        window.follow("F9")

        page.keyboard.press("F2")
        type_as_a_scanner(window)
        expect(page.locator("#id_lot")).to_have_value("LOT7")
        window.follow("F9")
        expect(page.get_by_text("9 tablets of Lioresal 10 mg tablets")).to_be_visible()
        supply = Dispense.objects.get(patient=without_tablets, prescription__source="no-order")
        label = page.request.get(window.site + reverse("counter:label", args=[supply.pk]))
        assert label.body().startswith(b"%PDF")

        window.go(reverse("counter:at-risk"))
        expect(page.get_by_text("owes the order for the emergency supply")).to_be_visible()
        window.tab_to(page.get_by_role("link", name="Say what was done"))
        window.follow("Enter")
        check_page(window, "order-owed")
    assert WorklistItem.objects.get(patient=without_tablets, kind="order-owed").state == "open"
