"""Carers of a patient and the month of the messages, on real screens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.models import Carer, StaffRole
from tests.dispensary import make
from tests.dispensary.reminders import making
from tests.journeys.browsing import check_page, open_window, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_manager_records_a_carer_and_looks_at_the_month(browser: Browser, live_server: LiveServer) -> None:
    now = timezone.now()
    shop = making.pharmacy(name="City Pharmacy", opened_at=now - timedelta(days=400))
    member = make.staff(shop, role=StaffRole.MANAGER)
    for days, late in ((60, 0), (60, 2), (60, 5), (90, 0), (120, 4), (150, 0)):
        person = making.patient(shop)
        order, at = making.prescription(person), now - timedelta(days=days + 28)
        making.dispense(order, at=at)
        making.dispense(order, at=at + timedelta(days=28 + late), number=2, days=90)
        making.follow(person, at)
    with open_window(browser, live_server.url) as window:
        sign_in(window, member)
        expect(window.page.get_by_role("heading", level=1)).to_be_visible()
        page = window.page
        window.go(reverse("counter:explain", args=[person.pk]))
        page.get_by_label("Name", exact=True).fill("Maria Canary")
        page.get_by_label("Carer", exact=True).check()
        page.get_by_label("Language of their messages").select_option("ar")
        page.locator("#carers ~ form").get_by_label("Text message").check()
        page.locator("#carers ~ form").get_by_label("E-mail address, or telephone number with its country").fill(
            "+44 7700 900777"
        )
        page.get_by_role("button", name="Record the carer").click()
        expect(page.get_by_text("Maria Canary is recorded")).to_be_visible()
        page.locator("button[value=carer-yes]").click()
        expect(page.get_by_text("Maria Canary said yes.")).to_be_visible()
        check_page(window, "carers")
        window.go(f"{reverse('counter:month')}?month={now - timedelta(days=60):%Y-%m}")
        check_page(window, "month")
        window.go(f"/m/{Carer.objects.get().contact_points.get().page_code}")
        check_page(window, "carer-page")
        window.go(reverse("counter:settings"))
        expect(page.get_by_role("heading", name="What text messages cost")).to_be_visible()
        check_page(window, "text-costs")
