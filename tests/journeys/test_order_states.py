"""An order's life at the counter in a real Chromium: held, resumed, corrected, planned anew, its patient's line of time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.models import Prescription, PrescriptionStatus, StaffMember
from tests.dispensary import make
from tests.journeys.browsing import check_page, open_window, sign_in, type_as_a_scanner

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def running(pharmacist: StaffMember) -> Prescription:
    """60 mg a day that is taken, with a repeat."""
    make.products()
    now = timezone.now() - timedelta(minutes=30)
    prescription = make.prescription(
        make.patient(pharmacist.pharmacy, now=now),
        now=now,
        phases=[{"dose": 20, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="20 mg three times a day for 28 days",
        quantity=168,
        repeats=1,
    )
    make.hand_over(prescription, pharmacist.actor(), now=now)
    return prescription


def test_an_order_of_another_system_is_replaced_by_keyboard_alone(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, running: Prescription
) -> None:
    patient = make.patient(pharmacist.pharmacy, now=timezone.now(), family_name="Sent")
    sent = make.prescription(patient, now=timezone.now())
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.go(reverse("counter:check", args=[sent.pk]))
        expect(page.get_by_text("It came from another system, so it stays as it is")).to_be_visible()
        check_page(window, "check-of-a-sent-order")
        window.follow("Alt+c")
        expect(page.locator("#id_directions")).to_have_value(sent.directions)
        window.follow("F8")
        expect(page.locator("#id_written_on_error")).to_contain_text("Type the date on the prescription")
        check_page(window, "replacement")
        page.locator("#id_reason").fill("The days were wrong, with Dr Mwangi")
        page.locator("#id_written_on").fill(timezone.now().date().isoformat())
        window.follow("F9")
        expect(page.get_by_text("is replaced: this one takes its place.")).to_be_visible()
        expect(page.get_by_text("The days were wrong, with Dr Mwangi")).to_be_visible()
        check_page(window, "replacement-check")
    assert Prescription.objects.get(replaces=sent).status == PrescriptionStatus.ACTIVE


def test_an_order_is_held_and_resumed_by_keyboard_alone(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, running: Prescription
) -> None:
    other = make.prescription(
        make.patient(pharmacist.pharmacy, now=timezone.now(), family_name="Waiting"), now=timezone.now()
    )
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.go(reverse("counter:check", args=[other.pk]))
        window.follow("Alt+h")
        window.tab_to(page.get_by_label("the prescriber"))
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.type("Asked Dr Mwangi about the dose")
        check_page(window, "hold")
        window.follow("F9")
        window.tab_to(page.get_by_role("link", name="Awaiting the prescriber (1)"))
        window.follow("Enter")
        expect(page.get_by_text("Awaiting the prescriber. Asked Dr Mwangi about the dose")).to_be_visible()
        check_page(window, "queue-tabs")
        window.go(reverse("counter:check", args=[other.pk]))
        check_page(window, "check-on-hold")
        type_as_a_scanner(window)
        expect(page.get_by_text("The pack was not taken: resume it before you scan.")).to_be_visible()
        window.follow("F9")
        expect(page.get_by_text("Asked Dr Mwangi about the dose")).to_be_visible()
        expect(page.get_by_label("How it was settled")).to_be_focused()
        check_page(window, "resume")
        page.keyboard.type("10 mg is right")
        window.follow("F9")
        expect(page.get_by_text("On hold, nothing is handed over.")).to_have_count(0)
        expect(page.get_by_text("Was on hold, awaiting the prescriber")).to_be_visible()
    other.refresh_from_db()
    assert other.status == PrescriptionStatus.ACTIVE


def test_a_taper_is_planned_printed_and_made_the_new_order(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, running: Prescription
) -> None:
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.go(reverse("counter:patient", args=[running.patient_id]))
        check_page(window, "patient-timeline")
        window.tab_to(page.get_by_role("link", name="Plan a taper"))
        window.follow("Enter")
        check_page(window, "plan-wishes")
        window.tab_to(page.locator("#id_days"))
        page.keyboard.type("21")
        window.follow("F8")
        expect(page.get_by_role("link", name="Print the request")).to_be_visible()
        check_page(window, "plan-made")
        window.tab_to(page.locator("#id_agreed_with"))
        page.keyboard.type("Dr Mwangi")
        page.keyboard.press("Tab")
        page.keyboard.type("by telephone, today")
        window.follow("F9")
        expect(page.get_by_text("Planned here and agreed with Dr Mwangi")).to_be_visible()
        check_page(window, "plan-taken")
    running.refresh_from_db()
    assert running.status == PrescriptionStatus.REPLACED


def test_who_has_an_order_open_is_shown_and_one_key_takes_it_over(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, running: Prescription
) -> None:
    colleague = make.staff(pharmacist.pharmacy)
    waiting = make.prescription(
        make.patient(pharmacist.pharmacy, now=timezone.now(), family_name="Waiting"), now=timezone.now()
    )
    address = reverse("counter:check", args=[waiting.pk])
    with open_window(browser, live_server.url) as first, open_window(browser, live_server.url) as second:
        sign_in(first, pharmacist)
        first.go(address)
        sign_in(second, colleague)
        second.go(address)
        notice = second.page.get_by_text(f"{pharmacist.display_name} has this open")
        expect(notice).to_be_visible()
        check_page(second, "check-claimed")
        second.follow("F7")
        expect(notice).to_have_count(0)
