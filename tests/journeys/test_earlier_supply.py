"""A supply from elsewhere recorded on the patient's page, by keyboard."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.models import PriorSupply, StaffMember
from tests.dispensary import make
from tests.journeys.browsing import check_page, open_window, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_supply_from_elsewhere_is_typed_as_on_a_label(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember
) -> None:
    make.products()
    now = timezone.now()
    patient = make.patient(pharmacist.pharmacy, now=now)
    with open_window(browser, live_server.url) as desk:
        sign_in(desk, pharmacist)
        desk.go(reverse("counter:patient", args=[patient.pk]))
        desk.tab_to(desk.page.get_by_role("link", name="Record a supply from elsewhere"))
        desk.follow("Enter")
        check_page(desk, "earlier-supply")
        desk.follow("F9")
        expect(desk.page.get_by_role("link", name="Type how it is taken")).to_be_visible()
        check_page(desk, "earlier-supply-errors")
        desk.page.get_by_label("Handed over on").fill(str((now - timedelta(days=10)).date()))
        desk.tab_to(desk.page.get_by_label("How it is taken"))
        desk.page.keyboard.type("10 mg three times a day")
        desk.tab_to(desk.page.get_by_label("Days that it lasts"))
        desk.page.keyboard.type("28")
        desk.tab_to(desk.page.get_by_role("radio", name="It is what the patient takes, or took"))
        desk.page.keyboard.press("Space")
        desk.follow("F9")
        expect(desk.page.get_by_text("Recorded: 30 mg a day for 28 days")).to_be_visible()
        expect(desk.page.get_by_text("Today 30 mg", exact=True)).to_be_visible()
        check_page(desk, "earlier-supply-recorded")
    assert PriorSupply.objects.get().days_supply == 28
