"""From an empty site to the first hand-over in a browser: one command prints a link, everything else is pages."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.models import AuditEntry, Dispense, Pharmacy, StaffMember
from tests.dispensary import make
from tests.journeys.browsing import BrowserWindow, check_page, open_window, type_as_a_scanner

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def choose_password(window: BrowserWindow, link: str, name: str) -> None:
    """Open the link, choose the password, sign in with it."""
    page = window.page
    page.goto(link)
    page.get_by_label("Password").fill("short")
    page.get_by_label("The same again").fill("short")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Password").fill(make.PASSWORD)
    page.get_by_label("The same again").fill(make.PASSWORD)
    check_page(window, "join")
    page.get_by_role("button", name="Set the password").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(make.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Sign in")


def test_first_run_to_first_dispense_without_a_shell(browser: Browser, live_server: LiveServer, settings) -> None:
    settings.DISPENSARY = {**settings.DISPENSARY, "public_url": live_server.url}
    out = StringIO()
    call_command("first_manager", "mara", stdout=out)
    with open_window(browser, live_server.url) as window:
        page = window.page
        choose_password(window, out.getvalue().strip(), "mara")
        expect(page.get_by_role("heading", level=1)).to_have_text("Open a pharmacy")
        check_page(window, "open")
        page.get_by_label("Name of the pharmacy").fill("Harbour Pharmacy")
        page.get_by_label("Address, as printed on labels").fill("3 Quay Street")
        page.get_by_label("Telephone").fill("020 7946 0123")
        page.get_by_label("Time zone").fill("Europe/Nowhere")
        page.get_by_label("Your name, as printed").fill("Mara Okonkwo")
        page.get_by_role("button", name="Open it").click()
        expect(page.get_by_role("alert")).to_contain_text("time zone")
        page.get_by_label("Time zone").fill("Europe/London")
        page.get_by_role("button", name="Open it").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("People of Harbour Pharmacy")
        page.get_by_label("Name to sign in with").fill("paul")
        page.get_by_label("Name, as printed").fill("Paul Adeyemi")
        page.get_by_label("Pharmacist").check()
        page.get_by_role("button", name="Invite").click()
        link = page.locator("#joining-link").inner_text()
        check_page(window, "people")
        page.get_by_role("link", name="Settings", exact=True).click()
        page.get_by_label("First message, days before the tablets end").fill("9")
        check_page(window, "settings")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status").filter(has_text="saved")).to_be_visible()
    pharmacy = Pharmacy.objects.get()
    assert pharmacy.refill_lead_days == 9
    make.products()
    order = make.prescription(make.patient(pharmacy, now=timezone.now()), now=timezone.now())
    with open_window(browser, live_server.url) as window:
        page = window.page
        choose_password(window, link, "paul")
        page.goto(live_server.url + reverse("counter:check", args=[order.pk]))
        page.keyboard.press("F2")
        type_as_a_scanner(window)
        expect(page.get_by_text("Lioresal 10 mg tablets").first).to_be_visible()
        window.follow("F9")
        for tick in page.get_by_role("checkbox").all():
            tick.check()
        if not Dispense.objects.exists():
            window.follow("F9")
    done = Dispense.objects.get()
    assert done.dispenser_name == "Paul Adeyemi"
    actions = set(AuditEntry.objects.filter(pharmacy=pharmacy.pk).values_list("action", flat=True))
    assert {"pharmacy.opened", "access.changed", "account.opened", "account.changed", "settings.changed"} <= actions
    assert StaffMember.objects.filter(pharmacy=pharmacy).count() == 2
