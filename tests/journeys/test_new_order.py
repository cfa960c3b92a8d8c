"""A prescription on paper becomes an order in a real Chromium: by keyboard alone, read back while it is typed, also without scripts."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.models import Patient, Prescription, Source, StaffMember
from tests.dispensary import make
from tests.journeys.browsing import check_page, open_window, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TAPER = "10 mg three times a day for 7 days, then 5 mg three times a day for 7 days, then stop"


@pytest.fixture
def at_the_counter(pharmacist: StaffMember) -> StaffMember:
    make.products()
    make.prescriber(pharmacist.pharmacy, now=timezone.now())
    return pharmacist


def test_a_paper_prescription_of_somebody_new_is_taken_in_by_keyboard_alone(
    browser: Browser, live_server: LiveServer, at_the_counter: StaffMember
) -> None:
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, at_the_counter)
        window.follow("Alt+n")
        page.keyboard.type("Paper, Pia")
        window.follow("Enter")
        check_page(window, "intake-nobody")
        assert page.locator("#id_birth_date").evaluate("element => element === document.activeElement")
        page.locator("#id_birth_date").fill("1980-04-05")
        expect(page.locator("#id_birth_date_words")).to_contain_text("5 April 1980")
        check_page(window, "intake-birth-date-in-words")
        window.follow("F9")

        expect(page.get_by_role("heading", name="New prescription for Paper, Pia")).to_be_visible()
        assert page.locator("#id_prescriber").evaluate("element => element === document.activeElement")
        page.keyboard.type("Mwangi")
        window.tab_to(page.locator("#id_written_on"))
        page.locator("#id_written_on").fill(timezone.now().date().isoformat())
        window.tab_to(page.locator("#id_strength_mg"))
        page.keyboard.type("10")
        window.tab_to(page.locator("#id_directions"))
        page.keyboard.type(TAPER)
        page.locator(".d-says", has_text="then 5\u00a0mg three times a day for 7\u00a0days, then stop").wait_for()
        page.get_by_role("button", name="Order 32 tablets").wait_for()
        assert page.locator("#id_directions").evaluate("element => element === document.activeElement")
        check_page(window, "new-order-read-back")
        page.keyboard.press("F7")
        expect(page.locator("#id_quantity")).to_have_value("32")
        page.get_by_role("button", name="Order 32 tablets").wait_for()
        window.follow("F9")

        expect(page.get_by_role("heading", name="Paper, Pia")).to_be_visible()
        expect(page.get_by_text("Typed at the counter")).to_be_visible()
        check_page(window, "new-order-check")
    taken = Prescription.objects.get()
    assert (taken.source, taken.quantity, taken.then_stop, taken.phases.count()) == (Source.COUNTER, 32, True, 2)


def test_what_is_missing_is_said_at_its_field_and_what_was_typed_stays(
    browser: Browser, live_server: LiveServer, at_the_counter: StaffMember
) -> None:
    patient = make.patient(at_the_counter.pharmacy, now=timezone.now())
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, at_the_counter)
        window.go(f"/patients/{patient.pk}/order")
        page.locator("#id_directions").fill("10 mg daily as per clinic letter")
        window.follow("F9")
        assert page.locator("#error-summary").evaluate("element => element === document.activeElement")
        expect(page.get_by_label("Take it in as it is written")).to_be_visible()
        expect(page.locator("#id_directions")).to_have_value("10 mg daily as per clinic letter")
        check_page(window, "new-order-errors")
    assert not Prescription.objects.exists()


def test_without_scripts_an_order_is_read_back_by_its_button_and_taken_in(
    browser: Browser, live_server: LiveServer, at_the_counter: StaffMember
) -> None:
    make.patient(at_the_counter.pharmacy, now=timezone.now())
    with open_window(browser, live_server.url, java_script_enabled=False) as window:
        page = window.page
        window.go("/")
        page.fill("#id_login", at_the_counter.user.username)
        page.fill("#id_password", make.PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("link", name="New prescription").click()
        page.fill("#q", "Okafor")
        page.get_by_role("button", name="Find").click()
        page.get_by_role("link", name="Okafor, Ada").click()
        page.fill("#id_prescriber", "C1234567")
        page.fill("#id_written_on", timezone.now().date().isoformat())
        page.select_option("#id_strength_mg", "10")
        page.fill("#id_directions", TAPER)
        page.get_by_role("button", name="Read it back").click()
        expect(page.get_by_text("Tablets needed: 32")).to_be_visible()
        page.fill("#id_quantity", "32")
        page.get_by_role("button", name="Take in the prescription").click()
        expect(page.get_by_role("heading", name="Okafor, Ada")).to_be_visible()
    assert Patient.objects.get().prescriptions.count() == 1
