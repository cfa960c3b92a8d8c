"""From the downtime form to the review of what was typed in from it, in a real Chromium by keyboard alone."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.models import Dispense, Prescription, StaffMember, WorklistItem, WorkState
from tests.dispensary import make
from tests.journeys.browsing import check_page, open_window, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def order(pharmacist: StaffMember) -> Prescription:
    """105 mg a day, taken in three days ago."""
    make.products()
    then = timezone.now() - timedelta(days=3)
    patient = make.patient(pharmacist.pharmacy, now=then, family_name="Novak", given_name="Petra")
    return make.prescription(
        patient,
        now=then,
        phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="35 mg three times a day for 28 days",
        quantity=294,
    )


def test_a_line_of_the_form_is_found_typed_in_and_reviewed(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, order: Prescription
) -> None:
    at = (timezone.now() - timedelta(hours=20)).astimezone(ZoneInfo(pharmacist.pharmacy.time_zone))
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.go(reverse("counter:downtime"))
        expect(page.locator("#q")).to_be_focused()
        check_page(window, "downtime")
        page.locator("#q").focus()
        page.keyboard.type("novak")
        window.follow("Enter")
        check_page(window, "downtime-found")
        window.tab_to(page.get_by_role("link", name="Novak, Petra"))
        window.follow("Enter")

        expect(page.get_by_role("heading", name="Record late for Novak, Petra")).to_be_visible()
        check_page(window, "late-entry")
        window.follow("F9")
        expect(page.locator("#error-summary")).to_be_focused()
        check_page(window, "late-entry-with-errors")
        page.locator("#id_day").fill(f"{at:%Y-%m-%d}")
        page.locator("#id_time").fill(f"{at:%H:%M}")
        for name, words in (("#id_handed_over_by", "Pat Locum"), ("#id_quantity", "294"), ("#id_lot", "LOT7")):
            window.tab_to(page.locator(name))
            page.keyboard.type(words)
        page.locator("#id_gtin").select_option(make.TEN_MG)
        window.tab_to(page.locator("#id_words"))
        page.keyboard.type("Clinic agreed by telephone.")
        window.follow("F9")

        expect(page.get_by_text("Recorded late: typed in on")).to_be_visible()
        check_page(window, "dispensed-late")
        window.tab_to(page.get_by_role("link", name="Review it"))
        window.follow("Enter")
        check_page(window, "late-entry-review")
        window.tab_to(page.get_by_role("radio", name="Spoke to the patient"))
        for _ in range(4):
            page.keyboard.press("ArrowDown")
        expect(page.get_by_role("radio", name="Reviewed what was recorded late")).to_be_checked()
        window.follow("F9")
        expect(page.get_by_role("heading", name="Withdrawal risk")).to_be_visible()
        window.go(reverse("counter:downtime"))
        check_page(window, "downtime-reviewed")
    assert Dispense.objects.get().is_late_entry
    assert WorklistItem.objects.get(kind="late-entry").state == WorkState.RESOLVED
