"""Dose changes, two strengths and stops at the counter, in a real Chromium, by keyboard and scanner."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.models import Decision, Dispense, Patient, StaffMember
from tests.dispensary import make
from tests.dispensary.counter.test_choices import another_prescriber, check, order
from tests.dispensary.counter.test_two_strengths import two_strengths
from tests.journeys.browsing import check_page, open_window, sign_in, type_as_a_scanner

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def patient(pharmacist: StaffMember) -> Patient:
    """Somebody who takes 30 mg a day and has tablets for eight more days."""
    make.products()
    now = timezone.now() - timedelta(days=20)
    patient = make.patient(pharmacist.pharmacy, family_name="Novak", given_name="Petra", now=now)
    first = order(patient, 10, 10, 10, now=now, repeats=1, directions="10 mg three times a day")
    make.hand_over(first, pharmacist.actor(), now=now)
    return patient


def test_a_dose_increase_costs_a_scan_and_one_key(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, patient: Patient
) -> None:
    increase = order(patient, 10, 10, 15)
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.go(check(increase))
        assert page.locator("#id_scan").evaluate("element => element === document.activeElement")
        check_page(window, "dose-increase")
        type_as_a_scanner(window)
        main = page.get_by_role("button", name="Replaces 30 mg a day: dispense 98 tablets")
        expect(main).to_be_visible()
        page.locator("#id_quantity").fill("42")
        expect(page.get_by_role("button", name="Replaces 30 mg a day: dispense 42 tablets")).to_be_visible()
        page.locator("#id_quantity").fill("98")
        check_page(window, "dose-increase-scanned")
        window.follow("F9")
        expect(page.get_by_text("98 tablets of Lioresal 10 mg tablets")).to_be_visible()
    assert Dispense.objects.get(prescription=increase).relation == "changes"


def test_another_first_day_is_chosen_by_keyboard_and_reviewed_at_once(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, patient: Patient
) -> None:
    lower = order(patient, 10, 10, 5)
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.go(check(lower))
        check_page(window, "lower-dose")
        window.follow("F9")
        assert page.locator("#error-summary").evaluate("element => element === document.activeElement")
        window.tab_to(page.get_by_role("button", name="When the old tablets end"))
        window.follow("Enter")
        assert page.locator("#act").evaluate("element => element === document.activeElement")
        expect(page.get_by_role("button", name="Replaces 30 mg a day from ")).to_be_visible()
        expect(page.locator("[aria-pressed=true]")).to_contain_text("When the old tablets end")
        check_page(window, "lower-dose-chosen")
        type_as_a_scanner(window)
        window.follow("F9")
        expect(page.get_by_text("70 tablets of Lioresal 10 mg tablets")).to_be_visible()
    assert Decision.objects.get(order=lower).kind == "replaces"


def test_a_second_prescribers_order_is_decided_and_signed_by_keyboard(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, patient: Patient
) -> None:
    extra = order(patient, 5, ordered_by=another_prescriber(patient))
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.go(check(extra))
        check_page(window, "two-prescribers")
        window.follow("F8")
        check_page(window, "two-prescribers-override")
        window.tab_to(page.get_by_role("button", name="Beside it"))
        window.follow("Enter")
        expect(page.locator("[aria-pressed=true]")).to_have_text("Beside it")
        window.tab_to(page.get_by_role("radio", name="Consulted prescriber", exact=True).first)
        page.keyboard.press("Space")
        window.tab_to(page.get_by_label("In your own words").first)
        page.keyboard.type("Dr Weiss adds it for the nights.")
        check_page(window, "two-prescribers-chosen")
        window.tab_to(page.get_by_label("Your password"))
        page.keyboard.type(make.PASSWORD)
        window.follow("F9")
        expect(page.get_by_role("button", name="Beside 30 mg a day: dispense 14 tablets")).to_be_visible()
        type_as_a_scanner(window)
        window.follow("F9")
        expect(page.get_by_text("14 tablets of Lioresal 10 mg tablets")).to_be_visible()
    assert Decision.objects.get(order=extra).words == "Dr Weiss adds it for the nights."


def test_two_strengths_are_scanned_in_any_order_and_handed_over_with_one_key(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember
) -> None:
    make.products()
    first, second = two_strengths(pharmacist)
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.go(check(second))
        expect(page.get_by_text("25 mg tablets: not scanned yet")).to_be_visible()
        check_page(window, "two-strengths")
        type_as_a_scanner(window, gtin=make.TEN_MG, lot="LOT10")
        expect(page.get_by_text("25 mg tablets: not scanned yet")).to_be_visible()
        type_as_a_scanner(window, gtin=make.TWENTY_FIVE_MG, lot="LOT25")
        check_page(window, "two-strengths-scanned")
        window.follow("F9")
        expect(page.get_by_role("button", name="Print the labels of 25 mg and 10 mg")).to_be_visible()
        check_page(window, "two-strengths-handed-over")
    assert [row.lot for row in Dispense.objects.filter(prescription__in=(first, second)).order_by("lot")] == [
        "LOT10",
        "LOT25",
    ]


def test_a_medicine_is_stopped_from_the_patients_page_by_keyboard(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, patient: Patient
) -> None:
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.go(reverse("counter:patient", args=[patient.pk]))
        check_page(window, "patient-takes")
        window.tab_to(page.get_by_role("link", name="Stop it"))
        window.follow("Enter")
        expect(page.get_by_text("Instead: a taper that the rules accept")).to_be_visible()
        window.tab_to(page.get_by_role("radio", name="Another reason"))
        page.keyboard.press("Space")
        window.tab_to(page.get_by_label("In your own words"))
        page.keyboard.type("Dr Mwangi stops it by telephone")
        window.follow("F9")
        check_page(window, "stop-asked")
        window.tab_to(page.get_by_role("radio", name="Consulted prescriber", exact=True))
        page.keyboard.press("Space")
        window.tab_to(page.get_by_label("In your own words", exact=True))
        page.keyboard.type("She watches for withdrawal on the ward.")
        window.tab_to(page.get_by_label("Your password"))
        page.keyboard.type(make.PASSWORD)
        window.follow("F9")
        expect(page.get_by_text("a day is stopped from today.")).to_be_visible()
        check_page(window, "stopped-medicine")
    assert Decision.objects.get(patient=patient).kind == "stopped"
