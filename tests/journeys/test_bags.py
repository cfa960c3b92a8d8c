"""Prepared by one person, checked by another, shelved and handed over: two browsers, keyboard and scanner."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.actions import pharmacies, preparations
from dispensary.actions.handover_problems import Item
from dispensary.actors import Actor
from dispensary.models import Dispense, Patient, Prescription, StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.reminders import making
from tests.journeys.browsing import check_page, open_window, sign_in, type_as_a_scanner

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


COMMON = {"width": 1280, "height": 720}
"""The smallest of the common sizes of screens at a counter."""


@pytest.fixture
def waiting(pharmacist: StaffMember) -> Prescription:
    """A clean new order at a pharmacy that separates the steps."""
    make.products()
    set_up = Actor.system("setup", pharmacist.pharmacy_id)
    changes = {"separate_steps": True}
    pharmacies.change_settings(pharmacy=pharmacist.pharmacy, changes=changes, by=set_up, now=timezone.now())
    patient = make.patient(pharmacist.pharmacy, now=timezone.now())
    making.reachable(patient)
    return make.prescription(patient, now=timezone.now())


def test_two_people_and_a_shelf_by_keyboard(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, waiting: Prescription
) -> None:
    technician = make.staff(pharmacist.pharmacy, StaffRole.TECHNICIAN, now=timezone.now())
    address = reverse("counter:check", args=[waiting.pk])
    with open_window(browser, live_server.url) as bench, open_window(browser, live_server.url) as desk:
        sign_in(bench, technician)
        bench.go(address)
        type_as_a_scanner(bench)
        expect(bench.page.locator("#id_lot")).to_have_value("LOT7")
        expect(bench.page.get_by_role("button", name="Prepare 42 tablets")).to_be_visible()
        check_page(bench, "bag-prepare")
        bench.follow("F9")
        expect(bench.page.get_by_text("A pharmacist who did not prepare it checks it")).to_be_visible()
        check_page(bench, "bag-prepared")

        sign_in(desk, pharmacist)
        desk.tab_to(desk.page.get_by_role("link", name="To check (1)"))
        desk.follow("Enter")
        check_page(desk, "queue-to-check")
        desk.go(address)
        expect(desk.page.get_by_role("button", name="Check 42 tablets")).to_be_visible()
        expect(desk.page.get_by_label("No label is printed yet")).to_be_visible()
        check_page(desk, "bag-check-without-label")
        desk.page.set_viewport_size(COMMON)
        desk.follow("F9")
        expect(desk.page.get_by_role("link", name="Scan the pack in the bag, to check it")).to_be_visible()
        expect(desk.page.get_by_role("button", name="Check 42 tablets")).to_be_in_viewport(ratio=1)
        bench.follow("Alt+p")
        expect(bench.page.get_by_role("button", name="Print the label again")).to_be_visible()
        type_as_a_scanner(desk)
        expect(desk.page.get_by_text("Scanned in the bag")).to_be_visible()
        check_page(desk, "bag-check")
        desk.page.set_viewport_size(COMMON)
        desk.follow("F9")
        expect(desk.page.locator("#id_shelf")).to_be_focused()
        expect(desk.page.get_by_role("heading", level=1)).to_be_in_viewport(ratio=1)
        expect(desk.page.get_by_text("Who collects it")).to_be_in_viewport(ratio=1)
        check_page(desk, "bag-checked")
        desk.page.keyboard.type("A3")
        desk.follow("Enter")
        expect(desk.page.get_by_text("On shelf A3")).to_be_visible()
        expect(desk.page.get_by_text("ready after")).to_be_visible()
        desk.go(reverse("counter:explain", args=[waiting.patient_id]))
        expect(desk.page.get_by_text("Ready to be collected", exact=True)).to_be_visible()
        check_page(desk, "bag-ready-message")

        bench.page.set_viewport_size(COMMON)
        bench.go(address)
        bench.follow("F9")
        expect(bench.page.get_by_role("radio", name="The patient, who said name and date of birth")).to_be_focused()
        expect(bench.page.get_by_role("heading", level=1)).to_be_in_viewport(ratio=1)
        bench.page.keyboard.press("Space")
        bench.tab_to(bench.page.get_by_role("checkbox", name="Never to stop it suddenly"))
        bench.page.keyboard.press("Space")
        expect(bench.page.get_by_role("heading", level=1)).to_be_in_viewport(ratio=1)
        check_page(bench, "bag-collect")
        bench.follow("F9")
        expect(bench.page.get_by_text("42 tablets of Lioresal 10 mg tablets")).to_be_visible()
    assert Dispense.objects.get(prescription=waiting).preparation.shelf == "A3"


def test_a_tick_that_is_missing_is_said_in_view_after_the_answers_are_saved(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, waiting: Prescription
) -> None:
    make.change_past_actions(
        Patient.objects.filter(pk=waiting.patient_id), medicines=[{"name": "tizanidine", "atc": "M03BX02"}]
    )
    technician = make.staff(pharmacist.pharmacy, StaffRole.TECHNICIAN, now=timezone.now())
    items = [Item(waiting, waiting.quantity or Decimal(0), make.pack())]
    bag = preparations.prepare(items=items, by=technician.actor(), now=timezone.now())
    preparations.print_label(preparation=bag, by=technician.actor(), now=timezone.now())
    with open_window(browser, live_server.url) as desk:
        desk.page.set_viewport_size(COMMON)
        sign_in(desk, pharmacist)
        address = reverse("counter:check", args=[waiting.pk])
        desk.go(address)
        type_as_a_scanner(desk, lot=make.pack().lot)
        expect(desk.page.get_by_text("Scanned in the bag")).to_be_visible()
        desk.go(f"{address}#act")
        desk.follow("F9")
        summary = desk.page.locator("#error-summary")
        expect(summary).to_be_focused()
        expect(summary.get_by_role("heading", name="Not checked")).to_be_in_viewport(ratio=1)
