"""The home of the day in a real Chromium: tiles that lead on, charts that are drawn and read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.models import StaffMember
from tests.dispensary import make
from tests.journeys.browsing import check_page, open_window, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_day_is_counted_drawn_and_leads_to_the_queue(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember
) -> None:
    make.products()
    now = timezone.now()
    at, by = pharmacist.pharmacy, pharmacist.actor()
    make.hand_over(make.prescription(make.patient(at, now=now), now=now), by, now=now)
    too_high = {
        "phases": [{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        "quantity": 294,
        "directions": None,
    }
    make.prescription(make.patient(at, now=now, family_name="Waiting"), now=now, **too_high)
    long_ago = now - timedelta(days=40)
    make.hand_over(
        make.prescription(make.patient(at, now=long_ago, family_name="Late"), now=long_ago), by, now=long_ago
    )
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.tab_to(page.get_by_role("link", name="Day", exact=True))
        window.follow("Enter")
        expect(page.get_by_role("img", name="Handed over by hour")).to_be_visible()
        expect(page.get_by_role("img", name="Orders with a finding today, by rule")).to_be_visible()
        expect(page.get_by_role("link", name="1 without tablets")).to_be_visible()
        check_page(window, "day")
        window.tab_to(page.get_by_text("As a table").first)
        page.keyboard.press("Enter")
        expect(page.get_by_role("columnheader", name="Hour")).to_be_visible()
        check_page(window, "day-table")
        window.tab_to(page.get_by_role("link", name="1 to answer"))
        window.follow("Enter")
        expect(page.get_by_role("link", name="Needs an answer (1)")).to_have_attribute("aria-current", "page")
        window.go(reverse("counter:day"))
        window.follow("F9")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
