"""The page behind "stop these messages", in a real Chromium: four languages, both widths, by the strict policy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.models import Suppression, WorklistItem
from dispensary.reminders import links
from dispensary.reminders.texts import stop_page
from tests.dispensary.reminders import making
from tests.journeys.browsing import NARROW, open_window

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PICTURES = os.environ.get("PICTURES")


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("es", "ltr"), ("fr", "ltr"), ("ar", "rtl")])
def test_one_press_stops_in_every_language_at_both_widths(
    browser: Browser, live_server: LiveServer, language: str, direction: str
) -> None:
    contact = making.reachable(making.patient(language=language))
    words = stop_page(language)
    with open_window(browser, live_server.url, java_script_enabled=True) as window:
        window.go(f"/u/{links.stop_token(contact.pk)}")
        page = window.page
        assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == [language, direction]
        assert window.find_faults() == []
        if PICTURES:
            page.set_viewport_size(NARROW)
            page.screenshot(path=str(Path(PICTURES) / f"stop-{language}.png"), full_page=True)
        button = page.get_by_role("button", name=words["button"])
        window.tab_to(button)
        window.follow("Enter")
        expect(page.get_by_role("heading")).to_have_text(words["done"])
        assert window.find_faults() == []
    assert Suppression.objects.get().reason == "opted-out"


def test_whoever_got_a_strangers_message_can_say_so(browser: Browser, live_server: LiveServer) -> None:
    contact = making.reachable(making.patient())
    with open_window(browser, live_server.url, java_script_enabled=False) as window:
        window.go(f"/u/{links.stop_token(contact.pk)}")
        window.page.get_by_role("button", name=stop_page("en")["wrong"]).click()
        expect(window.page.get_by_role("heading")).to_have_text(stop_page("en")["wrong_done"])
    assert Suppression.objects.get().reason == "wrong-person"
    assert WorklistItem.objects.get().kind == "wrong-person"
