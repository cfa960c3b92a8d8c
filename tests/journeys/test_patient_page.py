"""The patient's page in a real Chromium: four languages, both widths, keyboard alone, without JavaScript."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.models import Consent, ContactPoint, DetailLevel, Patient, Reminder
from dispensary.reminders.texts import patient_page
from tests.dispensary.reminders import making
from tests.journeys.browsing import check_page, open_window

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def somebody(language: str = "en") -> ContactPoint:
    """A patient with a taper and a refill ahead, by e-mail with medicine and dose and by text message."""
    person = making.patient(making.pharmacy(name="City Pharmacy"), language=language)
    now = timezone.now()
    order = making.prescription(person, making.TAPER, then_stop=True)
    making.dispense(order, days=14, at=now)
    making.follow(person, now)
    making.reachable(person, "sms", address="+447700900123", preference=2)
    return making.reachable(person, "email", address="ann@example.org", detail_level=DetailLevel.DETAILED)


def link(contact: ContactPoint) -> str:
    return f"/m/{contact.page_code}"


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("es", "ltr"), ("fr", "ltr"), ("ar", "rtl")])
def test_by_keyboard_alone_in_every_language_at_both_widths(
    browser: Browser, live_server: LiveServer, language: str, direction: str
) -> None:
    contact, words = somebody(language), patient_page(language)
    with open_window(browser, live_server.url, java_script_enabled=True) as window:
        page = window.page
        window.go(link(contact))
        assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == [language, direction]
        check_page(window, f"page-{language}")

        window.tab_to(page.get_by_role("button", name=words["plainer_button"]))
        window.follow("Enter")
        expect(page.get_by_role("status")).to_contain_text(words["done_plainer"])
        window.tab_to(page.get_by_role("button", name=words["stop_email"]))
        window.follow("Enter")
        expect(page.get_by_role("status")).to_contain_text(words["done_stop"])
        assert window.find_faults() == []
        window.tab_to(page.get_by_role("button", name=words["stop_sms"]))
        window.follow("Enter")
        expect(page.get_by_text(words["silent"])).to_be_visible()
        check_page(window, f"page-{language}-stopped")
    assert set(Consent.objects.values_list("answer", flat=True)) == {"no"}
    assert set(ContactPoint.objects.values_list("detail_level", flat=True)) == {"plain"}


def test_without_a_script_somebody_chooses_their_language_and_says_it_is_not_theirs(
    browser: Browser, live_server: LiveServer
) -> None:
    contact = somebody()
    with open_window(browser, live_server.url, java_script_enabled=False) as window:
        page = window.page
        window.go(link(contact))
        page.get_by_label("العربية").check()
        page.get_by_role("button", name=patient_page("en")["language_button"]).click()
        expect(page.get_by_role("status")).to_contain_text(patient_page("ar")["done_language"])
        page.get_by_role("button", name=patient_page("ar")["wrong_button_email"]).click()
        expect(page.get_by_role("heading")).to_have_text(patient_page("ar")["closed"])
    assert Patient.objects.get().language == "ar"


def test_a_link_that_has_ended_says_so_in_the_patients_language(browser: Browser, live_server: LiveServer) -> None:
    contact = somebody("ar")
    with open_window(browser, live_server.url) as window:
        Reminder.objects.all().delete()
        window.go(link(contact))
        expect(window.page.get_by_role("heading")).to_have_text(patient_page("ar")["old"])
        check_page(window, "page-old")
